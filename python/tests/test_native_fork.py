"""Forks: before `connect` everything works in the child, after it the child is told and nothing
hangs.

Each test is a fresh interpreter, because a fork copies whatever pytest has running."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from native_host import TOKEN, WAIT_S, Host, call

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


def run(script: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_template_imports_forks_and_the_child_connects(host):
    script = """
import os, sys, threading
from snakepit_bridge import _native
assert threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1
pid = os.fork()
if pid:
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    link = _native.connect(sys.argv[1], bytes.fromhex(sys.argv[2]), "fork", [], 10_000)
    while (frames := link.next_batch(64, 1000)) is not None:
        for frame in frames:
            if frame[0] == "drain":
                link.send_drained()
                link.close()
            else:
                link.send_result(frame[1], frame[5], [])
    os._exit(0)
"""
    process = run(script, host.socket, TOKEN.hex())
    hello = host.expect("hello")
    assert hello["pid"] != process.pid
    host.send(call(1, "[1]"))
    assert host.expect("result")["payload"]["json"] == "[1]"
    host.send({"kind": "drain"})
    host.expect("drained")
    assert process.communicate(timeout=WAIT_S)[0].strip() == "0"


def test_a_child_forked_after_connect_is_told_and_the_parent_goes_on(host):
    script = """
import os, sys
from snakepit_bridge import _native
link = _native.connect(sys.argv[1], bytes.fromhex(sys.argv[2]), "parent", [], 10_000)
call = None
while not call:
    call = link.next_batch(1, 1000)
request = link.state_get(call[0][1], "v")
pid = os.fork()
if pid == 0:
    refused = 0
    uses = [
        lambda: link.next_batch(1, 0), lambda: link.send_result(1, b"0", []),
        lambda: link.send_error(1, 20, "x"), lambda: link.send_chunk(1, b"0", []),
        lambda: link.call_tool(1, "t", b"{}", []), lambda: link.is_cancelled(1),
        lambda: link.send_drained(), lambda: request.next(0), lambda: request.arm(),
        lambda: request.cancel(), lambda: link.arm_credit(1), lambda: link.frames_ignored,
    ]
    for use in uses:
        try:
            use()
        except _native.LinkClosed as error:
            refused += "parent process" in str(error)
    link.log(0, 20, "t", "m")
    link.close()
    del request, link, uses
    print(refused, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
link.send_result(call[0][1], b'"alive"', [])
link.close()
"""
    process = run(script, host.socket, TOKEN.hex())
    host.expect("hello")
    host.send(call(1))
    host.expect("state_request")
    assert host.expect("result")["payload"]["json"] == '"alive"'
    host.expect("closed")
    assert process.communicate(timeout=WAIT_S)[0].strip() == "12"
    assert process.returncode == 0


def test_an_interpreter_that_ends_with_an_open_link_ends(host):
    script = """
import sys, threading
from snakepit_bridge import _native
link = _native.connect(sys.argv[1], bytes.fromhex(sys.argv[2]), "short", [], 10_000)
threading.Thread(target=link.next_batch, args=(1, 600_000), daemon=True).start()
kept = link
"""
    process = run(script, host.socket, TOKEN.hex())
    host.expect("hello")
    host.expect("closed")
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
