#!/usr/bin/env bash
# Installs the library, its headers, the guard and `spb` under PREFIX (default /usr/local), and what
# pkg-config and CMake's find_package need. What is installed may be moved as a whole: nothing in it
# knows where it is. DESTDIR is put in front of every path, as packagers expect.
#
#   scripts/install.sh              a release build, stripped
#   PROFILE=dist scripts/install.sh the smallest one, which takes long to link
#   PROFILE=dev scripts/install.sh  a debug build, for tests
#   scripts/install.sh uninstall    removes what the last one with this PREFIX and DESTDIR installed
#
# The Python worker is a package of its own: the last line says how to install it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PREFIX="${PREFIX:-/usr/local}"
DESTDIR="${DESTDIR:-}"
PROFILE="${PROFILE:-release}"
ROOT="$DESTDIR$PREFIX"
LIST="share/snakepit_bridge/installed.txt"

main() {
    case "$PREFIX" in
        /*) ;;
        *) fail "PREFIX is '$PREFIX', expected a path from the root" ;;
    esac
    case "${1:-install}" in
        install) install_all ;;
        uninstall) uninstall ;;
        *) fail "unknown verb '$1', expected 'install' or 'uninstall'" ;;
    esac
    tell_the_loader
}

install_all() {
    local version major built="$PROFILE"
    [ "$PROFILE" != dev ] || built=debug
    version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n1)"
    major="$(sed -n 's/^#define SPB_ABI_MAJOR //p' include/snakepit_bridge.h)"
    if [ "$PROFILE" = dev ]; then
        scripts/build-debug.sh
    else
        cargo build --quiet --profile "$PROFILE" --lib --bins
    fi
    local from="${CARGO_TARGET_DIR:-target}/$built"
    installed=()
    libraries "$from" "$version" "$major"
    file 644 include/snakepit_bridge.h include/snakepit_bridge.h
    file 644 bindings/cpp/include/snakepit_bridge.hpp include/snakepit_bridge.hpp
    program "$from/snakepit-guard" libexec/snakepit-guard
    program "$from/spb" bin/spb
    file 644 LICENSE share/doc/snakepit_bridge/LICENSE
    descriptions
    installed+=("$LIST")
    mkdir -p "$ROOT/$(dirname "$LIST")"
    printf '%s\n' "${installed[@]}" >"$ROOT/$LIST"
    echo "installed under $ROOT; the Python worker: pip install $PWD/python"
}

# libraries FROM VERSION MAJOR: the shared library under the names that the linker, the loader and
# people look for, and the static one.
libraries() {
    program "$1/libsnakepit_bridge.so" "lib/libsnakepit_bridge.so.$2"
    link "libsnakepit_bridge.so.$2" "lib/libsnakepit_bridge.so.$3"
    link "libsnakepit_bridge.so.$3" lib/libsnakepit_bridge.so
    file 644 "$1/libsnakepit_bridge.a" lib/libsnakepit_bridge.a
    stripped --strip-debug "$ROOT/lib/libsnakepit_bridge.a"
}

# What pkg-config and CMake read.
descriptions() {
    local cmake=lib/cmake/snakepit_bridge
    fill bindings/c/snakepit_bridge.pc.in lib/pkgconfig/snakepit_bridge.pc
    fill bindings/cpp/cmake/snakepit_bridgeConfig.cmake.in "$cmake/snakepit_bridgeConfig.cmake"
    fill bindings/cpp/cmake/snakepit_bridgeConfigVersion.cmake.in \
        "$cmake/snakepit_bridgeConfigVersion.cmake"
}

# file MODE SOURCE TARGET, program SOURCE TARGET, link TO TARGET, fill TEMPLATE TARGET: each makes
# one file under ROOT and notes it.
file() {
    install -D -m "$1" "$2" "$ROOT/$3"
    installed+=("$3")
}

program() {
    file 755 "$1" "$2"
    stripped --strip-unneeded "$ROOT/$2"
}

link() {
    ln -sf "$1" "$ROOT/$2"
    installed+=("$2")
}

fill() {
    mkdir -p "$(dirname "$ROOT/$2")"
    sed -e "s|@VERSION@|$version|g" -e "s|@ABI_MAJOR@|$major|g" \
        -e "s|@VERSION_MINOR@|${version%.*}|g" "$1" >"$ROOT/$2"
    installed+=("$2")
}

# A debug build keeps its line numbers, and so does what is made without a `strip`.
stripped() {
    [ "$PROFILE" != dev ] && command -v strip >/dev/null || return 0
    strip "$1" "$2"
}

uninstall() {
    local path
    [ -f "$ROOT/$LIST" ] || fail "nothing is installed under $ROOT: there is no $LIST"
    while IFS= read -r path; do
        rm -f "$ROOT/$path"
        (cd "$ROOT" && rmdir --ignore-fail-on-non-empty --parents "$(dirname "$path")" || true)
    done <"$ROOT/$LIST"
    rmdir --ignore-fail-on-non-empty "$ROOT"
    echo "removed from $ROOT"
}

# The loader has a list of its own of what is in the system's folders.
tell_the_loader() {
    [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ] || return 0
    case "$PREFIX" in /usr | /usr/local) ldconfig ;; esac
}

fail() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

main "$@"
