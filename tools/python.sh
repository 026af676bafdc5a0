#!/bin/sh
# Makes the private virtual environment that holds the emulated AWS account, and Lambda's runtime for functions in Python.   --path only says where its Python is.
#   tools/python.sh [--path] FOLDER
set -eu
if [ "$1" = --path ]; then
    [ -x "$2/bin/python" ] && [ -e "$2/.complete" ] && cd "$2/bin" && echo "$PWD/python"
    exit 0
fi
folder=$1
requirements="$(dirname "$0")/requirements.txt"
functions="$(dirname "$0")/function-requirements.txt"
[ -e "$folder/.complete" ] && cat "$requirements" "$functions" | cmp -s - "$folder/.complete" && exit 0
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "Python 3.10 or newer is missing: what needs the emulated AWS account can't run here." >&2
    exit 1
fi
echo "setting up the emulated AWS account (once, about a quarter of a minute) in $folder"
rm -rf "$folder"
if ! python3 -m venv "$folder" 2>"$folder.log"; then
    cat "$folder.log" >&2
    echo "Python's venv module is missing (Debian, Ubuntu: apt-get install python3-venv)." >&2
    exit 1
fi
rm -f "$folder.log"
if ! "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"; then
    echo "The packages in $requirements could not be installed: is PyPI reachable from here?" >&2
    exit 1
fi
# Its C++ is not built here: where no wheel is ready-made, the tests that need it say that they are skipped.
if ! "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --requirement "$functions" 2>"$folder.log"; then
    echo "There is no ready-made awslambdaric for this machine and its Python: tests of functions in Python will be skipped." >&2
fi
rm -f "$folder.log"
cat "$requirements" "$functions" >"$folder/.complete"
