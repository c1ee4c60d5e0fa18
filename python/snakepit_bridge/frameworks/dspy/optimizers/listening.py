"""How a run hears of what DSPy does: callbacks of language models and evaluations, a metric that
counts, and the token usage of all threads together.

It owns the translation of DSPy's events to those of the run. It must not know optimizers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dspy.utils.callback import BaseCallback
from dspy.utils.usage_tracker import UsageTracker

from .run import Run

__all__ = ["Counted", "Listener", "SharedUsage"]


class Listener(BaseCallback):
    """Tells the run of requests to language models and of evaluations. What it raises there is a
    `CallEnded`, which DSPy lets through."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._open: dict[str, tuple[Any, int]] = {}

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._run.asks_lm()

    def on_lm_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        if isinstance(exception, Exception):
            self._run.failed(exception)

    def on_compile_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        if isinstance(exception, Exception):
            self._run.step_failure = exception

    def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        rows = inputs.get("devset")
        rows = instance.devset if rows is None else rows
        self._open[call_id] = (inputs["program"], len(rows))
        self._run.trials.begins(len(rows))

    def on_evaluate_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        program, examples = self._open.pop(call_id)
        if exception is None:
            self._run.tried(program, _percent(outputs.score), examples)


class Counted:
    """The metric, with each judgement counted. It has DSPy's form and GEPA's."""

    def __init__(self, judge: Callable[..., Any], run: Run) -> None:
        self._judge = judge
        self._run = run
        self.__name__ = getattr(judge, "__name__", "metric")

    def __call__(
        self,
        gold: Any,
        pred: Any,
        trace: Any = None,
        pred_name: str | None = None,
        pred_trace: Any = None,
    ) -> Any:
        self._run.asks_metric()
        score = self._judge(gold, pred, trace, pred_name, pred_trace)
        self._run.judged()
        return score


class SharedUsage(UsageTracker):
    """Token counts of all threads together: DSPy gives each thread a deep copy, and forgets it."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedUsage:
        return self

    def add_usage(self, lm: str, usage_entry: dict[str, Any]) -> None:
        with self._lock:
            super().add_usage(lm, usage_entry)


def _percent(score: Any) -> float | None:
    try:
        return float(score)
    except (TypeError, ValueError):
        return None
