"""The worker process: handoff, exit codes, and what it says when it cannot start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snakepit_bridge import handoff
from snakepit_bridge.handoff import HandoffError

TESTS = Path(__file__).parent
TOKEN = "ab" * 32
DOCUMENT = {"socket": "/nowhere/spb.sock", "token": TOKEN, "frameworks": []}


def run_worker(document, *, extra=""):
    """Runs a worker with `document` on descriptor 3; returns exit code, stdout and stderr."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    script = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3);"
        "sys.path[:0] = [sys.argv[2]]; import conftest;"
        f"{extra}\n"
        "from snakepit_bridge.worker import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", script, str(reading), str(TESTS)]
    done = subprocess.run(
        command, pass_fds=(reading, 3) if reading != 3 else (3,), capture_output=True, timeout=60
    )
    os.close(reading)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_handoff_is_read_to_its_end_and_closed():
    reading, writing = os.pipe()
    document = {**DOCUMENT, "frameworks": [{"id": "python", "options": {"modules": []}}], "new": 1}
    os.write(writing, json.dumps(document).encode())
    os.close(writing)
    told = handoff.read(reading)
    assert told.token == bytes.fromhex(TOKEN)
    assert told.frameworks == [handoff.FrameworkEntry("python", {"modules": []})]
    assert (told.threads_max, told.switch_interval_ms, told.log_level) == (256, 0.5, "info")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)
    assert TOKEN not in repr(told)
    assert repr(told.token) not in repr(told)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"token": "zz"}, "hexadecimal"),
        ({"token": "ab"}, "1 bytes"),
        ({"threads_max": "8"}, "threads_max is a str"),
        ({"threads_max": True}, "threads_max is a bool"),
        ({"frameworks": [{}]}, "without an id"),
        ({"frameworks": [{"id": "x", "options": []}]}, None),
        ({"frameworks": [{"id": "x", "options": 5}]}, "options of framework 'x'"),
        ({"log_level": "loud"}, "log_level"),
        ({"python_path": "/x"}, "python_path is a str"),
    ],
)
def test_a_wrong_handoff_is_refused(change, fault):
    text = json.dumps({**DOCUMENT, **change}).encode()
    if fault is None:
        handoff.parse(text)
        return
    with pytest.raises(HandoffError, match=fault) as caught:
        handoff.parse(text)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("missing", ["socket", "token", "frameworks"])
def test_what_a_handoff_lacks_is_named(missing):
    document = {key: value for key, value in DOCUMENT.items() if key != missing}
    with pytest.raises(HandoffError, match=missing):
        handoff.parse(json.dumps(document).encode())


def test_a_bad_handoff_ends_with_2():
    code, _, err = run_worker(b"{")
    assert code == 2
    assert err == "snakepit-bridge worker: handoff is not JSON\n"


def test_a_missing_framework_ends_with_3_and_one_line():
    code, out, err = run_worker({**DOCUMENT, "frameworks": [{"id": "nope"}]})
    assert code == 3
    assert out == ""
    assert err.startswith("snakepit-bridge worker: framework 'nope' is not installed")


def test_a_failing_import_ends_with_3_and_its_traceback(tmp_path):
    (tmp_path / "broken_module.py").write_text("import no_such_package\n")
    entry = {"id": "python", "options": {"modules": ["broken_module"]}}
    document = {**DOCUMENT, "frameworks": [entry], "python_path": [str(tmp_path)]}
    code, _, err = run_worker(document)
    first, *rest = err.splitlines()
    assert code == 3
    assert first.startswith("snakepit-bridge worker: framework 'python' cannot be started: ")
    assert "no_such_package" in first
    assert any("broken_module.py" in line for line in rest)


def test_no_platform_ends_with_4():
    code, _, err = run_worker(DOCUMENT, extra=CONNECT_REFUSED)
    assert code == 4
    assert err.startswith("snakepit-bridge worker: no connection to the platform")
    assert TOKEN not in err


