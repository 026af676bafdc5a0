#!/bin/sh
# Sets up, builds and shows the main job in an emulated AWS account. Leaves nothing running.
set -eu
cd "$(dirname "$0")/.."
sh tools/python.sh .venv
echo "building rectify (a few minutes the first time) …"
start=$(date +%s)
cargo build --locked --quiet --package rectify
echo "built in $(($(date +%s) - start)) s"
exec .venv/bin/python tools/demo/demo.py "${CARGO_TARGET_DIR:-target}/debug/rectify"
