"""Metrics as data: from a document to a callable that DSPy's optimizers, Evaluate and rewards take.

It owns the kinds of metric, what a judgement may look like, and what happens when judging fails:
that ends the operation, although DSPy would go on with a score of zero. It must not know programs,
data or the operations that use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dspy

from snakepit_bridge.context import CURRENT, CallContext
from snakepit_bridge.errors import BridgeError, InvalidArgument, RemotePythonError

from . import judges
from .abort import CallEnded, is_over
from .judges import Case, Judge
from .registry import metric
from .scores import Score, number, parse_score

__all__ = ["Case", "Metric", "MetricFailed", "Score", "build_metric", "metric"]


class MetricFailed(RemotePythonError):
    """A metric of a Python module raised; the exception itself is the cause."""


def build_metric(
    document: dict[str, Any], ctx: CallContext, *, feedback: bool = False, where: str = "metric"
) -> Metric:
    """The metric that `document` describes (docs/dspy.md has the kinds), for the call `ctx`.

    With `feedback` it answers as GEPA wants it: a `dspy.Prediction` with score and feedback where
    there is feedback. Raises `InvalidArgument` naming the place within `where`.
    """
    if not isinstance(document, dict):
        raise InvalidArgument(
            f'{where} is of kind {type(document).__name__}, expected an object with "kind"'
        )
    own = {name: value for name, value in document.items() if name != "on_error"}
    judge = judges.build(own, ctx, where)
    return Metric(str(document["kind"]), judge, ctx, feedback, _on_error(document, where))


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric for one call. Safe to be used by several threads at once.

    Called (`metric(example, prediction, trace, predictor_name, predictor_trace)`, the last three
    optional) it waits for its judge, so not on the event loop; there, await `ascore`. A judge that
    fails raises `CallEnded`, which DSPy does not catch, unless the document has `on_error`.
    """

    name: str
    _judge: Judge
    _ctx: CallContext
    _feedback: bool = False
    _on_error: Score | None = None

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        gold: Any,
        pred: Any,
        trace: Any = None,
        pred_name: str | None = None,
        pred_trace: Any = None,
    ) -> Any:
        score = self.score(Case(gold, pred, trace, pred_name, pred_trace))
        if self._feedback and score.feedback is not None:
            return dspy.Prediction(score=number(score.value), feedback=score.feedback)
        # GEPA reckons with what the metric answers; the other optimizers also look for a verdict.
        return number(score.value) if self._feedback else score.value

    def score(self, case: Case) -> Score:
        """The judgement with its feedback; waits."""
        # DSPy's threads have a context of their own, where nobody has said what call is running.
        token = CURRENT.set(self._ctx)
        try:
            return self._judge.score(case)
        except Exception as error:
            return self._failed(error)
        finally:
            CURRENT.reset(token)

    async def ascore(self, case: Case) -> Score:
        """As `score`."""
        token = CURRENT.set(self._ctx)
        try:
            return await self._judge.ascore(case)
        except Exception as error:
            return self._failed(error)
        finally:
            CURRENT.reset(token)

    def _failed(self, error: Exception) -> Score:
        own = error if isinstance(error, BridgeError) else _python_failure(self.name, error)
        if self._on_error is not None and not is_over(self._ctx, own):
            return self._on_error
        raise CallEnded(own) from error


def _python_failure(name: str, error: Exception) -> MetricFailed:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    failed = MetricFailed(
        f"metric of kind `{name}` raised {type(error).__name__}: {error}",
        details={"metric": name},
        remote_type=kind,
    )
    failed.__cause__ = error
    return failed


def _on_error(document: dict[str, Any], where: str) -> Score | None:
    given = document.get("on_error")
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) - {"score", "feedback"} or "score" not in given:
        raise InvalidArgument(f'{where}.on_error, expected {{"score", "feedback"?}}')
    return parse_score(given, lambda fault: InvalidArgument(f"{where}.on_error is {fault}"))
