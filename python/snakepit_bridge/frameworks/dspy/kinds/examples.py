"""The kind `knn_few_shot`: a program whose demos are the examples nearest to what it is asked.

It owns the choice of neighbours and what is done with them. Rows come read, and embedders know
whom to ask; neither is known here.
"""

from __future__ import annotations

from typing import Any

import dspy
from dspy.predict.knn import KNN
from dspy.teleprompt import BootstrapFewShot

from ..calls import acall, in_thread
from ..checks import at, refused
from ..embedders import Embedder
from ..evaluation_schemas import DATA, EMBEDDER
from .base import Fields, Kind, Parts

__all__ = ["KNN_FEW_SHOT"]


class Neighbours:
    """Which examples are nearest to some inputs. Their vectors are asked for at the first run, and
    shared by all copies of the module."""

    def __init__(self, examples: list[dspy.Example], k: int, embed: Embedder) -> None:
        self._examples, self._k, self._embed = examples, k, embed
        self._nearest: KNN | None = None

    def __deepcopy__(self, memo: Any) -> Neighbours:
        return self

    def of(self, inputs: dict[str, Any]) -> list[dspy.Example]:
        """The nearest, nearest first. Waits for the embedder."""
        if self._nearest is None:
            self._nearest = KNN(min(self._k, len(self._examples)), self._examples, self._embed)
        if len(self._examples) == 1:
            return list(self._examples)
        return list(self._nearest(**inputs))


class KnnFewShot(dspy.Module):
    """Runs a copy of `module` with the neighbours of its inputs as demos."""

    def __init__(
        self, module: dspy.Module, neighbours: Neighbours, bootstrap: dict[str, Any] | None
    ) -> None:
        super().__init__()
        self.module = module
        self._neighbours, self._bootstrap = neighbours, bootstrap

    def forward(self, **inputs: Any) -> dspy.Prediction:
        """Finds the neighbours, prepares the copy, runs it."""
        return self._prepared(inputs)(**inputs)

    async def aforward(self, **inputs: Any) -> dspy.Prediction:
        """As `forward`; what DSPy does by threads only, on one."""
        prepared = await in_thread(lambda: self._prepared(inputs))
        return await acall(prepared, **inputs)

    def _prepared(self, inputs: dict[str, Any]) -> dspy.Module:
        nearest = self._neighbours.of(inputs)
        if self._bootstrap is not None:
            compiled = BootstrapFewShot(**self._bootstrap).compile(self.module, trainset=nearest)
            return compiled
        copied = self.module.deepcopy()
        for predictor in copied.predictors():
            predictor.demos = nearest
        return copied


def _knn_few_shot(parts: Parts) -> dspy.Module:
    options, place = parts.options, parts.place
    embed = Embedder(options["embedder"], at(place, "options.embedder"))
    neighbours = Neighbours(parts.rows or [], options["k"], embed)
    return KnnFewShot(parts.programs["module"], neighbours, options.get("bootstrap"))


def _check(program: Any) -> None:
    inputs, _ = program.programs["module"].fields()
    if inputs is None:
        place = at(program.place, "programs.module")
        raise refused(place, "a program of unknown fields, expected one with a signature")


def _fields(program: Any) -> tuple[Fields, Fields]:
    return program.programs["module"].fields()


KNN_FEW_SHOT = Kind(
    "knn_few_shot",
    "A program whose demos are the examples nearest to its inputs.",
    _knn_few_shot,
    programs="module",
    options={
        "k": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 3},
        "data": DATA,
        "embedder": EMBEDDER,
        "bootstrap": {
            "type": "object",
            "additionalProperties": False,
            "description": "Let the program work the neighbours out itself at each run and take "
            "what it did as demos (DSPy's BootstrapFewShot); else they are taken as they are.",
            "properties": {
                "max_bootstrapped_demos": {"type": "integer", "minimum": 0},
                "max_labeled_demos": {"type": "integer", "minimum": 0},
                "max_rounds": {"type": "integer", "minimum": 1},
            },
        },
    },
    required=("data", "embedder"),
    check=_check,
    fields=_fields,
)
