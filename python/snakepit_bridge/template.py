"""The template process: `python -m snakepit_bridge.template`, started by the platform.

It prepares once what every worker of its pool needs, and then forks a worker for each request on
its socket. Owns the requests, the guards it has made, and what makes a fork a worker: what it has
to give up of the template, its environment, its randomness. Must not know what the frameworks are,
nor what a worker does.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import socket
import sys
import threading
from typing import Any

import orjson

from . import _native, handoff, huge_pages, worker
from .environment import Inherited
from .handoff import Handoff, HandoffError
from .rehearsal import rehearse


def main() -> int:
    """Runs a template, and in each fork a worker; returns the exit code."""
    faulthandler.enable(sys.__stderr__)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        told = handoff.read_template(worker.HANDOFF_FD)
    except HandoffError as fault:
        return worker.complain(worker.EXIT_HANDOFF, str(fault))
    # Before anything is imported that might start a program.
    os.set_inheritable(SOCKET_FD, False)
    rehearse()
    prepared = worker.prepare(told)
    if isinstance(prepared, int):
        return prepared
    huge_pages.gather()
    forked = Template(socket.socket(fileno=SOCKET_FD)).serve()
    if forked is None:
        return 0
    return worker.serve(forked, *prepared)


class Template:
    """The fork loop. `serve` returns in every worker, and once in the template itself."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        # The guards, each by a descriptor that is readable when it has ended.
        self._guards: dict[int, int] = {}
        self._pid = os.getpid()
        self._environment = Inherited()
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)

    def serve(self) -> Handoff | None:
        """In a worker: what it was told. In the template: None, when the host has left."""
        self._requests.send(b'"ready"')
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._requests.fileno():
                    self._reap(descriptor)
                    continue
                text, descriptors, _, _ = socket.recv_fds(self._requests, MESSAGE_BYTES_MAX, 4)
                if not text:
                    return None
                told = self._fork(orjson.loads(text), descriptors)
                if told is not None:
                    return told

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> Handoff | None:
        """In the worker: what it was told."""
        others = other_threads()
        if others:
            error = f"it has other threads, which a fork would lose: {', '.join(others)}"
            self._reply({"refused": {"id": request["id"], "error": error}})
            _close(descriptors)
            return None
        _flush()
        try:
            guard, told = self._divide(request, descriptors)
        except OSError as fault:
            self._reply({"refused": {"id": request["id"], "error": f"cannot fork: {fault}"}})
            _close(descriptors)
            return None
        if told is not None:
            return self._become_worker(*told, descriptors)
        process = os.pidfd_open(guard)
        _close(descriptors)
        self._guards[process] = guard
        self._poll.register(process, select.POLLIN)
        self._reply({"forked": {"id": request["id"], "pid": guard}}, process)
        return None

    def _divide(
        self, request: dict[str, Any], descriptors: list[int]
    ) -> tuple[int, tuple[bytes, bytes, bytes] | None]:
        """The guard, or in the worker what it sent; does what `os.fork` does beside forking."""
        python = ctypes.pythonapi
        python.PyOS_BeforeFork()
        try:
            guard, told = _native.divide(request["guard"], request["labels"], descriptors)
        except BaseException:
            if os.getpid() != self._pid:
                os._exit(EXIT_FORK)
            python.PyOS_AfterFork_Parent()
            raise
        if told is None:
            python.PyOS_AfterFork_Parent()
        else:
            python.PyOS_AfterFork_Child()
        return guard, told

    def _reply(self, reply: dict[str, Any], *descriptors: int) -> None:
        socket.send_fds(self._requests, [orjson.dumps(reply)], descriptors)

    def _reap(self, process: int) -> None:
        self._poll.unregister(process)
        os.close(process)
        os.waitpid(self._guards.pop(process), 0)

    def _become_worker(
        self, text: bytes, environment: bytes, directory: bytes, descriptors: list[int]
    ) -> Handoff:
        try:
            # What it has of the template.
            _close(descriptors)
            _close(list(self._guards))
            self._requests.close()
            self._environment.replace(environment)
            if directory:
                os.chdir(directory)
            _reseed()
            return handoff.parse(text)
        except BaseException as fault:
            # The start's failure shows it.
            os.write(2, f"snakepit-bridge template: {fault!r}\n".encode())
            os._exit(EXIT_FORK)


def other_threads() -> list[str]:
    """Every thread of this process but the calling one, by name."""
    entries = os.listdir("/proc/self/task")
    if len(entries) == 1:
        return []
    own = threading.get_native_id()
    named = {thread.native_id: thread.name for thread in threading.enumerate()}
    others = []
    for entry in entries:
        if int(entry) == own:
            continue
        with contextlib.suppress(OSError), open(f"/proc/self/task/{entry}/comm") as comm:
            others.append(named.get(int(entry)) or f"{comm.read().strip()} (not Python's)")
    return others


def _reseed() -> None:
    """Workers must not share their random numbers. Python's own module and OpenSSL see to that
    themselves; these do not.
    """
    for name in ("numpy.random", "torch"):
        module = sys.modules.get(name)
        if module is not None:
            with contextlib.suppress(Exception):
                module.seed()


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()


SOCKET_FD = 4
MESSAGE_BYTES_MAX = 16 * 1024
EXIT_FORK = 5

if __name__ == "__main__":
    sys.exit(main())
