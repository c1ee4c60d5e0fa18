#!/usr/bin/env bash
# The pool's whole suite with every worker as a service, and what only services do, under a systemd
# of its own. Where there can be none it says why and succeeds: nothing was tested, nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

code=0
scripts/sysbox.sh true || code=$?
[ "$code" != 77 ] || exit 0

# Cargo asks for the program that runs tests under the target's name.
target=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
export "CARGO_TARGET_${target}_RUNNER=scripts/sysbox.sh env SNAKEPIT_BACKEND=systemd"
cargo test --test snakepit_pool -- "$@"
