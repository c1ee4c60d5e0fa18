#!/usr/bin/env bash
# Calls of one Ray actor beside the product's, as rows of the same report. Ray is large (about
# 300 MB) and is in an environment of its own; where it cannot be had, this says why and succeeds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RELEASE=1 scripts/setup.sh test
status=0
scripts/setup.sh bench-ray || status=$?
case $status in
    0) cargo bench --bench calls -- ray ;;
    77) ;;
    *) exit "$status" ;;
esac
