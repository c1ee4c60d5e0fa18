"""Whether a failure of the bridge ends the running call, or only one thing that it tried.

Owns that one question. Frameworks turn failures of tools into text for an agent, or try something
else instead; a call that was cancelled, or is past its deadline, must not go on like that. Must not
know frameworks.
"""

from __future__ import annotations

from .context import CallContext
from .errors import BridgeError, ConnectionClosed, DeadlineExceeded, OperationCancelled


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
