"""Optimizers that choose demonstrations: labelled examples, or traces of a teacher that scored.

It owns their options and how each is made from a job. It must not know operations, variables or
how a program becomes a document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dspy.teleprompt import (
    BootstrapFewShot,
    BootstrapFewShotWithOptuna,
    BootstrapFewShotWithRandomSearch,
    LabeledFewShot,
)

from ..checks import refused
from . import words
from .job import Job
from .spec import Optimizer, options_of

__all__ = ["DEMONSTRATIONS", "teaching"]


def teaching(job: Job) -> dict[str, Any]:
    """The constructor's arguments of optimizers that run a teacher."""
    return {
        **job.constructor(),
        "metric": job.metric,
        "teacher_settings": job.teacher_settings(),
    }


def _taught(kind: type) -> Callable[[Job], Any]:
    return lambda job: kind(**teaching(job))


def _check_restrict(job: Job) -> None:
    # DSPy says the same, but after it has scored the program.
    last = job.options["num_candidate_programs"]
    restrict = job.options["restrict"]
    if restrict is not None and not set(restrict) & set(range(-3, last)):
        raise refused("options.restrict", f"none of them is from -3 to {last - 1}")


DEMONSTRATIONS = (
    Optimizer(
        "LabeledFewShot",
        "Takes examples of the data as demonstrations, as they are.",
        lambda job: LabeledFewShot(**job.constructor()),
        options=options_of(
            LabeledFewShot,
            {
                "k": words.count("Demonstrations per predictor, at most."),
                "sample": words.flag("At random; otherwise the first ones."),
            },
        ),
        metric="optional",
    ),
    Optimizer(
        "BootstrapFewShot",
        "Runs a teacher on the data; traces that score become demonstrations of every step.",
        _taught(BootstrapFewShot),
        options=options_of(BootstrapFewShot, words.BOOTSTRAP),
        metric="optional",
        models=("teacher_lm",),
        takes_teacher=True,
    ),
    Optimizer(
        "BootstrapFewShotWithRandomSearch",
        "Bootstraps many sets of demonstrations and keeps the one that scores best.",
        _taught(BootstrapFewShotWithRandomSearch),
        options=options_of(
            BootstrapFewShotWithRandomSearch,
            {
                **words.BOOTSTRAP,
                "num_candidate_programs": words.count("Shuffled sets, beside three plain ones.", 0),
                "num_threads": words.THREADS,
                "stop_at_score": words.number("Ends as soon as a set scores that, in percent."),
                "restrict": words.either(
                    "Only these sets: -3 no demonstrations, -2 labelled, -1 unshuffled, 0 … "
                    "shuffled.",
                    type="array",
                    items={"type": "integer"},
                    minItems=1,
                ),
                "labeled_sample": words.flag("Set -2 is sampled; otherwise the first examples."),
            },
        ),
        models=("teacher_lm",),
        takes_teacher=True,
        takes_validation=True,
        check=_check_restrict,
    ),
    Optimizer(
        "BootstrapFewShotWithOptuna",
        "Bootstraps demonstrations and lets Optuna search for the best one per predictor.",
        _taught(BootstrapFewShotWithOptuna),
        options=options_of(
            BootstrapFewShotWithOptuna,
            {
                "max_demos": words.count("Demonstrations to choose from, per predictor."),
                "max_bootstrapped_demos": words.BOOTSTRAP["max_bootstrapped_demos"],
                "max_labeled_demos": words.BOOTSTRAP["max_labeled_demos"],
                "max_rounds": words.ROUNDS,
                "num_candidate_programs": words.count("Trials."),
                "num_threads": words.THREADS,
            },
        ),
        models=("teacher_lm",),
        takes_teacher=True,
        takes_validation=True,
    ),
)
