"""One run of an optimizer: what it has asked and tried so far, and what ends it.

It owns the gate that every request to a language model and every judgement of the metric passes,
on whatever thread: there it is counted, and there the run ends once the call is cancelled, its
budget is used up or something failed for good. DSPy catches exceptions in many places and goes on,
so the end travels as `CallEnded`. It must not know optimizers, variables or how progress is shown.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, OperationCancelled, ResourceExhausted

from ..abort import CallEnded
from .trials import Trials

__all__ = ["Run"]


class Run:
    """Counts, limits and the first fault of one run. All of it may be used by many threads.

    `changed` is called, on any thread, when there is something new to show.
    """

    def __init__(
        self,
        ctx: CallContext,
        *,
        lm_calls_max: int | None = None,
        metric_calls_max: int | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._ctx = ctx
        self._limits = {"lm": lm_calls_max, "metric": metric_calls_max}
        self._counts = {"lm": 0, "metric": 0}
        self._changed = changed
        self._lock = threading.Lock()
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._cause: BridgeError | None = None
        self.trials = Trials()
        self.phase = "before"
        self.lm_failures = 0
        self.last_failure: Exception | None = None
        self.step_failure: Exception | None = None

    @property
    def lm_calls(self) -> int:
        """Requests to language models, retries of one request not among them."""
        return self._counts["lm"]

    @property
    def metric_calls(self) -> int:
        """Judgements of the metric."""
        return self._counts["metric"]

    @property
    def cause(self) -> BridgeError | None:
        """Why the run was ended, if it was."""
        return self._cause

    def enter(self, phase: str) -> None:
        """What comes now belongs to that phase."""
        self.phase = phase
        self._changed()

    def stop(self, cause: BridgeError) -> None:
        """Ends the run at its next gate; the first cause counts."""
        with self._lock:
            self._cause = self._cause or cause

    def asks_lm(self, requests: int = 1) -> None:
        """The gate of requests to language models."""
        self._pass("lm", "max_lm_calls", requests)

    def asks_metric(self) -> None:
        """The gate of judgements."""
        self._pass("metric", "max_metric_calls", 1)

    def judged(self) -> None:
        """One more example of the current evaluation has its score."""
        self.trials.judged()
        self._changed()

    def failed(self, error: Exception) -> None:
        """A request to a language model failed; DSPy decides whether the run goes on."""
        with self._lock:
            self.lm_failures += 1
            self.last_failure = error

    def tried(self, program: dspy.Module, score: float | None, examples: int) -> None:
        """A candidate was scored, in percent, on so many examples."""
        if self.phase == _TRYING:
            self.trials.add(program, score, examples)
        self._changed()

    def leave(self) -> None:
        """Waits, for a while, until the threads that passed a gate have ended or gone idle: what
        they still do is of no use to anybody."""
        end = time.monotonic() + _LEAVE_SECONDS_MAX
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    def _pass(self, what: str, limit_name: str, more: int) -> None:
        self._threads.add(threading.current_thread())
        try:
            self._ctx.check_cancelled()
        except OperationCancelled as over:
            self.stop(over)
        if self._cause is None:
            self._count(what, limit_name, more)
        if self._cause is not None:
            raise CallEnded(self._cause)

    def _count(self, what: str, limit_name: str, more: int) -> None:
        with self._lock:
            limit = self._limits[what]
            if limit is None or self._counts[what] + more <= limit:
                self._counts[what] += more
                return
        self.stop(
            ResourceExhausted(
                f"{limit_name} {limit} used up before the optimizer was done",
                details={"limit": limit_name, "allowed": limit},
            )
        )


_TRYING = "optimizing"
_LEAVE_SECONDS_MAX = 2.0
