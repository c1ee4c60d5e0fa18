#!/usr/bin/env bash
# Builds the library, the guard and the C example, and runs the example. scripts/setup.sh run
# comes first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PROFILE_DIR="$PWD/target/debug"
OUT="$PWD/target/demo"

cargo build --quiet --lib --bins
mkdir -p "$OUT"
# The library's file is named by cargo, its SONAME by its ABI; the loader asks for the latter.
ln -sf libsnakepit_bridge.so "$PROFILE_DIR/libsnakepit_bridge.so.0"
# shellcheck disable=SC2046  # pkg-config prints several words
cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -O1 -g -Iinclude bindings/c/examples/*.c -o "$OUT/ask" \
    -L"$PROFILE_DIR" -lsnakepit_bridge -Wl,-rpath,"$PROFILE_DIR" \
    $(pkg-config --cflags --libs libcjson) -lm
export SPB_PYTHON="${SPB_PYTHON:-$PWD/.venv/bin/python}"
exec "$OUT/ask" "$@"
