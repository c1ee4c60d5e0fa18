"""The template process: what it is told, when it refuses to fork, and when it ends."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from snakepit_bridge import handoff, template
from snakepit_bridge.handoff import HandoffError

TESTS = Path(__file__).parent
DOCUMENT = {"frameworks": [{"id": "python", "options": {"modules": []}}], "log_level": "info"}


def start(document):
    """A template with `document` on descriptor 3, and our end of its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(60)
    reading, writing = os.pipe()
    os.write(writing, json.dumps(document).encode())
    os.close(writing)
    script = (
        "import fcntl, os, sys;"
        "told, requests = (fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3]);"
        "os.dup2(told, 3); os.dup2(requests, 4); sys.path[:0] = [sys.argv[3]]; import conftest;"
        "from snakepit_bridge.template import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", script, str(reading), str(theirs.fileno()), str(TESTS)]
    process = subprocess.Popen(
        command, pass_fds=(reading, theirs.fileno()), stderr=subprocess.PIPE, text=True
    )
    os.close(reading)
    theirs.close()
    return process, ours


def test_it_is_told_what_to_prepare_and_no_secret():
    told = handoff.parse(json.dumps(DOCUMENT).encode(), needed=frozenset({"frameworks"}))
    assert (told.token, told.socket) == (b"", "")
    with pytest.raises(HandoffError, match="lacks socket"):
        handoff.parse(json.dumps(DOCUMENT).encode())


def test_it_is_ready_when_prepared_and_ends_when_the_host_leaves():
    process, host = start(DOCUMENT)
    assert json.loads(host.recv(1024)) == "ready"
    host.shutdown(socket.SHUT_WR)
    assert process.wait(60) == 0
    process.stderr.close()


def test_a_framework_that_cannot_be_loaded_is_told_as_by_a_worker():
    process, host = start({"frameworks": [{"id": "no_such_framework", "options": {}}]})
    assert host.recv(1024) == b""
    complaint = process.stderr.read()
    assert process.wait(60) == 3
    process.stderr.close()
    assert "no_such_framework" in complaint


def test_other_threads_are_named():
    assert "lonely" not in template.other_threads()
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="lonely")
    thread.start()
    try:
        assert "lonely" in template.other_threads()
    finally:
        ended.set()
        thread.join()


def test_an_environment_block_is_taken_whole_and_shown_where_it_fits():
    script = (
        "from snakepit_bridge.environment import Inherited; import os;"
        "Inherited().replace(b'MARK=b\\0LONG=' + b'y' * 40 + b'\\0NEW=n\\0');"
        "print(sorted(os.environ.items()));"
        "print(open('/proc/self/environ', 'rb').read().split(b'\\0'))"
    )
    environment = {"MARK": "aaaa", "LONG": "x", "GONE": "g", "PYTHONPATH": str(TESTS.parent)}
    command = [sys.executable, "-c", script]
    taken, shown = subprocess.check_output(command, env=environment, text=True).splitlines()
    assert taken == str([("LONG", "y" * 40), ("MARK", "b"), ("NEW", "n")])
    assert "b'MARK=b'" in shown
    assert "b'LONG=x'" in shown


def test_forks_do_not_share_random_numbers():
    # Python's own module sees to it; the template relies on that.
    before = random.random
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, repr(before()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert float(os.read(reading, 64)) != before()
    os.close(reading)
    os.close(writing)
