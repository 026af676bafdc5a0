#!/bin/sh
# Runs one fuzz target for a number of seconds: sh fuzz/run.sh TARGET SECONDS [libFuzzer options]. README.md tells the rest.
set -eu
cd "$(dirname "$0")"
target=$1
seconds=$2
shift 2
corpus=corpus/$target
mkdir -p "$corpus"
# The seeds, one a block.
awk -v folder="$corpus" 'BEGIN { file = folder "/seed-1"; number = 1; printf "" > file; first = 1 }
    $0 == "===" { close(file); number += 1; file = folder "/seed-" number; printf "" > file; first = 1; next }
    { printf "%s%s", first ? "" : "\n", $0 > file; first = 0 }' "seeds/$target.txt"
exec cargo ${FUZZ_TOOLCHAIN:-} fuzz run --fuzz-dir . --sanitizer none "$target" "$corpus" -- -dict="dictionaries/$target.dict" \
    -max_total_time="$seconds" -timeout=25 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 "$@"
