"""Progress chunks of a run: written by its threads, sent by the event loop.

It owns how often they go out. A thread of the optimizer never waits for the reader: what is not
taken is replaced by what is newer. It must not know what is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from snakepit_bridge.context import CallContext

__all__ = ["Progress"]


class Progress:
    """Sends `state()` to the caller of `ctx` after each `changed()`, at most ten times a second."""

    def __init__(self, ctx: CallContext) -> None:
        self._ctx = ctx
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._last: dict[str, Any] | None = None

    def changed(self) -> None:
        """There is something new. From any thread."""
        if self._ctx.streaming:
            with contextlib.suppress(RuntimeError):
                # The loop may be gone already: then nobody listens either.
                self._loop.call_soon_threadsafe(self._news.set)

    @contextlib.asynccontextmanager
    async def shown(self, state: Callable[[], dict[str, Any]]) -> AsyncIterator[None]:
        """Sends while the block runs, and the last state at its end."""
        sender = asyncio.create_task(self._send(state)) if self._ctx.streaming else None
        try:
            yield
            if sender is not None:
                await _ended(sender)
                await self._emit(state())
        finally:
            if sender is not None:
                await _ended(sender)

    async def _send(self, state: Callable[[], dict[str, Any]]) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._emit(state())
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _emit(self, state: dict[str, Any]) -> None:
        if state != self._last:
            self._last = state
            await self._ctx.aemit({"type": "progress", **state})


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


_PAUSE_SECONDS = 0.1
