"""The template process: `python -m snakepit_bridge.template`, started by the platform.

It prepares once what every worker of its pool needs, and then forks a worker for each request on
its socket. Owns the two forks, and what makes a fork a worker: its standard streams, its death with
its guard, its environment, its randomness. Must not know what the frameworks are, nor what a worker
does.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import fcntl
import os
import select
import signal
import socket
import sys
import threading
from typing import Any

import orjson

from . import handoff, huge_pages, worker
from .handoff import Handoff, HandoffError


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
        self._prctl = ctypes.CDLL(None).prctl
        self._prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
        # Keeps the lock of the interpreter, which the child then holds as well.
        self._bare_fork = ctypes.PyDLL(None).fork
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
        # Without what Python and its libraries do after a fork: this child forks once more and is
        # then another program, and each page that it wrote on would be copied for nothing.
        guard = self._bare_fork()
        if guard == 0:
            told = self._become_guard(request, descriptors)
            # Only the worker comes here.
            return told
        process = os.pidfd_open(guard)
        _close(descriptors)
        self._guards[process] = guard
        self._poll.register(process, select.POLLIN)
        self._reply({"forked": {"id": request["id"], "pid": guard}}, process)
        return None

    def _reply(self, reply: dict[str, Any], *descriptors: int) -> None:
        socket.send_fds(self._requests, [orjson.dumps(reply)], descriptors)

    def _reap(self, process: int) -> None:
        self._poll.unregister(process)
        os.close(process)
        os.waitpid(self._guards.pop(process), 0)

    def _become_guard(self, request: dict[str, Any], descriptors: list[int]) -> Handoff:
        """Forks the worker, where it returns, and executes the guard."""
        try:
            return self._divide(request, descriptors)
        except BaseException as fault:
            # The guard's standard error is the worker's: the start's failure shows it.
            os.write(2, f"snakepit-bridge template: {fault!r}\n".encode())
            os._exit(EXIT_FORK)

    def _divide(self, request: dict[str, Any], descriptors: list[int]) -> Handoff:
        control, stdout, stderr, _ = descriptors
        go, wait = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        guard = os.getpid()
        forked = os.fork()
        if forked == 0:
            go.close()
            _close(descriptors)
            self._leave()
            return self._become_worker(guard, wait)
        # Above all that is placed, so that nothing is overwritten before it is moved.
        moved = [_above(descriptor) for descriptor in (control, go.fileno(), descriptors[3])]
        for descriptor, place in zip(moved, GUARD_PLACES, strict=True):
            os.dup2(descriptor, place)
        arguments = [request["guard"], "--adopt", str(forked), *request["labels"]]
        os.execve(request["guard"], arguments, {})

    def _leave(self) -> None:
        """What a worker has of the template."""
        _close(list(self._guards))
        self._requests.close()

    def _become_worker(self, guard: int, wait: socket.socket) -> Handoff:
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(EXIT_FORK)
        os.setpgid(0, 0)
        message, files, _, _ = socket.recv_fds(wait, MESSAGE_BYTES_MAX, 2)
        wait.close()
        if not message:
            os._exit(EXIT_FORK)
        text, environment = (_contents(descriptor) for descriptor in files)
        _set_environment(environment)
        if message[1:]:
            os.chdir(message[1:])
        _reseed()
        return handoff.parse(text)


def other_threads() -> list[str]:
    """Every thread of this process but the calling one, by name."""
    own = threading.get_native_id()
    named = {thread.native_id: thread.name for thread in threading.enumerate()}
    others = []
    for entry in os.listdir("/proc/self/task"):
        if int(entry) == own:
            continue
        with contextlib.suppress(OSError), open(f"/proc/self/task/{entry}/comm") as comm:
            others.append(named.get(int(entry)) or f"{comm.read().strip()} (not Python's)")
    return others


def _set_environment(block: bytes) -> None:
    """Makes `block`, entries that end with a zero byte, the whole environment, also as others see
    it where that is possible: a descendant is found by it.
    """
    wanted = dict(entry.split(b"=", 1) for entry in block.split(b"\0") if entry)
    changed = {name: value for name, value in wanted.items() if os.environb.get(name) != value}
    for name in [name for name in os.environb if name not in wanted]:
        del os.environb[name]
    for name, value in changed.items():
        os.environb[name] = value
    with contextlib.suppress(OSError, ValueError, IndexError):
        _show_environment(changed)


def _show_environment(changed: dict[bytes, bytes]) -> None:
    """Overwrites in the block that the kernel shows what fits in its old place."""
    with open("/proc/self/stat", "rb") as stat:
        start, end = map(int, stat.read().rpartition(b")")[2].split()[47:49])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        offset = start
        for entry in memory.read(end - start).split(b"\0"):
            name, _, old = entry.partition(b"=")
            value = changed.get(name)
            if value is not None and len(value) <= len(old):
                memory.seek(offset)
                memory.write(name + b"=" + value.ljust(len(old), b"\0"))
            offset += len(entry) + 1


def _reseed() -> None:
    """Workers must not share their random numbers. Python's own module and OpenSSL see to that
    themselves; these do not.
    """
    for name in ("numpy.random", "torch"):
        module = sys.modules.get(name)
        if module is not None:
            with contextlib.suppress(Exception):
                module.seed()


def _contents(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _above(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()


SOCKET_FD = 4
# Where a guard in the place of a forked process looks for the socket to its host, for its end of
# the pair that the worker waits at, and for the host's process.
GUARD_PLACES = (0, 3, 4)
MESSAGE_BYTES_MAX = 16 * 1024
PR_SET_PDEATHSIG = 1
EXIT_FORK = 5

if __name__ == "__main__":
    sys.exit(main())
