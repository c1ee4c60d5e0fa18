"""The threads that run plain handlers: grown when needed, reused, and replaced while they wait for
the host.

Owns their number. A thread that blocks on the host does not count against `threads_max`, because
what it waits for may be a nested call that needs a thread of this very pool; the host bounds the
calls that a worker holds. Must not know calls.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

Job = tuple[Callable[..., Any], tuple[Any, ...]]


class ThreadPool:
    """Runs jobs on daemon threads. `submit` never blocks; jobs above the maximum wait in order."""

    def __init__(self, threads_max: int) -> None:
        self._threads_max = threads_max
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # Threads that wait for a job, minus jobs that wait for a thread.
        self._spare = 0
        self._alive = 0
        self._blocked = 0
        self._started = 0

    def submit(self, run: Callable[..., Any], *arguments: Any) -> None:
        """Runs `run(*arguments)` on a thread. Raises `RuntimeError` when there is none and none can
        start.
        """
        with self._lock:
            self._spare -= 1
            grow = self._spare < 0 and self._may_grow()
            if grow and not self._start() and self._alive == 0:
                self._spare += 1
                raise RuntimeError("no thread can be started")
        self._jobs.put((run, arguments))

    def block(self) -> None:
        """The calling thread is about to wait for the host: somebody else may run instead."""
        with self._lock:
            self._blocked += 1
            if self._spare < 0 and self._may_grow():
                self._start()

    def unblock(self) -> None:
        """The calling thread runs again."""
        with self._lock:
            self._blocked -= 1

    def unblock_if_room(self) -> bool:
        """As `unblock`, but only if fewer threads run than may and no job waits for one."""
        with self._lock:
            if self._spare < 0 or not self._may_grow():
                return False
            self._blocked -= 1
            return True

    def stop(self) -> None:
        """Lets idle threads leave; busy ones leave after their job."""
        with self._lock:
            alive = self._alive
        for _ in range(alive):
            self._jobs.put(None)

    @property
    def running(self) -> int:
        """Threads that exist and do not wait for the host."""
        return self._alive - self._blocked

    def _may_grow(self) -> bool:
        return self._alive - self._blocked < self._threads_max

    def _start(self) -> bool:
        """With the lock held. A new thread counts as spare at once: the job it is for is in the
        queue.
        """
        self._started += 1
        thread = threading.Thread(target=self._work, name=f"spb-call-{self._started}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._alive += 1
        self._spare += 1
        return True

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SECONDS_MAX)
            except queue.Empty:
                if self._leave():
                    return
                continue
            if job is None:
                self._gone()
                return
            run, arguments = job
            guarded(run, *arguments)
            del job, run, arguments
            with self._lock:
                self._spare += 1

    def _leave(self) -> bool:
        """Ends an idle thread, unless a job is on its way to it."""
        with self._lock:
            if self._spare <= 0:
                return False
            self._spare -= 1
            self._alive -= 1
            return True

    def _gone(self) -> None:
        with self._lock:
            self._spare -= 1
            self._alive -= 1


def guarded(run: Callable[..., Any], *arguments: Any) -> None:
    """Runs `run(*arguments)`, which reports its own failures; what still gets out must not cost a
    thread.
    """
    try:
        run(*arguments)
    except BaseException:
        threading.excepthook(threading.ExceptHookArgs(_caught()))


def _caught() -> tuple[Any, ...]:
    import sys

    return (*sys.exc_info(), threading.current_thread())


# A thread without work for this long leaves.
IDLE_SECONDS_MAX = 60.0
