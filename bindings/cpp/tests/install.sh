#!/usr/bin/env bash
# Installs the library into a folder with a space in its name, builds programs against it by CMake
# and by pkg-config, shared and static, runs them, and uninstalls. The installation is staged: it
# does not lie where it was configured for, so nothing in it may know its place.
#
# Usage: install.sh WORK_FOLDER      SPB_PYTHON is an interpreter with the worker.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
mkdir -p "$1"
work="$(cd "$1" && pwd)/folder with a space"
stage="$work/stage"
prefix="$stage/opt/snakepit"

main() {
    rm -rf "$work"
    mkdir -p "$work"
    # The suite itself runs over an installed debug build: the same again costs no compilation.
    install_sh >/dev/null
    # Linking a debug build statically is slow: both go at once.
    by_pkg_config_static >"$work/static.log" 2>&1 &
    local static=$!
    by_cmake
    by_pkg_config
    wait "$static" || fail "pkg-config --static: $(cat "$work/static.log")"
    versions_are_held
    install_sh uninstall >/dev/null
    [ ! -e "$stage" ] || [ -z "$(find "$stage" -type f -o -type l)" ] || fail "left: $(find "$stage")"
    echo "install: passed"
}

install_sh() {
    PROFILE=dev DESTDIR="$stage" PREFIX=/opt/snakepit "$here/../../../scripts/install.sh" "$@"
}

by_cmake() {
    local build="$work/cmake"
    quietly cmake -S "$here/consumer" -B "$build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
    quietly cmake --build "$build"
    "$build/consumer_c"
    "$build/consumer_cpp"
    "$build/consumer_static"
}

# What pkg-config prints is quoted for a shell, hence eval.
by_pkg_config() {
    local flags run_path="-Wl,-rpath,'$prefix/lib'"
    flags="$(described --cflags --libs)"
    eval "cc '$here/consumer/consumer.c' -o '$work/pc_c' $flags $run_path"
    "$work/pc_c"
    eval "c++ -std=c++17 '$here/consumer/consumer.cpp' -o '$work/pc_cpp' $flags $run_path"
    "$work/pc_cpp"
    [ -x "$(described --variable=prefix | sed 's/\\//g')/libexec/snakepit-guard" ] || fail "guard"
}

# Wholly static, without a shared library at all. The linker's remarks are about glibc.
by_pkg_config_static() {
    eval "cc -static -Wl,--strip-debug '$here/consumer/consumer.c' -o '$work/pc_static'" \
        "-DGUARD=\\\"'$prefix/libexec/snakepit-guard'\\\"" "$(described --static --cflags --libs)"
    "$work/pc_static"
}

described() { PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config "$@" snakepit_bridge; }

# A program that was written for another minor version does not get this one.
versions_are_held() {
    PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --exists 'snakepit_bridge >= 0.1'
    mkdir -p "$work/other"
    sed 's/snakepit_bridge 0\.1 /snakepit_bridge 0.2 /' "$here/consumer/CMakeLists.txt" \
        >"$work/other/CMakeLists.txt"
    if cmake -S "$work/other" -B "$work/other/build" -DCMAKE_PREFIX_PATH="$prefix" \
        >"$work/other.log" 2>&1; then
        fail "find_package(snakepit_bridge 0.2) took version 0.1"
    fi
    grep -q 'not accepted\|compatible with requested version' "$work/other.log" ||
        fail "find_package failed for another reason: $(cat "$work/other.log")"
}

quietly() { "$@" >"$work/last.log" 2>&1 || fail "$* failed: $(cat "$work/last.log")"; }

fail() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

main
