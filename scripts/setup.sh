#!/usr/bin/env bash
# Makes this checkout ready: system packages, Rust, a Python environment in .venv with the worker
# installed.
#
#   scripts/setup.sh run     what `make demo` needs
#   scripts/setup.sh test    that, and what `make test` and `make lint` need (default)
#   scripts/setup.sh transformers
#                            that, and .venv-transformers with torch (1.7 GB) for
#                            `make test-transformers`; exits with 77 where torch cannot be had
#   scripts/setup.sh bench   that of `test`, and .venv-bench with what `make bench` compares with
#   scripts/setup.sh bench-ray
#                            .venv-ray with Ray alone; exits with 77 where it cannot be had
#
# Every step is skipped when what it would make is there and its inputs have not changed, so calling
# it again costs a second. RELEASE=1 builds the worker's native half optimised. PYTHON names the
# interpreter for .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PURPOSE="${1:-test}"
VENV="$PWD/.venv"
STAMPS="$VENV/stamps"
WHEELS="$PWD/target/wheels"
PYTHON_OLDEST=3.11
EXIT_SKIPPED=77

main() {
    case "$PURPOSE" in
        run | test | transformers | bench) ;;
        bench-ray)
            ray
            return
            ;;
        *) fail "unknown purpose '$PURPOSE': the file's first lines list them" ;;
    esac
    system_packages
    rust
    [ "$PURPOSE" = run ] || go
    virtual_environment
    python_packages
    worker
    [ "$PURPOSE" != transformers ] || transformers
    [ "$PURPOSE" != bench ] || peers
}

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# --- System packages --------------------------------------------------------------------------

system_packages() {
    local wanted=(build-essential pkg-config libcjson-dev python3-venv)
    [ "$PURPOSE" = run ] || wanted+=(clang cmake elixir erlang-dev erlang-nox ninja-build
        nlohmann-json3-dev redis-server valgrind)
    if ! command -v dpkg-query >/dev/null; then
        other_system
        return
    fi
    local missing=() package
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || fail "please install: sudo apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update
    quietly apt-get install --yes --no-install-recommends "${missing[@]}"
}

