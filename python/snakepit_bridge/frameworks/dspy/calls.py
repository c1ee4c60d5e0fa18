"""The bridge call that DSPy code runs for, and the way from its event loop to a thread.

It owns how modules find the call: through DSPy's own settings, which DSPy carries into the threads
it starts. So a module holds nothing of a call, can be kept between calls and be used by many at
once. It must not know programs.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio.to_thread
import dspy
from anyio.lowlevel import RunVar

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import StateError

__all__ = ["acall", "calling", "current_call", "in_thread", "stopped_with_call"]

Result = TypeVar("Result")


@contextmanager
def calling(ctx: CallContext) -> Iterator[None]:
    """Everything of DSPy inside runs for `ctx`: tools, rewards and embedders ask its host."""
    with dspy.context(**{_KEY: ctx}):
        yield


def current_call() -> CallContext:
    """The call that the running module belongs to. Raises `StateError` outside of one."""
    ctx: CallContext | None = dspy.settings.get(_KEY)
    if ctx is None:
        raise StateError("no bridge call is running here: run the module inside `calling`")
    return ctx


async def acall(module: dspy.Module, /, **inputs: Any) -> dspy.Prediction:
    """Runs a module from the event loop, on a thread if it has no asynchronous form."""
    if hasattr(type(module), "aforward"):
        return await module.acall(**inputs)
    return await in_thread(lambda: module(**inputs))


async def in_thread(function: Callable[[], Result]) -> Result:
    """Runs `function` on a thread, with the settings of here; many at once, since they mostly wait
    for the host. Who is cancelled leaves the thread behind: its next request to the host ends it,
    and what it gave to `stopped_with_call` is stopped.
    """
    try:
        limiter = _LIMITER.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(THREADS_MAX)
        _LIMITER.set(limiter)
    stops: list[Callable[[], None]] = []
    token = _STOPS.set(stops)
    try:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=limiter)
    except asyncio.CancelledError:
        for stop in stops:
            # It may wait, which the event loop must not.
            threading.Thread(target=stop, daemon=True).start()
        raise
    finally:
        _STOPS.reset(token)


def stopped_with_call(stop: Callable[[], None]) -> None:
    """Lets `stop` be called if the call is cancelled while this thread, started by `in_thread`, is
    at work on what knows nothing of calls: a process, say."""
    stops = _STOPS.get()
    if stops is not None:
        stops.append(stop)


_KEY = "snakepit_bridge_call"
_STOPS: contextvars.ContextVar[list[Callable[[], None]] | None] = contextvars.ContextVar(
    "snakepit_bridge_dspy_stops", default=None
)
_LIMITER: RunVar[anyio.CapacityLimiter] = RunVar("snakepit_bridge_dspy_threads")

# As many as a worker may be given calls at once: one must not wait for another's thread.
THREADS_MAX = 1024
