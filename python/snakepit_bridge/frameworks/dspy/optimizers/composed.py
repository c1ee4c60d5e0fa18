"""Optimizers that compose a program of others and learn nothing themselves: an ensemble, and
demonstrations chosen for each input.

It owns the documents that they make; what those do when they run belongs to their kinds of module.
It must not know operations or variables.
"""

from __future__ import annotations

from typing import Any

from dspy.teleprompt import BootstrapFewShot, Ensemble, KNNFewShot

from ..evaluation_schemas import EMBEDDER
from ..program_schemas import REFERENCE
from . import words
from .job import Job
from .spec import Compiled, Optimizer, Option, options_of

__all__ = ["COMPOSED"]


def _ensemble(job: Job) -> Compiled:
    options = {"reduce": job.options["reduce"]}
    if job.options["size"] is not None:
        options["size"] = job.options["size"]
    return Compiled(document={"module": "ensemble", "programs": job.members, "options": options})


def _knn(job: Job) -> Compiled:
    bootstrap = {name: job.options[name] for name in _BOOTSTRAP}
    options = {
        "k": job.options["k"],
        "embedder": job.options["embedder"],
        # As it was given: rows that live in a variable stay there.
        "data": job.parameters["data"]["train"],
        **({"bootstrap": bootstrap} if job.options["bootstrap"] else {}),
    }
    programs = {"module": job.document}
    return Compiled(document={"module": "knn_few_shot", "programs": programs, "options": options})


def _knn_options() -> dict[str, Option]:
    """DSPy's own, and those that it hands on to BootstrapFewShot."""
    own = options_of(KNNFewShot, {"k": words.count("Demonstrations per input.")})
    handed_on = {name: words.BOOTSTRAP[name] for name in _BOOTSTRAP}
    embedder = {**EMBEDDER, "description": "Who makes vectors of the inputs."}
    bootstrap = {
        "type": "boolean",
        "default": True,
        "description": "Neighbours are worked out by the program at each run, as DSPy does it; "
        "otherwise they are demonstrations as they are.",
    }
    return {
        **own,
        "embedder": Option(embedder, required=True),
        "bootstrap": Option(bootstrap),
        **options_of(BootstrapFewShot, handed_on),
    }


_BOOTSTRAP = ("max_bootstrapped_demos", "max_labeled_demos", "max_rounds")

_REDUCE: dict[str, Any] = {
    "enum": ["majority"],
    "default": "majority",
    "description": "How the answers become one. DSPy's default, all answers, is no program's.",
}
_PROGRAMS: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": REFERENCE,
    "description": "The programs of the ensemble, each as in `program`, which is not among them "
    "unless it is named here.",
}

COMPOSED = (
    Optimizer(
        "KNNFewShot",
        "Makes a program that chooses the nearest examples as demonstrations for each input.",
        compose=_knn,
        options=_knn_options(),
        metric="optional",
    ),
    Optimizer(
        "Ensemble",
        "Makes a program that asks several programs and takes a vote.",
        compose=_ensemble,
        options={
            "programs": Option(_PROGRAMS, required=True),
            **options_of(
                Ensemble, {"size": words.count("So many of them, chosen at random, per run.")}
            ),
            "reduce": Option(_REDUCE),
        },
        metric="optional",
        needs_data=False,
    ),
)
