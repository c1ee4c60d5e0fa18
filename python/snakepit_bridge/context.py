"""The call that is running: what a handler may ask about it, and its way to stream.

Owns `CallContext` and the context variable behind `current()`. Must not know frameworks, threads or
how calls are dispatched.
"""

from __future__ import annotations

import contextvars
import secrets
from time import monotonic
from typing import TYPE_CHECKING, Any

from .bridge import ENDED
from .errors import StateError, Status, cancelled_error
from .session import Session
from .values import ENCODER, Encoded, encode

if TYPE_CHECKING:
    from .bridge import Bridge
    from .contracts import Contract


class CallContext:
    """One running operation. Handlers get it as their first argument; `current()` finds it anywhere
    below.

    `call_id` is unique within the host, `framework` and `operation` say what runs, `streaming`
    whether the caller listens to chunks, `traceparent` is the W3C trace context of the caller, or
    empty. Valid while the handler runs; afterwards every bridge call fails with a `StateError`.
    """

    __slots__ = (
        "__weakref__",
        "_bridge",
        "_deadline",
        "_reason",
        "_session",
        "_session_id",
        "call_id",
        "chunk_contract",
        "ended",
        "framework",
        "operation",
        "partial_lines",
        "streaming",
        "traceparent",
    )

    call_id: int
    framework: str
    operation: str
    streaming: bool
    traceparent: str

    def __init__(self, bridge: Bridge, frame: tuple[Any, ...], now: float) -> None:
        """`frame` is a call's, as the link delivered it at the moment `now`."""
        self._bridge = bridge
        (
            _,
            self.call_id,
            self._session_id,
            self.framework,
            self.operation,
            _,
            _,
            remaining_ms,
            self.streaming,
            self.traceparent,
        ) = frame
        self.ended = False
        self.partial_lines: dict[str, str] | None = None
        self.chunk_contract: Contract | None = None
        self._session: Session | None = None
        self._reason: int | None = None
        self._deadline = now + remaining_ms / 1000 if remaining_ms else None

    @property
    def session(self) -> Session:
        """The session that the call belongs to: its variables and tools."""
        if self._session is None:
            self._session = Session(self, self._session_id)
        return self._session

    @property
    def bridge(self) -> Bridge:
        """For the package itself: the way to the host."""
        return self._bridge

    @property
    def cancelled(self) -> bool:
        """Whether the host cancelled the call or its deadline passed. Cheap; made for loops."""
        return self._reason is not None or self._bridge.link.is_cancelled(self.call_id)

    @property
    def cancel_reason(self) -> Status | None:
        """CANCELLED or DEADLINE once the call is cancelled, otherwise None."""
        if self._reason is None and not self._bridge.link.is_cancelled(self.call_id):
            return None
        return Status.DEADLINE if self._deadline_is_the_reason() else Status.CANCELLED

    def check_cancelled(self) -> None:
        """Raises `OperationCancelled` (or its child `DeadlineExceeded`) once the call is
        cancelled.
        """
        reason = self.cancel_reason
        if reason is not None:
            raise cancelled_error(reason)

    def deadline_remaining(self) -> float | None:
        """Seconds until the deadline, never below zero; None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def emit(self, chunk: Any) -> None:
        """Streams one chunk to the caller, in order; blocks while the caller is a full window
        behind.

        Does nothing when the caller did not ask for a stream. Raises `OperationCancelled` on
        cancel, `ValueRefused` for a chunk without an exact form, or other than declared,
        `WouldDeadlock` on the event loop.
        """
        if not self.streaming:
            return
        if self.ended:
            raise StateError(ENDED)
        # Refused before it is known whether it would block: else it would fail only under load.
        self._bridge.refuse_blocking()
        if self.chunk_contract is None and self._bridge.pass_chunk(self.call_id, chunk, ENCODER):
            return
        self._emit_by_steps(chunk)

    def emit_from(self, generator: Any) -> tuple[bool, Any]:
        """For the package itself: streams what the generator yields next, as many as need no second
        look and one more. True and what it returned once it has ended.
        """
        if self.chunk_contract is None and self._bridge.may_block():
            ended, given = self._bridge.link.pass_on_chunks(self.call_id, generator, ENCODER)
            if not ended:
                self._emit_by_steps(given)
            return ended, given
        try:
            given = next(generator)
        except StopIteration as end:
            return True, end.value
        self.emit(given)
        return False, given

    async def aemit(self, chunk: Any) -> None:
        """As `emit`, for coroutines."""
        if not self.streaming:
            return
        if self.ended:
            raise StateError(ENDED)
        json, attachments = self._encoded(chunk)
        await self._bridge.asend_chunk(self, json, attachments)

    def child_traceparent(self) -> str:
        """A W3C trace context for something that this call starts: same trace, new span; or
        empty.
        """
        parts = self.traceparent.split("-")
        if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
            return ""
        return f"{parts[0]}-{parts[1]}-{secrets.token_hex(8)}-{parts[3]}"

    def check_open(self) -> None:
        """For the package itself: raises when the call has ended or is cancelled."""
        if self.ended:
            raise StateError(ENDED)
        if self._reason is not None:
            raise cancelled_error(self._reason)

    def note_cancel(self, reason: int) -> None:
        """For the package itself: the host's reason; the first one counts."""
        if self._reason is None:
            self._reason = reason

    def _emit_by_steps(self, chunk: Any) -> None:
        json, attachments = self._encoded(chunk)
        self._bridge.send_chunk(self, json, attachments)

    def _encoded(self, chunk: Any) -> Encoded:
        encoded = encode(chunk, self._bridge.value_bytes_max)
        if self.chunk_contract is not None:
            self.chunk_contract.check(encoded[0])
        return encoded

    def _deadline_is_the_reason(self) -> bool:
        # The native half knows of a cancel before its frame is read here, but not why it came.
        if self._reason is not None:
            return self._reason == Status.DEADLINE
        return self._deadline is not None and monotonic() >= self._deadline


def current() -> CallContext:
    """The call that the running code belongs to: in its thread, its tasks, and what copies their
    context.

    Raises `StateError` outside of a call.
    """
    call = CURRENT.get()
    if call is None:
        raise StateError("no bridge call is running here")
    return call


CURRENT: contextvars.ContextVar[CallContext | None] = contextvars.ContextVar(
    "snakepit_bridge_call", default=None
)
