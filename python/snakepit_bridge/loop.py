"""The one event loop of a worker, in a thread of its own: every `async` handler is a task on it.

Owns the loop, its tasks by call, and the hand-over to it: one wake-up per batch of frames. Must not
know what a call does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .bridge import Bridge

Start = tuple[int, Callable[[], Coroutine[Any, Any, None]], Callable[[BaseException], None]]


class EventLoop:
    """Starts, cancels and wakes tasks from other threads. Made idle; `start` makes the thread."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stopping = False

    def start(self) -> None:
        """Starts the loop's thread; once. Not before it is needed: a worker that never runs an
        `async` handler has no loop.
        """
        if self._thread is not None:
            return
        # Two threads listen for calls, and both may have heard of a first one.
        with self._start_lock:
            if self._thread is not None:
                return
            loop = asyncio.new_event_loop()
            # For `asyncio.to_thread` and its like. asyncio's own few threads could all wait for
            # the host, which waits for a nested call that needs one of them.
            loop.set_default_executor(ThreadPoolExecutor(EXECUTOR_THREADS_MAX, "spb-executor"))
            self._loop = loop
            thread = threading.Thread(target=self._run, name="spb-loop", daemon=True)
            thread.start()
            self._thread = thread

    def post(
        self, starts: list[Start], cancels: list[int], ready: list[int], credit: list[int]
    ) -> None:
        """Hands over one batch: tasks to start, calls to cancel, requests and credits to wake."""
        if starts:
            self.start()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._apply, starts, cancels, ready, credit)

    def stop(self, timeout: float) -> None:
        """Cancels every task, waits for them up to `timeout` seconds, and ends the thread."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop_soon)
        self._thread.join(timeout)

    def _apply(
        self, starts: list[Start], cancels: list[int], ready: list[int], credit: list[int]
    ) -> None:
        for start in starts:
            self._start_task(*start)
        for call_id in cancels:
            task = self._tasks.get(call_id)
            if task is not None:
                task.cancel()
        self._bridge.wake(ready, credit)

    def _start_task(
        self,
        call_id: int,
        make: Callable[[], Coroutine[Any, Any, None]],
        lost: Callable[[BaseException], None],
    ) -> None:
        """`lost` reports the end of a task that was cancelled before its first step."""
        assert self._loop is not None
        task = self._loop.create_task(make(), name=f"spb-call-{call_id}")
        self._tasks[call_id] = task

        def done(ended: asyncio.Task[None]) -> None:
            self._tasks.pop(call_id, None)
            self._bridge.forget(call_id)
            fault = asyncio.CancelledError() if ended.cancelled() else ended.exception()
            if fault is not None:
                lost(fault)

        task.add_done_callback(done)

    def _run(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        self._bridge.loop_thread_id = threading.get_ident()
        while not self._stopping:
            try:
                self._loop.run_forever()
            except BaseException as fault:
                # SystemExit and KeyboardInterrupt of a handler's own task come through here.
                self._loop.call_exception_handler(
                    {"message": "a task tried to end the worker", "exception": fault}
                )

    def _stop_soon(self) -> None:
        self._bridge.wake_all()
        tasks = [task for task in asyncio.all_tasks() if not task.done()]
        for task in tasks:
            task.cancel()
        ending = asyncio.gather(*tasks, return_exceptions=True)
        ending.add_done_callback(lambda _: self._stop_now())

    def _stop_now(self) -> None:
        assert self._loop is not None
        self._stopping = True
        self._loop.stop()


# As many as calls that the host has a worker hold; a thread starts when none is idle.
EXECUTOR_THREADS_MAX = 256
