"""From the parameters of `optimize` to a job: everything is read, built and refused here, before
anything runs.

It owns which parameters go with which optimizer. It must not run a program or write anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dspy

from snakepit_bridge.context import CallContext

from ..build import Material, gather, make, own_lm, resolved
from ..checks import at, refused
from ..data import aload_examples
from ..documents import Program, parse
from ..lm import build_lm
from ..metrics import build_metric
from ..schemas import LM_KINDS
from ..stored import resolve
from .job import Job
from .listening import Counted
from .run import Run
from .spec import Optimizer
from .training import can_be_trained, trainer_for

__all__ = ["Built", "Preparing"]

Interpreter = Callable[..., Any] | None


@dataclass(frozen=True, slots=True)
class Built:
    """A program ready to be scored. `lm_settings` are those of `lm`, with bound ones read."""

    program: Program
    module: dspy.Module
    lm: dspy.LM
    lm_settings: dict[str, Any]
    adapter: str


class Preparing:
    """Prepares one call of `optimize`."""

    def __init__(
        self, ctx: CallContext, run: Run, parameters: dict[str, Any], interpreter: Interpreter
    ) -> None:
        self._ctx = ctx
        self._run = run
        self._given = parameters
        self._interpreter = interpreter

    async def build(self, document: dict[str, Any], lm: dict[str, Any] | None) -> Built:
        """A program with its language model: `lm`, or its own. Raises `Refused`."""
        program = parse(document)
        material = await gather(program, self._ctx, self._interpreter)
        module = make(program, material, self._ctx)
        model = own_lm(program, lm, material, self._ctx)
        settings = lm or _own_settings(program, material)
        adapter = self._given.get("adapter") or program.adapter or "chat"
        return Built(program, module, model, settings, adapter)

    async def job(
        self, optimizer: Optimizer, options: dict[str, Any], document: dict[str, Any]
    ) -> Job:
        """The job. Raises `Refused` for what the optimizer does not take or cannot do without."""
        self._check(optimizer)
        given = self._given
        built = await self.build(document, given.get("lm"))
        job = Job(
            optimizer=optimizer,
            options=options,
            ctx=self._ctx,
            run=self._run,
            document=document,
            student=built.module,
            lm=built.lm,
            lm_settings=given.get("lm") or built.program.lm,
            train=await self._rows("train", built.program) or [],
            validation=await self._rows("validation", built.program),
            metric=self._metric(feedback=False),
            feedback=self._metric(feedback=True),
            models={name: build_lm(given[name], self._ctx) for name in _MODELS if name in given},
            teacher=await self._teacher(),
            parameters=given,
        )
        if "programs" in options:
            job.members = await self._members(options["programs"])
        self._seed(job)
        self._trainer(job, built.lm_settings)
        optimizer.check(job)
        return job

    def _check(self, optimizer: Optimizer) -> None:
        given, name = self._given, optimizer.name
        if optimizer.metric != "optional" and "metric" not in given:
            raise refused("metric", f"missing, {name} needs one")
        if optimizer.needs_data and "data" not in given:
            raise refused("data", f"missing, {name} needs data.train")
        if "teacher" in given and not optimizer.takes_teacher:
            raise refused("teacher", f"expected none: {name} has no teacher")
        for model in _MODELS:
            if model in given and model not in optimizer.models:
                raise refused(model, f"expected none: {name} does not use it")
        if "finetune" in given and not optimizer.trains:
            raise refused("finetune", f"expected none: {name} trains no model")

    async def _rows(self, which: str, program: Program) -> list[dspy.Example] | None:
        document = (self._given.get("data") or {}).get(which)
        if document is None:
            return None
        inputs = program.fields()[0]
        names = None if inputs is None else list(inputs)
        optional = [name for name, needed in (inputs or {}).items() if not needed]
        place = at("data", which)
        return await aload_examples(document, self._ctx, names, optional=optional, where=place)

    def _metric(self, feedback: bool) -> Counted | None:
        document = self._given.get("metric")
        if document is None:
            return None
        return Counted(build_metric(document, self._ctx, feedback=feedback), self._run)

    async def _teacher(self) -> dspy.Module | None:
        reference = self._given.get("teacher")
        if reference is None:
            return None
        source = await resolve(reference, self._ctx, where="teacher")
        program = parse(source.document, "teacher")
        module = make(program, await gather(program, self._ctx, self._interpreter), self._ctx)
        # To DSPy a teacher that knows nothing yet is one that it may give other demonstrations.
        module._compiled = bool(program.state or program.demos)
        return module

    async def _members(self, references: list[Any]) -> dict[str, dict[str, Any]]:
        members = {}
        for number, reference in enumerate(references):
            place = at("options.programs", number)
            source = await resolve(reference, self._ctx, where=place)
            parse(source.document, place)
            members[f"program_{number + 1}"] = source.document
        return members

    def _seed(self, job: Job) -> None:
        seed = self._given.get("seed")
        if seed is None:
            return
        if "seed" in job.optimizer.options:
            if "seed" not in (self._given.get("options") or {}):
                job.options["seed"] = seed
        else:
            random.Random(seed).shuffle(job.train)

    def _trainer(self, job: Job, own: dict[str, Any]) -> None:
        settings = self._given.get("finetune")
        if settings is None:
            if job.optimizer.name == "BootstrapFinetune" and own["kind"] == "host_tool":
                raise refused("finetune", "missing, expected who trains: the host owns the model")
            return
        trainer = trainer_for(settings, own.get("model") or "default", self._ctx, job.run)

        def make_lm(model: str) -> dspy.LM:
            return build_lm({**own, "model": model}, self._ctx)

        job.lm = can_be_trained(job.lm, trainer, make_lm)


def _own_settings(program: Program, material: Material) -> dict[str, Any]:
    settings = program.lm or {}
    known = LM_KINDS[settings["kind"]]["properties"]
    return resolved(settings, known, at(program.place, "lm"), material)


_MODELS = ("prompt_lm", "teacher_lm", "reflection_lm")
