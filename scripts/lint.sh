#!/usr/bin/env bash
# Everything that is checked without running the product. The header's drift is a test
# (tests/abi.rs), and so are layering and tidiness (tests/architecture.rs, tests/tidy.rs).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The same interpreter as maturin takes, so that neither makes the other rebuild.
export PYO3_PYTHON="$PWD/.venv/bin/python"

step() {
    printf '+ %s\n' "$*"
    "$@"
}

step cargo fmt --all -- --check
step cargo clippy --workspace --lib --bins --examples -- -D warnings
# Tests may unwrap, panic and look at the clock. clippy.toml says so for test functions; this says
# it for their helpers too, of which each test file uses its own part.
in_tests=(-A dead_code -A clippy::disallowed_methods -A clippy::expect_used
    -A clippy::indexing_slicing -A clippy::panic -A clippy::unwrap_used)
step cargo clippy --workspace --tests --benches -- -D warnings "${in_tests[@]}"
# The above checks with what the tests bring along; the library has to do without.
step cargo check --quiet --lib --bins
step scripts/build-debug.sh
export SNAKEPIT_BRIDGE_LIB="$PWD/target/debug" SNAKEPIT_BRIDGE_INCLUDE="$PWD/include"
nif=bindings/elixir/native/snakepit_bridge_nif/Cargo.toml
step cargo fmt --manifest-path "$nif" -- --check
step cargo clippy --quiet --locked --manifest-path "$nif" --target-dir target/hosts/nif \
    --all-targets -- -D warnings
step test -z "$(gofmt -l bindings/go benches/hosts/go)"
step .venv/bin/ruff check .
step .venv/bin/ruff format --check .
if cargo deny --version >/dev/null 2>&1; then
    step cargo deny --all-features check
else
    echo '- cargo deny is not installed here: licences and sources are not checked'
fi