is_installed() {
    # shellcheck disable=SC2016  # the format is dpkg's, not the shell's
    [ "$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]
}

# Without Debian's package manager nothing is installed; what is missing is named.
other_system() {
    local missing=() tool tools=(cc pkg-config)
    [ "$PURPOSE" = run ] || tools+=(clang cmake elixir ninja redis-server valgrind)
    for tool in "${tools[@]}"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    pkg-config --exists libcjson 2>/dev/null || missing+=("cJSON (headers)")
    [ ${#missing[@]} -eq 0 ] || fail "please install: ${missing[*]}"
}

# --- Rust -------------------------------------------------------------------------------------

rust() {
    local oldest found
    oldest="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)"
    command -v cargo >/dev/null ||
        fail "no cargo on PATH: install Rust $oldest or later from https://rustup.rs"
    found="$(cargo --version | cut -d' ' -f2)"
    is_at_least "$found" "$oldest" ||
        fail "cargo is $found, expected $oldest or later: rustup update stable"
}

# Debian's Go is older than what the binding needs, so it is not installed from there.
go() {
    local oldest found
    oldest="$(sed -n 's/^go //p' bindings/go/go.mod)"
    command -v go >/dev/null ||
        fail "no go on PATH: install Go $oldest or later from https://go.dev/dl"
    found="$(command go env GOVERSION)"
    is_at_least "${found#go}" "$oldest" ||
        fail "go is ${found#go}, expected $oldest or later: https://go.dev/dl"
}

is_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort --version-sort | head -n1)" = "$2" ]; }

# --- Python -----------------------------------------------------------------------------------

virtual_environment() {
    if [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        mkdir -p "$STAMPS"
        return
    fi
    local python
    python="$(find_python)"
    say "making $(basename "$VENV") with $("$python" --version)"
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
    mkdir -p "$STAMPS"
}

find_python() {
    local candidate candidates="${PYTHON:-python3 python3.13 python3.12 python3.11}"
    for candidate in $candidates; do
        if command -v "$candidate" >/dev/null &&
            is_at_least "$(version_of "$candidate")" "$PYTHON_OLDEST"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python $PYTHON_OLDEST or later among: $candidates"
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 0
}

# DSPy comes without what its package list asks for, and then with what it imports: see the files.
python_packages() {
    with_stamp dspy-nodeps "$(digest python/requirements-dspy-nodeps.txt)" \
        pip_install --no-deps -r python/requirements-dspy-nodeps.txt
    with_stamp run "$(digest python/requirements-dspy.txt scripts/requirements-build.txt)" \
        pip_install -r python/requirements-dspy.txt -r scripts/requirements-build.txt
    [ "$PURPOSE" != run ] || return 0
    with_stamp langchain "$(digest python/requirements-langchain.txt)" \
        pip_install -c python/requirements-dspy.txt -r python/requirements-langchain.txt
    with_stamp test "$(digest scripts/requirements-test.txt)" \
        pip_install -c python/requirements-dspy.txt -r scripts/requirements-test.txt
}

pip_install() { quietly "$VENV/bin/python" -m pip install --disable-pip-version-check "$@"; }

# --- The worker: the package snakepit_bridge with its native half -----------------------------

worker() {
    local profile=dev key
    [ "${RELEASE:-0}" != 1 ] || profile=release
    key="$profile $(worker_digest)"
    with_stamp worker "$key" install_worker "$profile" "$key"
}

worker_digest() {
    local sources
    # What the worker mounts of the platform's sources counts as its own.
    # shellcheck disable=SC2046  # no file of the project has a space in its name
    sources="$(find python proto $(mounted) -type f -not -name '*.so' \
        -not -path '*/__pycache__/*' -not -path 'python/tests/*' | LC_ALL=C sort)"
    # shellcheck disable=SC2086  # no file of the project has a space in its name
    digest Cargo.toml Cargo.lock $sources
}

# The files of the platform that the worker's sources name by their path.
mounted() {
    grep -rhoE '#\[path = "[./]+src/[^"]+\.rs"' python/src \
        | sed -E 's,.*"[./]+(src/.*)",\1,' | LC_ALL=C sort -u
}

install_worker() {
    build_wheel "$1" "$2"
    pip_install --force-reinstall --no-deps "$WHEELS"/*.whl
    # Beside its Python half too: the Python tests import from the source tree.
    local package='import snakepit_bridge._native as native; print(native.__spec__.origin)'
    cp "$(cd / && "$VENV/bin/python" -c "$package")" python/snakepit_bridge/
}

# Both environments have the same wheel.
build_wheel() {
    [ "$(cat "$WHEELS/key" 2>/dev/null)" != "$2" ] || return 0
    rm -rf "$WHEELS"
    CARGO_TARGET_DIR="$PWD/target" quietly "$VENV/bin/maturin" build --profile "$1" \
        --manifest-path python/Cargo.toml --interpreter "$VENV/bin/python" --out "$WHEELS"
    printf '%s' "$2" >"$WHEELS/key"
}

# --- The environment with torch ---------------------------------------------------------------

transformers() {
    [ "$(uname -m)" = x86_64 ] || skip "torch's libraries can be stood in for on x86-64 only"
    VENV="$PWD/.venv-transformers"
    STAMPS="$VENV/stamps"
    virtual_environment
    with_stamp torch "$(digest python/requirements-torch-nodeps.txt scripts/torch_stub.py)" torch
    with_stamp transformers "$(digest python/requirements-transformers.txt)" \
        pip_install -r python/requirements-transformers.txt
    python_packages
    worker
}

# Without the CUDA packages that torch asks for: what it needs of them to be loaded is made here.
torch() {
    local site
    "$VENV/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps \
        -r python/requirements-torch-nodeps.txt || skip "torch cannot be installed here"
    site="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    quietly "$VENV/bin/python" scripts/torch_stub.py "$site"
}

# --- What benchmarks compare with ---------------------------------------------------------------

# Apart from the worker's own packages, so that neither has to fit the other.
peers() {
    VENV="$PWD/.venv-bench"
    STAMPS="$VENV/stamps"
    virtual_environment
    with_stamp peers "$(digest scripts/requirements-bench.txt)" \
        pip_install -r scripts/requirements-bench.txt
}

ray() {
    VENV="$PWD/.venv-ray"
    STAMPS="$VENV/stamps"
    virtual_environment
    with_stamp ray "$(digest scripts/requirements-ray.txt)" install_ray
}

install_ray() {
    "$VENV/bin/python" -m pip install --disable-pip-version-check --quiet \
        -r scripts/requirements-ray.txt || skip "Ray cannot be installed here"
}

skip() {
    say "skipped: $*"
    exit "$EXIT_SKIPPED"
}

# --- Helpers ----------------------------------------------------------------------------------

digest() { sha256sum -- "$@" | sha256sum | cut -d' ' -f1; }

# with_stamp NAME KEY COMMAND...: runs the command unless it succeeded for this key before.
with_stamp() {
    local stamp="$STAMPS/$1" key="$2"
    shift 2
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then
        return
    fi
    say "$(basename "$stamp"): $*"
    rm -f "$stamp"
    "$@"
    printf '%s' "$key" >"$stamp"
}

# Shows a command's output only when it fails.
quietly() {
    local log
    log="$(mktemp)"
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
        return
    fi
    cat "$log" >&2
    rm -f "$log"
    fail "this failed: $*"
}

main
