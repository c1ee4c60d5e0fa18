# The project's verbs. Each does its own set-up, so each works in a clean clone. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

# Tests that start workers find the interpreter here.
export SPB_PYTHON := $(CURDIR)/.venv/bin/python

.PHONY: help setup demo test test-fast test-frameworks test-hosts test-transformers test-faults test-state test-systemd lint header bench bench-ray install clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: ## system packages, .venv, the Python worker (quick when nothing changed)
	@scripts/setup.sh test

demo: ## a C program asks DSPy, and DSPy calls back into C
	@scripts/setup.sh run
	scripts/demo.sh

test: ## every test: Rust, Python, and the hosts C, C++, Go and Elixir
	@scripts/setup.sh test
	scripts/test.sh all

test-fast: ## unit tests, layering and house style, the Python side: no pool is started
	@scripts/setup.sh test
	scripts/test.sh fast

test-frameworks: ## DSPy, LangChain and plain Python for real, with this host as their model (under five minutes)
	@scripts/setup.sh test
	scripts/test-frameworks.sh

test-hosts: ## the bindings for C, C++, Go and Elixir, each over an installed library; the same traces by all
	@scripts/setup.sh test
	scripts/test-hosts.sh

test-transformers: ## models, fine-tuning and real weights, with torch in .venv-transformers; says why where it cannot be had
	@scripts/test-transformers.sh

test-faults: ## every fault scenario at full scale, ends with a table (17 minutes)
	@scripts/setup.sh test
	cargo test --test faults -- --all

test-state: ## every store against suite, model and fault scenarios at full scale (fifteen minutes)
	@scripts/setup.sh test
	cargo test --lib -- state:: sessions:: shared_memory
	cargo test --test state_redis --test shared_memory --test vectors
	cargo test --test capi -- values variable vectors tensors sessions watch
	cargo test --test worker -- state:: variables sessions
	SPB_STATE_FULL=1 cargo test --test state
	cargo test --test faults -- F40 F41 F42 F43 F44 F51

test-systemd: ## the pool with workers as services, under a systemd of its own; says why where there is none
	@scripts/test-systemd.sh

lint: ## formatting, clippy, ruff, licences (where cargo-deny is installed)
	@scripts/setup.sh test
	scripts/lint.sh

header: ## writes include/snakepit_bridge.h anew from src/capi
	SPB_UPDATE_HEADER=1 cargo test --test abi

bench: ## every benchmark beside its peers and goals: a table, target/bench/report.json, docs/bench.svg
	@scripts/bench.sh

bench-ray: ## calls of Ray's actors beside the rest of the report; says why where Ray cannot be had
	@scripts/bench-ray.sh

install: ## the library, headers, guard, `spb`, pkg-config and CMake files, under PREFIX (/usr/local)
	@scripts/setup.sh run
	scripts/install.sh

clean: ## everything that was built or installed in this checkout
	cargo clean
	rm -rf .venv .venv-bench .venv-ray .venv-transformers
