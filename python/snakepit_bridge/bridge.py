"""One worker's way to the host: opening requests, waiting for their items, turning faults into
exceptions.

Owns the rule who may wait where: pool threads block (and are replaced while they do), the event
loop awaits, the dispatch thread never waits. Must not know what the requests mean or how values are
written.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from . import _native
from .errors import (
    BridgeError,
    ConnectionClosed,
    StateError,
    Status,
    ValueRefused,
    WouldDeadlock,
    cancelled_error,
    error_from_wire,
)

if TYPE_CHECKING:
    from .context import CallContext

Item = tuple[Any, ...]


class Waiters(Protocol):
    """What the thread pool offers to a thread that is about to block on the host."""

    def block(self) -> None:
        """The calling thread no longer counts as running."""

    def unblock(self) -> None:
        """It runs again."""


class Bridge:
    """What all calls of one worker share: the link, the pool and the event loop's wake-ups."""

    def __init__(self, link: Any, threads: Waiters) -> None:
        self.link = link
        self.pass_chunk: Callable[..., bool] = link.try_send_plain_chunk
        self.value_bytes_max: int = link.value_bytes_max
        self.threads = threads
        self.loop_thread_id: int | None = None
        self._chunks_since_yield = 0
        self.dispatch_threads: set[int] = set()
        self._ready: dict[int, asyncio.Future[None]] = {}
        self._credit: dict[int, asyncio.Future[None]] = {}

    def open(self, call: CallContext, start: Callable[..., Any], *arguments: Any) -> Any:
        """Starts a request of `call`; refuses when the call has ended or was cancelled."""
        call.check_open()
        try:
            return start(call.call_id, *arguments)
        except _FAULTS as fault:
            raise translated(call, fault) from None

    def cached(self, call: CallContext, name: str) -> Item | None:
        """The variable if it was read before and has not changed since. Never waits."""
        call.check_open()
        try:
            item: Item | None = self.link.state_cached(call.call_id, name)
        except _FAULTS as fault:
            raise translated(call, fault) from None
        return item

    def wait(self, call: CallContext, request: Any) -> Item:
        """Blocks until the next item. Ended by the answer, cancel, deadline or the end of
        the link.
        """
        self.refuse_blocking()
        self.threads.block()
        try:
            item = request.next(None)
        except _FAULTS as fault:
            raise translated(call, fault) from None
        finally:
            self.threads.unblock()
        return checked(item)

    async def next(self, call: CallContext, request: Any) -> Item:
        """As `wait`, for code on the event loop."""
        try:
            while (item := request.try_next()) is None:
                await self._armed(self._ready, request.id, request.arm)
        except asyncio.CancelledError:
            self._ready.pop(request.id, None)
            request.cancel()
            raise
        except _FAULTS as fault:
            raise translated(call, fault) from None
        return checked(item)

    def send_chunk(self, call: CallContext, json: bytes, attachments: list[Any]) -> None:
        """Sends one chunk, blocking while the consumer has granted no credit. To be asked first is
        `refuse_blocking`.
        """
        try:
            if self.link.try_send_chunk(call.call_id, json, attachments):
                return
            self.threads.block()
            try:
                self.link.send_chunk(call.call_id, json, attachments)
            finally:
                self.threads.unblock()
        except _FAULTS as fault:
            raise translated(call, fault) from None

    async def asend_chunk(self, call: CallContext, json: bytes, attachments: list[Any]) -> None:
        """As `send_chunk`, for code on the event loop."""
        call_id = call.call_id
        try:
            while not self.link.try_send_chunk(call_id, json, attachments):
                await self._armed(self._credit, call_id, lambda: self.link.arm_credit(call_id))
            self._chunks_since_yield += 1
            if self._chunks_since_yield >= CHUNKS_PER_YIELD:
                # With credit at hand nothing above suspends, and the other tasks want their turn.
                self._chunks_since_yield = 0
                await asyncio.sleep(0)
        except _FAULTS as fault:
            raise translated(call, fault) from None

    def wake(self, ready: list[int], credit: list[int]) -> None:
        """Resumes the coroutines behind `ready` and `credit` frames. Runs on the event loop."""
        for waiting, numbers in ((self._ready, ready), (self._credit, credit)):
            for number in numbers:
                _resolve(waiting.pop(number, None))

    def forget(self, call_id: int) -> None:
        """Drops what an ended call still waited for. Runs on the event loop."""
        _resolve(self._credit.pop(call_id, None))

    def wake_all(self) -> None:
        """Resumes every coroutine, because the link has ended. Runs on the event loop."""
        for waiting in (self._ready, self._credit):
            while waiting:
                _resolve(waiting.popitem()[1])

    def may_block(self) -> bool:
        """Whether the calling thread may wait for the host."""
        here = threading.get_ident()
        return here != self.loop_thread_id and here not in self.dispatch_threads

    def refuse_blocking(self) -> None:
        """Raises where a blocking wait would stop the thread that has to deliver the answer."""
        here = threading.get_ident()
        if here == self.loop_thread_id:
            raise WouldDeadlock(
                "a blocking bridge call on the event loop; await its twin (acall, aget, aemit)"
            )
        if here in self.dispatch_threads:
            raise WouldDeadlock(
                "an inline operation may not wait for the host; declare it without inline=True"
            )

    async def _armed(
        self, waiting: dict[int, asyncio.Future[None]], number: int, arm: Callable[[], None]
    ) -> None:
        # Coroutines that wait for the same thing (two that emit in one call) share the future.
        future = waiting.get(number)
        if future is None:
            # The frame is handled on this thread, so it cannot come between these two lines.
            arm()
            future = waiting[number] = asyncio.get_running_loop().create_future()
        await asyncio.shield(future)


def checked(item: Item) -> Item:
    """The item itself, or the exception it stands for."""
    if item[0] == "error":
        raise error_from_wire(*item[1:])
    return item


def translated(call: CallContext, fault: Exception) -> BridgeError:
    """The public exception for a fault of the native half."""
    if isinstance(fault, _native.ValueRefused):
        return refused(fault)
    if call.ended or getattr(fault, "reason", None) == Status.CLOSED:
        return StateError(ENDED)
    if isinstance(fault, _native.CallCancelled):
        call.note_cancel(fault.reason)
        return cancelled_error(fault.reason)
    return ConnectionClosed(f"link to the host is closed: {fault}")


def refused(fault: Any) -> ValueRefused:
    """The public form of the native half's refusal, whose text begins with the place."""
    return ValueRefused(fault.path, str(fault).removeprefix(f"at {fault.path}: "))


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


ENDED = "the call has ended: its session and context are valid only while the handler runs"

CHUNKS_PER_YIELD = 64

_FAULTS = (_native.CallCancelled, _native.LinkClosed, _native.ValueRefused)
