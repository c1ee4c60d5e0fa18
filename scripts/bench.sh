#!/usr/bin/env bash
# Every benchmark in benches/, or those that are named, against an optimised library and worker.
# Ends with a table for people; writes target/bench/report.json, and table and chart into docs/.
#
#   scripts/bench.sh [BENCH...]      such as `scripts/bench.sh tensor start`
#
# A goal that is missed does not fail it; a benchmark that does not come to its end does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

LOGS=target/bench/logs

main() {
    local bench failed=() began=$SECONDS
    RELEASE=1 scripts/setup.sh bench
    timed build cargo bench --no-run --bench '*' || exit 1
    mapfile -t benches < <(chosen "$@")
    for bench in "${benches[@]}"; do
        timed "$bench" cargo bench --quiet --bench "$bench" || failed+=("$bench")
    done
    printf '\n%s\n\n' "$((SECONDS - began)) s in all"
    .venv/bin/python scripts/bench_report.py
    [ ${#failed[@]} -eq 0 ] || {
        printf '\ndid not come to their end: %s; see %s\n' "${failed[*]}" "$LOGS"
        exit 1
    }
}

chosen() {
    if [ $# -gt 0 ]; then
        printf '%s\n' "$@"
    else
        basename --multiple --suffix=.rs benches/*.rs
    fi
}

# timed NAME COMMAND...: its output goes to a file, and to the terminal when it fails.
timed() {
    local name="$1" began=$SECONDS status=0
    shift
    mkdir -p "$LOGS"
    "$@" >"$LOGS/$name.log" 2>&1 || status=$?
    printf '%-12s %4d s\n' "$name" "$((SECONDS - began))"
    [ "$status" -eq 0 ] || tail -n 30 "$LOGS/$name.log"
    return "$status"
}

main "$@"