def test_a_worker_serves_and_leaves_with_0_after_a_drain(tmp_path):
    (tmp_path / "my_functions.py").write_text(USER_MODULE)
    entry = {"id": "python", "options": {"modules": ["my_functions"]}}
    document = {**DOCUMENT, "frameworks": [entry], "python_path": [str(tmp_path)]}
    code, out, err = run_worker(document, extra=PLAYED_HOST)
    assert (code, err) == (0, "")
    played = [json.loads(line) for line in out.splitlines()]
    assert played[0] == ["connect", "/nowhere/spb.sock", TOKEN, ["python"], 1]
    assert played[1][:2] == ["result", 1]
    assert played[1][2]["thread"].startswith("spb-call-")
    assert played[2] == ["drained"]


def test_a_worker_that_is_cut_off_leaves_although_a_handler_hangs(tmp_path):
    (tmp_path / "my_functions.py").write_text(USER_MODULE)
    entry = {"id": "python", "options": {"modules": ["my_functions"]}}
    document = {**DOCUMENT, "frameworks": [entry], "python_path": [str(tmp_path)]}
    code, _, err = run_worker(document, extra=CUT_OFF)
    assert (code, err) == (0, "")


def test_a_worker_ends_although_user_threads_do_not(tmp_path):
    (tmp_path / "my_functions.py").write_text(USER_MODULE)
    entry = {"id": "python", "options": {"modules": ["my_functions"]}}
    document = {**DOCUMENT, "frameworks": [entry], "python_path": [str(tmp_path)]}
    code, out, err = run_worker(document, extra=PLAYED_HOST.replace("where", "linger") + HASTE)
    assert (code, err) == (0, "")
    assert json.loads(out.splitlines()[-1]) == ["drained"]


def test_importing_the_package_is_cheap():
    script = (
        "import sys, time; sys.path[:0] = [sys.argv[1]]; t = time.perf_counter();"
        "import snakepit_bridge;"
        "print(time.perf_counter() - t, 'pydantic' in sys.modules, 'asyncio' in sys.modules)"
    )
    best = 10.0
    deadline = time.monotonic() + 20
    while best > 0.05 and time.monotonic() < deadline:
        command = [sys.executable, "-c", script, str(TESTS.parent)]
        took, *loaded = subprocess.check_output(command, timeout=60).decode().split()
        assert loaded == ["False", "False"]
        best = min(best, float(took))
    assert best <= 0.05


CONNECT_REFUSED = """
from snakepit_bridge import _native
if "connect" not in dir(_native):
    def connect(*_):
        raise ConnectionError("nobody listens")
    _native.connect = connect
"""

USER_MODULE = """
import threading, time
import snakepit_bridge

@snakepit_bridge.function
def where() -> dict[str, str]:
    return {"thread": threading.current_thread().name}

@snakepit_bridge.function
def linger() -> None:
    threading.Thread(target=hang).start()

@snakepit_bridge.function
def hang() -> None:
    while True:
        time.sleep(1)
"""

PLAYED_HOST = """
import json, threading
from fake_link import FakeLink
from snakepit_bridge import _native

def connect(socket, token, runtime, frameworks, timeout_ms):
    threads = threading.active_count()
    say("connect", socket, token.hex(), [each[0] for each in frameworks], threads)
    link = FakeLink()
    link.answers = Said()
    link.call(1, "where", framework="python")
    link.drain()
    return link

def say(*what):
    print(json.dumps(what), file=sys.__stdout__, flush=True)

class Said:
    def put(self, answer):
        say(*answer[:3])

_native.connect = connect
"""

HASTE = """
from snakepit_bridge import worker
worker.END_SECONDS_MAX = 0.2
"""

CUT_OFF = """
from fake_link import FakeLink
from snakepit_bridge import _native

def connect(*_):
    link = FakeLink()
    link.call(1, "hang", framework="python")
    link.cut()
    return link

_native.connect = connect
"""
