"""The worker process: `python -m snakepit_bridge.worker`, started by the platform.

Owns the order of a worker's life: handoff, imports, frameworks, connection, dispatch, end, and its
exit codes. Until `connect` there is no thread and no connection, so that a template process may do
everything before it once and fork. Must not know what the frameworks are.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import platform
import signal
import sys
import threading
import traceback
from typing import Any

import orjson

from . import _native, handoff
from .dispatch import Dispatcher
from .frameworks import Framework, FrameworkLoadError, Operation, load
from .handoff import Handoff, HandoffError
from .logs import Capture


class Prepared:
    """A worker that has imported everything and started its frameworks, and knows no host yet."""

    def __init__(self, told: Handoff) -> None:
        self.frameworks: list[Framework] = []
        self.operations: dict[str, dict[str, Operation]] = {}
        self.announced: list[tuple[str, str, bytes]] = []
        # For people: "CPython 3.11.7".
        self.runtime = f"{platform.python_implementation()} {platform.python_version()}"
        sys.path[:0] = told.python_path
        for entry in told.frameworks:
            self._add(entry)
        # What is loaded now stays: the collector need not look at it again, nor a forked child copy
        # it.
        gc.collect()
        gc.freeze()

    def _add(self, entry: handoff.FrameworkEntry) -> None:
        framework = load(entry.id)
        try:
            framework.start(entry.options)
            operations = framework.operations()
            schema = orjson.dumps(framework.schema(operations))
            version = framework.version()
        except (Exception, SystemExit) as fault:
            message = f"framework {entry.id!r} cannot be started: {fault}"
            raise FrameworkLoadError(message) from fault
        self.frameworks.append(framework)
        self.operations[entry.id] = operations
        self.announced.append((entry.id, version, schema))


def main() -> int:
    """Runs a worker from the handoff to its end; returns the exit code."""
    # Also what the platform has a worker print before it kills one that shows no sign of life.
    faulthandler.enable(sys.__stderr__)
    # The default handler would raise KeyboardInterrupt in the middle of the dispatch loop.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        told = handoff.read(HANDOFF_FD)
    except HandoffError as fault:
        return complain(EXIT_HANDOFF, str(fault))
    prepared = prepare(told)
    if isinstance(prepared, int):
        return prepared
    return serve(told, *prepared)


def prepare(told: Handoff) -> tuple[Prepared, Capture] | int:
    """Everything that needs no host: imports, frameworks, logging. An exit code where it fails."""
    sys.setswitchinterval(told.switch_interval_ms / 1000)
    capture = Capture(told.log_level)
    try:
        return Prepared(told), capture
    except FrameworkLoadError as fault:
        return complain(EXIT_FRAMEWORK, str(fault), fault.__cause__)


def serve(told: Handoff, prepared: Prepared, capture: Capture) -> int:
    """Connects and serves until drained or cut off; returns the exit code, or leaves the
    process.
    """
    try:
        link = _native.connect(
            told.socket,
            told.token,
            prepared.runtime,
            prepared.announced,
            told.connect_timeout_ms,
        )
    except ConnectionError as fault:
        return complain(EXIT_CONNECT, f"no connection to the platform: {fault}")
    capture.attach(link)
    drained = Dispatcher(link, prepared.operations, told.threads_max).run()
    capture.detach()
    # What does not end by itself (a framework's stop, threads of user code) ends then.
    last = threading.Timer(END_SECONDS_MAX, os._exit, (0,))
    last.daemon = True
    last.start()
    for framework in prepared.frameworks:
        _stop(framework)
    if not drained:
        # Handlers may still run, and nobody is left to wait for them.
        _flush()
        os._exit(0)
    return 0


def _stop(framework: Framework) -> None:
    try:
        framework.stop()
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)


def complain(code: int, message: str, cause: BaseException | None = None) -> int:
    """One line for people and log scanners, then the traceback behind it."""
    with contextlib.suppress(Exception):
        print(f"snakepit-bridge worker: {message}", file=sys.__stderr__)
        if cause is not None:
            traceback.print_exception(cause, file=sys.__stderr__)
    _flush()
    return code


def _flush() -> None:
    streams: tuple[Any, ...] = (sys.__stdout__, sys.__stderr__)
    for stream in streams:
        with contextlib.suppress(Exception):
            stream.flush()


HANDOFF_FD = 3

# From the end of the link to the end of the process.
END_SECONDS_MAX = 5.0

EXIT_HANDOFF = 2
EXIT_FRAMEWORK = 3
EXIT_CONNECT = 4

if __name__ == "__main__":
    sys.exit(main())
