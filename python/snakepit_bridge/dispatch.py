"""The dispatch loop: frames from the host to the threads, the event loop, and the calls that run.

Owns the calls in progress, who listens, drain, and the end of the link. Two threads of the pool
listen, and frames go to one of them at a time. A plain call that comes alone is run by the thread
that heard it, while the other one listens: on the way of such a call no thread is woken. Nothing
that a handler does can end the loop. Must not know how one call is run.
"""

from __future__ import annotations

import functools
import threading
from time import monotonic
from typing import Any

from . import _native
from .bridge import Bridge
from .calls import Calls
from .context import CallContext
from .errors import NotFound, ResourceExhausted, Status
from .frameworks.base import Operation
from .loop import EventLoop, Start
from .threads import ThreadPool, guarded

Alone = tuple[CallContext, Operation, Any, Any]


class Dispatcher:
    """Runs everything that one link delivers. `operations` are found by framework id, then
    by name.
    """

    def __init__(
        self, link: Any, operations: dict[str, dict[str, Operation]], threads_max: int
    ) -> None:
        self._link = link
        self._operations = operations
        self._threads = ThreadPool(threads_max)
        self._bridge = Bridge(link, self._threads)
        self._loop = EventLoop(self._bridge)
        self._calls = Calls(self._bridge, self._ended)
        self._running: dict[int, CallContext] = {}
        self._draining = False
        self._drained = False
        self._drain_lock = threading.Lock()
        self._listen_lock = threading.Lock()
        self._listening = 0
        self._finished = threading.Event()
        self._crash: BaseException | None = None

    def run(self) -> bool:
        """Serves until the link closes. True after a drain: then no call is left running."""
        for _ in range(LISTENERS):
            self._threads.submit(self._listen)
        self._finished.wait()
        if self._crash is not None:
            raise self._crash
        for call in list(self._running.values()):
            call.note_cancel(Status.CANCELLED)
        self._loop.stop(LOOP_STOP_SECONDS_MAX)
        self._threads.stop()
        return self._drained

    def _listen(self) -> None:
        """Takes batches on a pool thread, and runs plain calls that come alone, until the link ends
        or others listen enough.
        """
        while self._begin_to_listen():
            try:
                alone = self._next_alone()
            except BaseException as fault:
                self._crash = fault
                alone = None
            if alone is None:
                self._finished.set()
                return
            guarded(self._calls.run, *alone)
            del alone

    def _next_alone(self) -> Alone | None:
        """Passes frames on until a call came that is for this thread, which then no longer
        listens; `None` once the link is closed.
        """
        next_batch = self._link.next_batch
        while True:
            batch = next_batch(FRAMES_MAX, WAIT_MS)
            if batch is None:
                self._end_listening()
                return None
            alone = self._take(batch) if batch else None
            # What came may be large, and is not to lie here until more comes.
            del batch
            if alone is not None:
                return alone

    def _begin_to_listen(self) -> bool:
        with self._listen_lock:
            if self._listening >= LISTENERS:
                return False
            self._listening += 1
        self._threads.block()
        self._bridge.dispatch_threads.add(threading.get_ident())
        return True

    def _end_listening(self) -> None:
        self._bridge.dispatch_threads.discard(threading.get_ident())
        self._threads.unblock()
        with self._listen_lock:
            self._listening -= 1

    def _hand_over(self) -> bool:
        """Leaves listening to another thread, if one does: this one is then free for a call."""
        with self._listen_lock:
            if self._listening < LISTENERS or not self._threads.unblock_if_room():
                return False
            self._listening -= 1
        self._bridge.dispatch_threads.discard(threading.get_ident())
        self._link.pass_on()
        return True

    def _take(self, batch: list[tuple[Any, ...]]) -> Alone | None:
        """Passes the frames on; what it returns is for this thread, which no longer listens."""
        alone: Alone | None = None
        starts: list[Start] = []
        cancels: list[int] = []
        ready: list[int] = []
        credit: list[int] = []
        lone = len(batch) == 1
        now = monotonic()
        for frame in batch:
            kind = frame[0]
            if kind == "call":
                alone = self._call(frame, now, starts, lone)
            elif kind == "ready":
                ready.append(frame[1])
            elif kind == "credit":
                credit.append(frame[1])
            elif kind == "cancel":
                self._cancel(frame[1], frame[2])
                cancels.append(frame[1])
            elif kind == "drain":
                self._draining = True
        if starts or cancels or ready or credit:
            self._loop.post(starts, cancels, ready, credit)
        if self._draining:
            self._drain_when_idle()
        return alone

    def _call(
        self, frame: tuple[Any, ...], now: float, starts: list[Start], lone: bool
    ) -> Alone | None:
        _, call_id, _, framework, name, json, attachments, _, _, _ = frame
        self._running[call_id] = call = CallContext(self._bridge, frame, now)
        operation = self._operations.get(framework, _NONE).get(name)
        if operation is None:
            self._calls.fail(call, self._unknown(framework, name))
        elif operation.inline:
            self._calls.run(call, operation, json, attachments)
        elif operation.asynchronous:
            make = functools.partial(self._calls.arun, call, operation, json, attachments)
            starts.append((call_id, make, functools.partial(self._calls.fail, call)))
        elif lone and self._hand_over():
            return call, operation, json, attachments
        else:
            try:
                self._threads.submit(self._calls.run, call, operation, json, attachments)
            except RuntimeError as fault:
                self._calls.fail(call, ResourceExhausted(f"call cannot run: {fault}"))
        return None

    def _cancel(self, call_id: int, reason: int) -> None:
        call = self._running.get(call_id)
        if call is not None:
            call.note_cancel(reason)

    def _ended(self, call_id: int) -> None:
        """From any thread, after the answer was sent."""
        self._running.pop(call_id, None)
        if self._draining:
            self._drain_when_idle()

    def _drain_when_idle(self) -> None:
        # Both the last call and the drain frame look, and exactly one of them finds the other's
        # mark.
        with self._drain_lock:
            if self._drained or self._running:
                return
            self._drained = True
        try:
            self._link.send_drained()
        except _native.LinkClosed:
            return
        self._link.close()

    def _unknown(self, framework: str, name: str) -> NotFound:
        known = self._operations.get(framework)
        if known is None:
            message = f"framework {framework!r} is not loaded here"
            return NotFound(message, details={"framework": framework})
        message = f"framework {framework!r} has no operation {name!r}"
        return NotFound(message, details={"framework": framework, "operation": name})


# Frames taken at once, as the host sends them at most.
FRAMES_MAX = 256
# How long one wait for frames lasts; between two of them Python's own signal handlers get their
# turn.
WAIT_MS = 1000
# Threads that listen: one hears, and the other takes its place while it runs what it heard.
LISTENERS = 2
# What tasks get to end when the link is gone.
LOOP_STOP_SECONDS_MAX = 1.0

_NONE: dict[str, Operation] = {}
