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
            # The C suite, which is among cargo's, leaves its traces for scripts/test-hosts.sh.
            export SPB_TRACE_DIR="$PWD/target/hosts/traces"
            rm -rf "$SPB_TRACE_DIR"
            mkdir -p "$SPB_TRACE_DIR"
            step cargo test --no-fail-fast
            step cargo test -p snakepit_bridge_native --test engine
            step scripts/test-hosts.sh cpp go elixir
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

summary() {
    local passed failed
    read -r passed failed < <(count)
    # A step that broke before it could count, by a compile error for example, is one failure.
    if [ "$failed_steps" -gt 0 ] && [ "$failed" -eq 0 ]; then
        failed="$failed_steps"
    fi
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed_steps" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# How the tools say it, one after the other:
#   cargo   test result: ok. 26 passed; 0 failed; 0 ignored
#   pytest  2 failed, 31 passed in 0.5s
#   ctest   80% tests passed, 1 tests failed out of 5
#   go      --- PASS: TestName (0.00s)
#   ExUnit  3 doctests, 40 tests, 0 failures
count() {
    awk '
        function number_before(word,    at) {
            at = match($0, "[0-9]+ " word)
            return at ? substr($0, at) + 0 : 0
        }
        /^test result:/ || /^[0-9]+ (failed|passed|error)/ {
            passed += number_before("passed")
            failed += number_before("failed") + number_before("error")
        }
        /^[0-9]+% tests passed/ {
            failed += number_before("tests failed")
            passed += $NF - number_before("tests failed")
        }
        /^--- PASS/ { passed++ }
        /^--- FAIL/ { failed++ }
        /^([0-9]+ doctests?, )?[0-9]+ tests?, [0-9]+ failures?/ {
            failed += number_before("failure")
            passed += number_before("doctest") + number_before("tests?,") - number_before("failure")
        }
        END { print passed + 0, failed + 0 }
    ' "$LOG"
}

main
