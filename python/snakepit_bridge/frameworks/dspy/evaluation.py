"""The operations that run one program many times: `evaluate` and `batch`.

It owns their parameters' meaning, the progress they show and their results. Programs are prepared
by `running`, judged by `metrics`; neither is known here in detail.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, Status

from . import results
from .abort import CallEnded, ending
from .data import aload_examples
from .faults import faults
from .many import TooManyErrors, each, failure_document, outcome
from .metrics import Case, Metric, Score, build_metric, number
from .records import Record, recording
from .running import Prepared, Runner

__all__ = ["batch", "evaluate"]


async def evaluate(runner: Runner, ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Runs a program on each example and judges what it answers."""
    with faults():
        metric = build_metric(parameters["metric"], ctx)
        prepared = await _prepared(runner, ctx, parameters)
        takes, _ = prepared.program.fields()
        optional = [name for name, needed in (takes or {}).items() if not needed]
        rows = await aload_examples(parameters["data"], ctx, takes, optional=optional)
        evaluation = _Evaluation(ctx, prepared, metric, rows, parameters)
        record = Record(history=bool(parameters.get("history")))
        with prepared.settings(ctx), recording(record), dspy.context(trace=None):
            await each(len(rows), evaluation.run, parameters.get("threads") or _THREADS)
        return {**evaluation.report(), **record.report(), **_program(prepared)}


async def batch(runner: Runner, ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Runs a program on each of several inputs."""
    with faults():
        prepared = await _prepared(runner, ctx, parameters)
        inputs = parameters["inputs"]
        told: list[dict[str, Any]] = [{} for _ in inputs]
        failed = 0

        async def run(index: int) -> None:
            nonlocal failed
            prediction, error = await outcome(ctx, prepared.predict(inputs[index]))
            if error is None:
                told[index] = {"outputs": results.outputs(prediction)}
            else:
                failed += 1
                told[index] = {"error": failure_document(error)}
            with ending(ctx):
                await ctx.aemit({"type": "result", "index": index, **told[index]})

        record = Record(history=bool(parameters.get("history")))
        with prepared.settings(ctx), recording(record), dspy.context(trace=None):
            await each(len(inputs), run, parameters.get("max_concurrency") or _CONCURRENCY)
        return {"results": told, "errors": failed, **record.report(), **_program(prepared)}


@dataclasses.dataclass(slots=True)
class _Evaluation:
    """One evaluation while it runs; everything happens on the event loop."""

    ctx: CallContext
    prepared: Prepared
    metric: Metric
    rows: list[dspy.Example]
    parameters: dict[str, Any]
    told: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    total: float = 0.0
    done: int = 0
    errors: int = 0

    async def run(self, index: int) -> None:
        """One example: run, judged, counted, shown."""
        example = self.rows[index]
        inputs = example.inputs().toDict()
        prediction, error = await outcome(self.ctx, self.prepared.predict(inputs))
        if error is not None:
            self._failed(index, error)
            told: dict[str, Any] = {"error": failure_document(error)}
            score = Score(float(self.parameters.get("failure_score") or 0.0))
        else:
            score = await self.metric.ascore(Case(example, prediction))
            told = {"prediction": results.outputs(prediction)}
        told["score"] = number(score.value)
        if score.feedback is not None:
            told["feedback"] = score.feedback
        self.total += number(score.value)
        self.done += 1
        if self._keeps(error):
            self.told[index] = {"index": index, **told}
        await self._show()

    def report(self) -> dict[str, Any]:
        """The result's own keys."""
        return {
            "score": self._score(),
            "count": len(self.rows),
            "errors": self.errors,
            "results": [self.told[index] for index in sorted(self.told)],
        }

    def _keeps(self, error: Exception | None) -> bool:
        wanted = self.parameters.get("results") or "all"
        return wanted == "all" or (wanted == "errors" and error is not None)

    def _failed(self, index: int, error: Exception) -> None:
        self.errors += 1
        if self.errors < (self.parameters.get("max_errors") or _ERRORS_MAX):
            return
        status = error.status if isinstance(error, BridgeError) else Status.PYTHON_EXCEPTION
        message = f"evaluation given up after {self.errors} failures, the last: {error}"
        details = {"errors": self.errors, "index": index, "last": failure_document(error)}
        raise CallEnded(TooManyErrors(message, status=status, details=details)) from error

    def _score(self) -> float:
        """In percent of one point for each example, as DSPy reckons."""
        return round(100 * self.total / max(1, self.done), 2)

    async def _show(self) -> None:
        total = len(self.rows)
        if self.done % max(1, total // _PROGRESS_MAX) and self.done != total:
            return
        progress = {"type": "progress", "done": self.done, "total": total}
        with ending(self.ctx):
            await self.ctx.aemit({**progress, "score": self._score(), "errors": self.errors})


async def _prepared(runner: Runner, ctx: CallContext, parameters: dict[str, Any]) -> Prepared:
    return await runner.prepare(
        parameters["program"],
        ctx,
        call_lm=parameters.get("lm"),
        adapter=parameters.get("adapter"),
        config=parameters.get("config"),
    )


def _program(prepared: Prepared) -> dict[str, Any]:
    """Which version of which variable ran, for a program by name."""
    stored = prepared.source.describe()
    return {} if stored is None else {"program": stored}


# DSPy's own defaults, where it has one.
_THREADS = 8
_CONCURRENCY = 64
_ERRORS_MAX = 10
# A long evaluation shows so many steps, more or less.
_PROGRESS_MAX = 200
