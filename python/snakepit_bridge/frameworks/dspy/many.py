"""Many runs of one program: some at once, each with an outcome of its own.

It owns how many run at once, and what a failure of one says without ending the others. It must not
know metrics or what a run answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, Status
from snakepit_bridge.failures import cut, text_of, type_name

from .abort import CallEnded, is_over
from .faults import own_error

__all__ = ["TooManyErrors", "each", "failure_document", "outcome"]


class TooManyErrors(BridgeError):
    """So many runs failed that the whole is given up; the status is that of the last failure."""


async def each(count: int, run: Callable[[int], Awaitable[None]], at_once: int) -> None:
    """Awaits `run(index)` for each index below `count`, in order of their starts, `at_once` of them
    at the same time. The first exception cancels the others and is raised.
    """
    waiting = iter(range(count))

    async def work() -> None:
        for index in waiting:
            await run(index)

    tasks = [asyncio.ensure_future(work()) for _ in range(min(at_once, count))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def outcome(ctx: CallContext, run: Awaitable[Any]) -> tuple[Any, Exception | None]:
    """What a run answers, or why it failed. What ends the whole call is raised: its cancel and its
    deadline, and what has `CallEnded` around it (a metric that fails)."""
    try:
        return await run, None
    except Exception as error:
        own = own_error(error)
        if isinstance(own, BridgeError) and is_over(ctx, own):
            raise CallEnded(own) from error
        return None, own


def failure_document(error: Exception) -> dict[str, Any]:
    """A failure as a result tells it."""
    status = error.status if isinstance(error, BridgeError) else Status.PYTHON_EXCEPTION
    told: dict[str, Any] = {
        "status": status.name,
        "message": cut(text_of(error), _MESSAGE_CHARS_MAX),
        "type": type_name(error),
    }
    if isinstance(error, BridgeError) and error.details:
        told["details"] = error.details
    return told


_MESSAGE_CHARS_MAX = 2000
