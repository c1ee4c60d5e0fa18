#!/usr/bin/env bash
# Runs the tests of the bindings, each over an installation of the library like a user's, in
# target/hosts. scripts/setup.sh test comes first. Each suite plays the conformance scenarios of
# tests/conformance and leaves its traces, which have to be the same byte for byte.
#
#   scripts/test-hosts.sh                  C, C++, Go and Elixir
#   scripts/test-hosts.sh go elixir …      only these; with SPB_TRACE_DIR set, traces that lie there
#                                          already are compared too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ROOT="$PWD"
WORK="$ROOT/target/hosts"
PREFIX="$WORK/installed"
failed_steps=0

main() {
    local hosts=("$@") host
    [ $# -gt 0 ] || hosts=(c cpp go elixir)
    surroundings
    for host in "${hosts[@]}"; do
        case "$host" in
            c | cpp | go | elixir) "host_$host" ;;
            *) fail "unknown host '$host', expected c, cpp, go or elixir" ;;
        esac
    done
    step python3 scripts/compare_traces.py "$SPB_TRACE_DIR" "${hosts[@]}"
    [ "$failed_steps" -eq 0 ] || fail "$failed_steps steps failed"
}

# What every suite finds: the library, an interpreter with the worker, modules for it.
surroundings() {
    export SPB_PYTHON="${SPB_PYTHON:-$ROOT/.venv/bin/python}"
    export SPB_TEST_MODULES="$ROOT/tests/python"
    export PKG_CONFIG_PATH="$PREFIX/lib/pkgconfig"
    if [ -z "${SPB_TRACE_DIR:-}" ]; then
        export SPB_TRACE_DIR="$WORK/traces"
        rm -rf "$SPB_TRACE_DIR"
    fi
    mkdir -p "$SPB_TRACE_DIR"
    PROFILE=dev PREFIX="$PREFIX" scripts/install.sh
}

host_c() {
    step cargo test --no-fail-fast --test capi
}

host_cpp() {
    local build="$WORK/cpp"
    step cmake -S bindings/cpp -B "$build" -G Ninja --log-level=WARNING \
        -DCMAKE_PREFIX_PATH="$PREFIX"
    step cmake --build "$build"
    step ctest --test-dir "$build" -j2 --output-on-failure
}

# cgocheck2: the compiler checks each Go pointer that reaches memory of C.
host_go() {
    export GOEXPERIMENT=cgocheck2
    step env -C bindings/go go vet ./...
    LD_LIBRARY_PATH="$PREFIX/lib" step env -C bindings/go go test -race -count=1 -v ./...
}

host_elixir() {
    export MIX_ENV=test SNAKEPIT_BRIDGE_LIB="$PREFIX/lib" MIX_BUILD_ROOT="$WORK/elixir"
    step env -C bindings/elixir mix format --check-formatted
    step env -C bindings/elixir mix compile --warnings-as-errors
    step env -C bindings/elixir mix test
}

step() {
    printf '+ %s\n' "$*"
    "$@" || failed_steps=$((failed_steps + 1))
}

fail() {
    printf 'test-hosts: %s\n' "$*" >&2
    exit 1
}

main "$@"
