"""Optimizers that train the language model itself: fine-tuning on traces that scored, alone or in
turns with others.

It owns their options, and how the members of BetterTogether are made. It must not know who trains.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import dspy
from dspy.teleprompt import BetterTogether, BootstrapFinetune
from dspy.teleprompt.bootstrap_trace import FailedPrediction

from snakepit_bridge.errors import Status

from ..checks import at, known_name, refused
from ..faults import ModelFailed
from . import words
from .demonstrations import DEMONSTRATIONS
from .instructions import INSTRUCTIONS
from .job import Job
from .spec import Compiled, Optimizer, options_of
from .training import trained_model

__all__ = ["WEIGHTS"]


class _Finetuning(BootstrapFinetune):
    """DSPy's own, which would stumble over answers that could not be read, and train on nothing."""

    def _prepare_finetune_data(
        self, trace_data: list[dict[str, Any]], lm: dspy.LM, pred_ind: int | None = None
    ) -> Any:
        readable = [each for each in trace_data if not _has_failed(each)]
        rows, form = super()._prepare_finetune_data(readable, lm, pred_ind)
        if not rows:
            unread = len(trace_data) - len(readable)
            raise ModelFailed(
                f"no trace of {len(trace_data)} examples is left to train on: {unread} had answers "
                "that could not be read, the others did not score",
                status=Status.TOOL_FAILED,
                details={"reason": "nothing_to_train_on", "unreadable": unread},
            )
        return rows, form


def _has_failed(traced: dict[str, Any]) -> bool:
    return any(isinstance(outputs, FailedPrediction) for _, _, outputs in traced["trace"])


def _finetune(job: Job) -> BootstrapFinetune:
    _own_models(job)
    # Rows are written as chat messages whatever the program speaks otherwise.
    adapter = dspy.ChatAdapter()
    return _Finetuning(metric=job.metric, adapter=adapter, **job.constructor())


def _together(job: Job) -> BetterTogether:
    _own_models(job)
    members = {name: member.optimizer.make(member) for name, member in _members(job).items()}
    return BetterTogether(metric=job.metric, **members)


def _own_models(job: Job) -> None:
    """What is trained must be the predictors' own model, and the teacher has its own as well."""
    job.student.set_lm(job.lm)
    if job.teacher is not None:
        job.teacher.set_lm(job.model("teacher_lm"))


def _trained(job: Job, module: dspy.Module) -> Compiled:
    """The module, and the settings of the model that it was trained with."""
    name = trained_model(module)
    module.set_lm(None)
    if name is None:
        return Compiled(module)
    return Compiled(module, lm={**(job.lm_settings or {}), "model": name})


def _members(job: Job) -> dict[str, Job]:
    """A job for each member of BetterTogether."""
    given = job.options["optimizers"]
    members = {}
    for name, member in given.items():
        place = at("options.optimizers", name)
        known_name(member["optimizer"], _MEMBERS, at(place, "optimizer"), "optimizer")
        optimizer = _MEMBERS[member["optimizer"]]
        options = optimizer.checked(member.get("options") or {}, at(place, "options"))
        members[name] = dataclasses.replace(job, optimizer=optimizer, options=options)
    return members


def _check_finetune(job: Job) -> None:
    if not job.options["multitask"] and len(job.student.predictors()) > 1:
        raise refused(
            "options.multitask",
            "false with a program of several predictors would train a model for each, expected "
            "true: a program has one",
        )


def _check_together(job: Job) -> None:
    members = _members(job)
    for step in job.options["strategy"].split(BetterTogether.STRAT_SEP):
        known_name(step, members, "options.strategy", "optimizer")
    rows = int(job.options["valset_ratio"] * len(job.train))
    if job.validation is None and rows == len(job.train):
        raise refused("options.valset_ratio", "leaves no row to train on")
    for member in members.values():
        member.optimizer.check(member)


def _together_arguments(job: Job) -> dict[str, Any]:
    """What its members' `compile` takes goes through its own."""
    members = _members(job).items()
    inner = {name: member.compile_options() for name, member in members}
    return {**job.compiling(), "optimizer_compile_args": inner}


def _all_steps(job: Job, module: dspy.Module) -> Compiled:
    """DSPy gives the best program before a step that failed; here that step is the outcome."""
    if module.flag_compilation_error_occurred and job.run.step_failure is not None:
        raise job.run.step_failure
    return _trained(job, module)


_FINETUNE = Optimizer(
    "BootstrapFinetune",
    "Trains the language model on the traces of a teacher that scored.",
    _finetune,
    finish=_trained,
    options=options_of(
        BootstrapFinetune,
        {
            "multitask": words.flag("One training for all predictors."),
            "train_kwargs": words.either("Settings for whoever trains.", type="object"),
            "exclude_demos": words.flag("Rows, and the program after it, have no demonstrations."),
            "num_threads": words.THREADS,
        },
    ),
    metric="optional",
    models=("teacher_lm",),
    takes_teacher=True,
    trains=True,
    check=_check_finetune,
)

_MEMBERS: Mapping[str, Optimizer] = {
    optimizer.name: optimizer for optimizer in (*DEMONSTRATIONS, *INSTRUCTIONS, _FINETUNE)
}

_MEMBER: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["optimizer"],
    "properties": {
        "optimizer": {"enum": list(_MEMBERS)},
        "options": {"type": "object", "description": "Those of that optimizer."},
    },
}

_BETTER_TOGETHER = Optimizer(
    "BetterTogether",
    "Runs several optimizers one after the other, such as for prompts and for weights in turns.",
    _together,
    finish=_all_steps,
    arguments=_together_arguments,
    options=options_of(
        BetterTogether,
        {
            "optimizers": words.either(
                "The optimizers by the names that `strategy` uses.",
                type="object",
                minProperties=1,
                additionalProperties=_MEMBER,
            ),
            "strategy": words.text("Names of them in their order, separated by ` -> `."),
            "valset_ratio": words.number("Share of the training rows to validate on.", 0, 0.99),
            "shuffle_trainset_between_steps": words.flag("Each step sees another order."),
            "num_threads": words.THREADS,
            "max_errors": words.ERRORS,
            "seed": words.either("Of the shuffling.", type="integer"),
        },
    ),
    models=("prompt_lm", "teacher_lm", "reflection_lm"),
    takes_teacher=True,
    takes_validation=True,
    trains=True,
    check=_check_together,
)

WEIGHTS = (_FINETUNE, _BETTER_TOGETHER)
