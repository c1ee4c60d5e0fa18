"""The platform's end of the link for tests: starts `examples/test_host` and speaks to it.

The host is a process of its own, so that it can be killed, and so that a held GIL holds nothing of
it. Build it with `cargo build -p snakepit_bridge_native --example test_host`; SPB_TEST_HOST names
it elsewhere."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from snakepit_bridge import _native

TOKEN = bytes(range(32))
SCHEMAS = [("python", "1", b'{"id":"python"}')]
WAIT_S = 30.0


def program() -> Path:
    """The test host, or a clear failure."""
    root = Path(__file__).resolve().parents[2]
    target = Path(os.environ.get("CARGO_TARGET_DIR") or root / "target")
    named = os.environ.get("SPB_TEST_HOST")
    built = [target / profile / "examples/test_host" for profile in ("release", "debug")]
    places = [Path(named)] if named else built
    found = [place for place in places if place.is_file()]
    if not found:
        raise RuntimeError(f"no test host at {places}; see {__file__}")
    return max(found, key=lambda place: place.stat().st_mtime)


class Host:
    """One running test host: `send` frames to the worker, `expect` what the worker sent."""

    def __init__(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="spb-native-")
        self.socket = os.path.join(self.directory.name, "bridge.sock")
        self.process = subprocess.Popen(
            [program(), self.socket, TOKEN.hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.events: queue.Queue[dict] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.expect("listening")

    def connect(self, **changed: object) -> _native.Link:
        arguments = {
            "socket_path": self.socket,
            "token": TOKEN,
            "runtime": "CPython test",
            "frameworks": SCHEMAS,
            "timeout_ms": 10_000,
        }
        return _native.connect(**(arguments | changed))

    def attached(self) -> _native.Link:
        """A connected link, its hello already taken."""
        link = self.connect()
        self.expect("hello")
        return link

    def send(self, *frames: dict) -> None:
        """All frames in one message."""
        self.command({"frames": list(frames)})

    def command(self, command: dict) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def expect(self, event: str, wait_s: float = WAIT_S) -> dict:
        """The next event, which must be of this name."""
        got = self.next(wait_s)
        assert got["event"] == event, got
        return got

    def next(self, wait_s: float = WAIT_S) -> dict:
        return self.events.get(timeout=wait_s)

    def until(self, event: str) -> list[dict]:
        """All events up to the first of this name."""
        events = [self.next()]
        while events[-1]["event"] != event:
            events.append(self.next())
        return events

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)

    def close(self) -> None:
        self.kill()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.reader.join(WAIT_S)
        self.process.stdout.close()
        self.directory.cleanup()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put(json.loads(line))


def call(call_id: int, text: str = "null", **more: object) -> dict:
    """A call frame."""
    frame = {"kind": "call", "call_id": call_id, "session": "s", "framework": "python"}
    return frame | {"operation": "op", "json": text} | more


def batch(link: _native.Link, count: int) -> list[tuple]:
    """The next `count` frames, over as many batches as they come in."""
    frames: list[tuple] = []
    ends = time.monotonic() + WAIT_S
    while len(frames) < count:
        assert time.monotonic() < ends, frames
        more = link.next_batch(count - len(frames), 1000)
        assert more is not None, frames
        frames += more
    return frames


def echo(link: _native.Link) -> None:
    """Answers every call with its parameters until the link closes."""
    while (frames := link.next_batch(256, 1000)) is not None:
        for frame in frames:
            if frame[0] == "call":
                link.send_result(frame[1], frame[5], [])


def in_thread(target, *args) -> tuple[threading.Thread, list]:
    """Runs `target`; the list gets its result or its exception."""
    outcome: list = []

    def run() -> None:
        try:
            outcome.append(target(*args))
        except BaseException as error:  # whatever it is, the test looks at it
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def joined(started: tuple[threading.Thread, list]) -> object:
    """What the thread of `in_thread` came to."""
    thread, outcome = started
    thread.join(WAIT_S)
    assert not thread.is_alive(), "thread still waits"
    return outcome[0]
