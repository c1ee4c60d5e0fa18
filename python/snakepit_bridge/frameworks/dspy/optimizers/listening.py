"""How a run hears of what DSPy does: callbacks of language models and evaluations, and a metric
that counts.

It owns the translation of DSPy's events to those of the run. It must not know optimizers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback

from ..abort import CallEnded
from .run import Run

__all__ = ["Counted", "Listener"]


class Listener(BaseCallback):
    """Tells the run of requests to language models and of evaluations. What it raises there is a
    `CallEnded`, which DSPy lets through."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._open: dict[str, tuple[Any, int]] = {}

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        # One request of DSPy's for several answers is so many requests to a model.
        given = (inputs.get("kwargs") or {}).get("n") or instance.kwargs.get("n")
        self._run.asks_lm(given or 1)

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        if isinstance(exception, Exception):
            self._run.failed(exception)

    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        if isinstance(exception, Exception):
            self._run.last_failure = exception

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
        if not isinstance(pred, dspy.Prediction):
            # DSPy judges runs that failed, too, but there is nothing to show to a metric.
            self._run.judged()
            return 0.0
        try:
            score = self._judge(gold, pred, trace, pred_name, pred_trace)
        except CallEnded as ended:
            self._run.stop(ended.cause)
            raise
        self._run.judged()
        return score


def _percent(score: Any) -> float | None:
    try:
        return float(score)
    except (TypeError, ValueError):
        return None
