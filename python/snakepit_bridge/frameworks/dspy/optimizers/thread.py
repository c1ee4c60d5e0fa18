"""The thread of a run: an optimizer works and waits on it while the event loop goes on.

It owns the end: whoever waits is not released before the thread and those that it started have left
their work, or have been given time to. It must not know what runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

from snakepit_bridge.errors import OperationCancelled

from .run import Run

__all__ = ["on_thread"]

Result = TypeVar("Result")


async def on_thread(run: Run, work: Callable[[], Result]) -> Result:
    """Runs `work` on a thread of its own, in a copy of this context. Cancelled, it stops the run
    and waits until the thread has noticed."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    outcome: list[tuple[Result | None, BaseException | None]] = []

    def main() -> None:
        try:
            outcome.append((work(), None))
        except BaseException as fault:
            outcome.append((None, fault))
        run.leave()
        loop.call_soon_threadsafe(_tell, done)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(main,), name="optimizer", daemon=True).start()
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        run.stop(OperationCancelled("the operation was cancelled"))
        await asyncio.wait([done], timeout=_LEAVE_SECONDS_MAX)
        raise
    result, fault = outcome[0]
    if fault is not None:
        raise fault
    return result  # type: ignore[return-value]


def _tell(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


_LEAVE_SECONDS_MAX = 5.0
