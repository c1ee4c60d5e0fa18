#!/usr/bin/env bash
# The tests of the frameworks: real workers, with this host as language model, tool and metric.
# Prints which frameworks ran in which version, each test by its name, and at the end how many of
# each room. Arguments select tests by name. scripts/setup.sh test comes first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export SPB_PYTHON="${SPB_PYTHON:-$PWD/.venv/bin/python}"
LOG="$(mktemp)"
trap 'rm -f "$LOG"' EXIT

versions() {
    "$SPB_PYTHON" - <<'PYTHON'
import importlib.metadata as metadata
import platform

names = ("dspy", "gepa", "optuna", "langchain", "langchain-core", "langgraph", "pydantic", "numpy")
known = [f"python {platform.python_version()}"]
for name in names:
    try:
        known.append(f"{name} {metadata.version(name)}")
    except metadata.PackageNotFoundError:
        known.append(f"{name} (not installed)")
print(", ".join(known))
PYTHON
}

# "test scenarios::rows::a_name ... ok" counts for the room `scenarios`.
rooms() {
    sed -n 's/^test \([a-z_]*\)::.* \.\.\. ok$/\1/p' "$LOG" | sort | uniq -c |
        awk '{ printf "  %3d  %s\n", $1, $2 }'
}

versions
cargo test --no-run --test frameworks
began=$SECONDS
code=0
cargo test --test frameworks -- "$@" 2>&1 | tee "$LOG" || code=$?
printf '\npassed, by room:\n%s\n%d s\n' "$(rooms)" "$((SECONDS - began))"
exit "$code"
