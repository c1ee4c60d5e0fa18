#!/usr/bin/env bash
# Installs the library, its headers, the guard and `spb` under PREFIX (default /usr/local), and what
# pkg-config and CMake's find_package need. DESTDIR is put in front of every path, as packagers
# expect. PROFILE=dev installs a debug build, for tests. The Python worker is a package of its own:
# the last line says how to install it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PREFIX="${PREFIX:-/usr/local}"
DESTDIR="${DESTDIR:-}"
PROFILE="${PROFILE:-release}"
ROOT="$DESTDIR$PREFIX"

main() {
    local version major built=release
    [ "$PROFILE" != dev ] || built=debug
    version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n1)"
    major="$(sed -n 's/^#define SPB_ABI_MAJOR //p' include/snakepit_bridge.h)"
    cargo build --quiet --profile "$PROFILE" --lib --bins
    local from="${CARGO_TARGET_DIR:-target}/$built"

    install -D -m 644 include/snakepit_bridge.h "$ROOT/include/snakepit_bridge.h"
    install -D -m 644 bindings/cpp/include/snakepit_bridge.hpp "$ROOT/include/snakepit_bridge.hpp"
    install -D -m 755 "$from/libsnakepit_bridge.so" "$ROOT/lib/libsnakepit_bridge.so.$version"
    ln -sf "libsnakepit_bridge.so.$version" "$ROOT/lib/libsnakepit_bridge.so.$major"
    ln -sf "libsnakepit_bridge.so.$major" "$ROOT/lib/libsnakepit_bridge.so"
    install -D -m 644 "$from/libsnakepit_bridge.a" "$ROOT/lib/libsnakepit_bridge.a"
    install -D -m 755 "$from/snakepit-guard" "$ROOT/libexec/snakepit-guard"
    install -D -m 755 "$from/spb" "$ROOT/bin/spb"

    fill bindings/c/snakepit_bridge.pc.in "$ROOT/lib/pkgconfig/snakepit_bridge.pc"
    local cmake="$ROOT/lib/cmake/snakepit_bridge"
    fill bindings/cpp/cmake/snakepit_bridgeConfig.cmake.in "$cmake/snakepit_bridgeConfig.cmake"
    fill bindings/cpp/cmake/snakepit_bridgeConfigVersion.cmake.in \
        "$cmake/snakepit_bridgeConfigVersion.cmake"
    echo "installed under $ROOT; the Python worker: pip install $PWD/python"
}

# fill TEMPLATE TARGET: writes the template with its @NAMES@ filled in.
fill() {
    mkdir -p "$(dirname "$2")"
    sed -e "s|@PREFIX@|$PREFIX|g" -e "s|@VERSION@|$version|g" -e "s|@ABI_MAJOR@|$major|g" \
        -e "s|@VERSION_MINOR@|${version%.*}|g" "$1" >"$2"
}

main
