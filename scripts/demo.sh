#!/usr/bin/env bash
# Builds the library, the guard and the two C examples, and runs them: the agent that answers
# questions (those of the command line, if there are some), and then, without questions of one's
# own, the program that an optimizer improves. scripts/setup.sh run comes first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PROFILE_DIR="$PWD/target/debug"
OUT="$PWD/target/demo"
EXAMPLES="bindings/c/examples"

cargo build --quiet --lib --bins
mkdir -p "$OUT"
# The library's file is named by cargo, its SONAME by its ABI; the loader asks for the latter.
ln -sf libsnakepit_bridge.so "$PROFILE_DIR/libsnakepit_bridge.so.0"

# example NAME FILE...: one program of these sources and of what both share.
example() {
    local name="$1"
    shift
    # shellcheck disable=SC2046  # pkg-config prints several words
    cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -O1 -g -Iinclude "$@" \
        "$EXAMPLES"/{host,prompt,text,transcript}.c -o "$OUT/$name" \
        -L"$PROFILE_DIR" -lsnakepit_bridge -Wl,-rpath,"$PROFILE_DIR" \
        $(pkg-config --cflags --libs libcjson) -lm
}

example ask "$EXAMPLES"/{ask,atlas,findings,model,tools}.c
example improve "$EXAMPLES/improve.c"
export SPB_PYTHON="${SPB_PYTHON:-$PWD/.venv/bin/python}"
"$OUT/ask" "$@"
if [ $# -eq 0 ]; then
    printf '\n%s\n\n' '────────────────────────────────────────'
    "$OUT/improve"
fi
