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
from snakepit_bridge.ending import is_over
from snakepit_bridge.errors import BridgeError

__all__ = ["CallEnded", "ending", "is_over"]


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
