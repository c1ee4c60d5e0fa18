#!/usr/bin/env bash
# Builds the library and the programs for tests, as `cargo test` does. Without a test among what is
# built cargo would leave out the features that only tests ask for, and build most crates again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --quiet --lib --bins --test abi
