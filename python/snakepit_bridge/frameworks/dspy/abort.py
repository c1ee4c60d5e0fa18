"""The end of the whole call, carried through DSPy without being caught by it.

DSPy's agents turn any `Exception` of a tool into an observation and go on, and its language model
layer turns any `Exception` of an engine into one of its own. A cancelled call, or one past its
deadline, must stop instead, so it travels as a `BaseException` from the bridge call to the
operation, which unwraps it. It must not know DSPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import (
    BridgeError,
    ConnectionClosed,
    DeadlineExceeded,
    OperationCancelled,
)

__all__ = ["CallEnded", "ending"]


class CallEnded(BaseException):
    """Carries `cause`, the bridge's own error, past DSPy's handlers."""

    def __init__(self, cause: BridgeError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextmanager
def ending(ctx: CallContext) -> Iterator[None]:
    """Turns the bridge errors that mean "this call is over" into `CallEnded`; others pass
    unchanged."""
    try:
        yield
    except BridgeError as error:
        if is_over(ctx, error):
            raise CallEnded(error) from error
        raise


def is_over(ctx: CallContext, error: BridgeError) -> bool:
    """Whether `error` ends the call itself, not just one tool in it (a tool may have a time-out of
    its own)."""
    # A thread may outlive the call that started it.
    if ctx.ended or ctx.cancelled or isinstance(error, ConnectionClosed):
        return True
    if isinstance(error, OperationCancelled) and not isinstance(error, DeadlineExceeded):
        return True
    remaining = ctx.deadline_remaining()
    return remaining is not None and remaining <= 0
