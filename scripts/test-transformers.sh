#!/usr/bin/env bash
# The tests of the framework `transformers`: its Python side, then a host with real workers. They
# need torch, which has an environment of its own. Where that cannot be made, the reason is printed
# and nothing fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

EXIT_SKIPPED=77

code=0
scripts/setup.sh transformers || code=$?
if [ "$code" = "$EXIT_SKIPPED" ]; then
    exit 0
fi
[ "$code" = 0 ] || exit "$code"

export SPB_PYTHON="$PWD/.venv/bin/python"
export SPB_TRANSFORMERS_PYTHON="$PWD/.venv-transformers/bin/python"
"$SPB_TRANSFORMERS_PYTHON" -m pytest -v --no-header python/tests/test_transformers_*.py \
    python/tests/test_announcements.py
cargo test --test transformers
