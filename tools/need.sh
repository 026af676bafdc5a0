#!/bin/sh
# Says clearly what is missing on this machine, and where it comes from.
missing=0
for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 && continue
    missing=1
    case "$program" in
    cargo) echo "Rust is missing: no \`cargo\` on the PATH. Install it from https://rustup.rs, then open a new shell." >&2 ;;
    python3) echo "Python 3 is missing: no \`python3\` on the PATH. The emulated AWS account needs 3.10 or newer with its venv module" \
        "(Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)." >&2 ;;
    *) echo "\`$program\` is missing." >&2 ;;
    esac
done
exit $missing
