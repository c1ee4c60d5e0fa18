"""The operation `optimize`: a program in, a better version of it out, with the scores of both.

It owns the order: reserve, prepare, score, optimize, make the document, score that, write. What is
scored at the end is built from the document that is written, as any worker will build it. It must
not know any optimizer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import StateError

from ..calls import calling
from ..faults import faults
from ..kinds import uses_native_calls
from ..learned import learned
from ..records import Record, recording
from ..running import make_adapter
from .job import Job
from .listening import Listener
from .preparing import Built, Interpreter, Preparing
from .progress import Progress
from .run import Run
from .spec import Compiled
from .table import find
from .target import reserved
from .thread import on_thread

__all__ = ["optimize"]


async def optimize(
    ctx: CallContext, parameters: dict[str, Any], interpreter: Interpreter = None
) -> dict[str, Any]:
    """Runs one optimizer and reports; nothing is written unless it ends well."""
    started = time.monotonic()
    with faults():
        optimizer = find(parameters["optimizer"])
        options = optimizer.checked(parameters.get("options") or {})
        progress = Progress(ctx)
        run = Run(
            ctx,
            lm_calls_max=parameters.get("max_lm_calls"),
            metric_calls_max=parameters.get("max_metric_calls"),
            changed=progress.changed,
        )
        async with reserved(parameters["program"], ctx, run, optimizer.name) as target:
            document = target.source.document
            preparing = Preparing(ctx, run, parameters, interpreter)
            work = _Work(ctx, run, preparing, parameters)
            job = await preparing.job(optimizer, options, document)
            async with progress.shown(work.state):
                before, compiled = await work.optimized(job)
                new = _document(document, compiled)
                after = await work.scored(new, compiled, job)
            is_kept = _is_kept(before, after, parameters)
            stored = await target.write(new) if is_kept else target.as_it_is()
    return {
        "program": stored,
        "written": is_kept,
        "optimizer": optimizer.name,
        "before": before,
        "after": after,
        "trials": run.trials.told(),
        **work.record.report(),
        "lm_calls": run.lm_calls,
        "lm_failures": run.lm_failures,
        "metric_calls": run.metric_calls,
        "seconds": round(time.monotonic() - started, 3),
    }


class _Work:
    """What runs on threads: the optimizer, and the two evaluations around it."""

    def __init__(
        self, ctx: CallContext, run: Run, preparing: Preparing, parameters: dict[str, Any]
    ) -> None:
        self._ctx = ctx
        self._run = run
        self._preparing = preparing
        self._given = parameters
        self.record = Record()

    def state(self) -> dict[str, Any]:
        """How far it is, for a chunk of progress."""
        run = self._run
        counts = {"lm_calls": run.lm_calls, "metric_calls": run.metric_calls}
        return {"phase": run.phase, **run.trials.state(), **counts}

    async def optimized(self, job: Job) -> tuple[float | None, Compiled]:
        """The score of the program as it is, and what the optimizer made."""
        own = await self._preparing.build(job.document, self._given.get("lm"))

        def work() -> tuple[float | None, Compiled]:
            with self._settings(own):
                before = self._score("before", own, job)
                self._run.enter("optimizing")
                with self._settings(own, job.lm):
                    compiled = self._compile(job)
            if compiled.module is not None:
                _keep_prefixes(compiled.module, own.module)
            return before, compiled

        return await on_thread(self._run, work)

    async def scored(self, document: dict[str, Any], compiled: Compiled, job: Job) -> float | None:
        """The score of the new document."""
        lm = compiled.lm or self._given.get("lm")
        built = await self._preparing.build(document, lm)

        def work() -> float | None:
            with self._settings(built):
                return self._score("after", built, job)

        return await on_thread(self._run, work)

    def _compile(self, job: Job) -> Compiled:
        try:
            return job.optimizer.compile(job)
        except Exception as error:
            # DSPy tells of many failures by a plain exception that names none of them.
            if self._run.cause is not None:
                raise self._run.cause from error
            if type(error) is Exception and self._run.last_failure is not None:
                raise self._run.last_failure from error
            raise

    def _score(self, phase: str, built: Built, job: Job) -> float | None:
        """Percent, or None where there is nothing to score with. A program whose every request
        failed has no score: that is the failure of what it asks."""
        run, rows = self._run, job.validation or job.train
        if job.metric is None or not rows:
            return None
        run.enter(phase)
        asked, failed = run.lm_calls, run.lm_failures
        evaluate = dspy.Evaluate(devset=rows, metric=job.metric, max_errors=len(rows) + 1)
        score = evaluate(built.module).score
        if run.last_failure is not None and 0 < run.lm_calls - asked <= run.lm_failures - failed:
            raise run.last_failure
        return float(score)

    @contextmanager
    def _settings(self, built: Built, lm: dspy.LM | None = None) -> Iterator[None]:
        settings = {
            "lm": lm or built.lm,
            "adapter": make_adapter(built.adapter, native_tools=uses_native_calls(built.module)),
            "callbacks": [Listener(self._run)],
            "num_threads": self._given.get("threads") or _THREADS,
            # DSPy would keep the last ten thousand for the whole process.
            "trace": [],
            "warn_on_type_mismatch": False,
        }
        with recording(self.record), dspy.context(**settings), calling(self._ctx):
            yield


def _keep_prefixes(module: dspy.Module, before: dspy.Module) -> None:
    """COPRO also proposes prefixes for fields. No adapter of DSPy writes them into a prompt any
    more, and a state is known by those that the fields' names give."""
    for predictor, own in zip(module.predictors(), before.predictors(), strict=True):
        for name, info in own.signature.fields.items():
            prefix = info.json_schema_extra["prefix"]
            predictor.signature = predictor.signature.with_updated_fields(name, prefix=prefix)


def _is_kept(before: float | None, after: float | None, parameters: dict[str, Any]) -> bool:
    if not parameters.get("only_if_better") or before is None or after is None:
        return True
    return after > before


def _document(document: dict[str, Any], compiled: Compiled) -> dict[str, Any]:
    if compiled.document is not None:
        return compiled.document
    if compiled.module is None:
        raise StateError("an optimizer made neither a module nor a document")
    new = learned(document, compiled.module)
    return new if compiled.lm is None else {**new, "lm": compiled.lm}


_THREADS = 8
