#!/usr/bin/env bash
# Runs the tests of an environment that scripts/setup.sh made, and ends with one line that counts
# them.
#
#   scripts/test.sh all     every test; a failure does not stop the others
#   scripts/test.sh fast    unit tests, layering and house style, the Python side
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SELECTION="${1:-all}"
LOG="$(mktemp)"
trap 'rm -f "$LOG"' EXIT
failed_steps=0

main() {
    export SPB_PYTHON="${SPB_PYTHON:-$PWD/.venv/bin/python}"
    case "$SELECTION" in
        all)
            step cargo test --no-fail-fast
            step cargo test -p snakepit_bridge_native --test engine
            python_tests ''
            ;;
        fast)
            step cargo test --no-fail-fast --lib --test architecture --test tidy
            python_tests 'not worker'
            ;;
        *)
            echo "test: unknown selection '$SELECTION', expected 'all' or 'fast'" >&2
            exit 2
            ;;
    esac
    summary
}

# The native half is tested against a small host of its own, without the platform.
python_tests() {
    step cargo build --quiet -p snakepit_bridge_native --examples
    step "$SPB_PYTHON" -m pytest -q -m "$1"
}

step() {
    printf '+ %s\n' "$*"
    "$@" 2>&1 | tee -a "$LOG" || failed_steps=$((failed_steps + 1))
}

# cargo: "test result: ok. 26 passed; 0 failed; ..."; pytest: "2 failed, 31 passed in 0.5s".
summary() {
    local passed failed
    passed="$(count passed)"
    failed="$(count '(failed|errors?)')"
    # A step that broke before it could count, by a compile error for example, is one failure.
    if [ "$failed_steps" -gt 0 ] && [ "$failed" -eq 0 ]; then
        failed="$failed_steps"
    fi
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed_steps" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

count() {
    { grep -E '^test result:|^[0-9]+ (failed|passed|error)' "$LOG" || true; } |
        { grep -oE "[0-9]+ $1\b" || true; } |
        awk '{ sum += $1 } END { print sum + 0 }'
}

main
