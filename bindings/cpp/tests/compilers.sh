#!/usr/bin/env bash
# Lets g++ and clang++ read the header and all its classes, in C++17 and C++20, with exceptions and
# without, and with more warnings than the tests have. Two at a time.
#
# Usage: compilers.sh C_INCLUDE_FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
c_headers="$1"

check() {
    "$@" -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast \
        -Wno-unused-but-set-variable -Wno-unused-variable -Werror -isystem "$c_headers" \
        -I../include instances.cpp || {
        printf 'compilers: refused by: %s\n' "$*" >&2
        return 1
    }
}

main() {
    local failed=0 first other=clang++
    command -v "$other" >/dev/null || other=g++
    check g++ -std=c++20 &
    first=$!
    check "$other" -std=c++17 || failed=1
    check "$other" -std=c++20 -fno-exceptions -fno-rtti || failed=1
    wait "$first" || failed=1
    [ "$failed" = 0 ] && echo "compilers: passed"
}

main
