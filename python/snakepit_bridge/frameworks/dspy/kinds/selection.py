"""The kinds that run programs several times, or several programs, and choose: best_of_n, refine
and ensemble.

It owns their options and what DSPy's own modules lack here: a reward that is a document, and an end
for a run in which every attempt failed. It must not know who measures.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback

from ..calls import acall
from ..checks import at, known_name, listed, refused
from ..rewards import REWARD_SCHEMA, Reward
from .base import Fields, Kind, Parts

__all__ = ["BEST_OF_N", "ENSEMBLE", "REFINE"]


class BestOfN(dspy.BestOfN):
    """DSPy's, which counts its failures down in itself: so each run has a copy with all of them
    allowed, and ends with the last failure if there was nothing else."""

    def forward(self, **inputs: Any) -> dspy.Prediction:
        """Runs until the reward is reached, or all attempts are used up."""
        return _attempts(self, dspy.BestOfN.forward, inputs)


class Refine(dspy.Refine):
    """DSPy's, with the same care as `BestOfN`."""

    def forward(self, **inputs: Any) -> dspy.Prediction:
        """As `BestOfN`, with advice from one attempt to the next."""
        return _attempts(self, dspy.Refine.forward, inputs)


class Ensemble(dspy.Module):
    """Asks several programs and takes the answer that most of them give."""

    def __init__(
        self, programs: dict[str, dspy.Module], field: str | None, size: int | None
    ) -> None:
        super().__init__()
        self.programs = programs
        self._field, self._size = field, size

    def forward(self, **inputs: Any) -> dspy.Prediction:
        """One program after the other, then the vote."""
        return self._vote([program(**inputs) for program in self._asked()])

    async def aforward(self, **inputs: Any) -> dspy.Prediction:
        """All programs at once, then the vote."""
        answers = await asyncio.gather(*(acall(program, **inputs) for program in self._asked()))
        return self._vote(list(answers))

    def _asked(self) -> list[dspy.Module]:
        programs = list(self.programs.values())
        if self._size is None or self._size >= len(programs):
            return programs
        return random.sample(programs, self._size)

    def _vote(self, answers: list[dspy.Prediction]) -> dspy.Prediction:
        field = self._field or list(answers[0].keys())[-1]
        votes = [str(answer[field]) for answer in answers]
        texts = [{"vote": vote, "of": number} for number, vote in enumerate(votes)]
        return answers[dspy.majority(texts, field="vote")["of"]]


class _LastFailure(BaseCallback):
    """Remembers why the latest attempt failed: DSPy only prints it."""

    def __init__(self) -> None:
        self.exception: Exception | None = None

    def on_module_end(self, call_id: str, outputs: Any, exception: Any = None) -> None:
        if exception is not None:
            self.exception = exception


def _attempts(module: Any, forward: Any, inputs: dict[str, Any]) -> dspy.Prediction:
    own = copy.copy(module)
    own.fail_count = own.N
    seen = _LastFailure()
    with dspy.context(callbacks=[*dspy.settings.callbacks, seen]):
        chosen = forward(own, **inputs)
    if chosen is None:
        raise seen.exception or RuntimeError(f"none of {module.N} attempts gave an answer")
    return chosen


def _selecting(parts: Parts) -> dict[str, Any]:
    module, options = parts.programs["module"], parts.options
    try:
        module.get_lm()
    except ValueError:
        place = at(parts.place, "programs.module")
        raise refused(
            place, "language models of its own in some of its programs, expected one for all"
        ) from None
    return {
        "module": module,
        "N": options["n"],
        "reward_fn": Reward(options["reward"], at(parts.place, "options.reward")),
        "threshold": options["threshold"],
    }


def _best_of_n(parts: Parts) -> dspy.Module:
    return BestOfN(**_selecting(parts))


def _refine(parts: Parts) -> dspy.Module:
    module = Refine(**_selecting(parts))
    # What DSPy shows the model that gives advice: the program and the reward as they are written
    # here, which is data, and not the source of the classes that carry them out.
    module.module_code = json.dumps(parts.inner["module"].document, indent=1)
    module.reward_fn_code = json.dumps(parts.options["reward"], indent=1)
    return module


def _ensemble(parts: Parts) -> dspy.Module:
    _, outputs = next(iter(parts.inner.values())).fields()
    field = parts.options.get("field") or (list(outputs)[-1] if outputs else None)
    return Ensemble(parts.programs, field, parts.options.get("size"))


def _check_ensemble(program: Any) -> None:
    """All take the same, and answer what they are to vote on."""
    known = {name: each.fields() for name, each in program.programs.items()}
    field = program.options.get("field") or list(next(iter(known.values()))[1] or [None])[-1]
    first, wanted = next(((name, takes) for name, (takes, _) in known.items() if takes), ("", None))
    for name, (takes, answers) in known.items():
        place = at(program.place, f"programs.{name}")
        if takes is not None and wanted is not None and set(takes) != set(wanted):
            raise refused(
                place,
                f"input fields {listed(takes)}, expected those of program `{first}`: "
                f"{listed(wanted)}",
            )
        if answers is not None and field is not None:
            known_name(field, answers, place, "output field")


def _inner_fields(program: Any) -> tuple[Fields, Fields]:
    return next(iter(program.programs.values())).fields()


_ATTEMPTS: dict[str, dict[str, Any]] = {
    "n": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 3},
    "reward": REWARD_SCHEMA,
    "threshold": {
        "type": "number",
        "default": 1.0,
        "description": "An attempt with this reward, or a higher one, is the last.",
    },
}

BEST_OF_N = Kind(
    "best_of_n",
    "The best of several runs of one program, by a reward.",
    _best_of_n,
    programs="module",
    options=_ATTEMPTS,
    required=("reward",),
    fields=_inner_fields,
)

REFINE = Kind(
    "refine",
    "As best_of_n, with advice of the language model from one run to the next.",
    _refine,
    programs="module",
    options=_ATTEMPTS,
    required=("reward",),
    fields=_inner_fields,
)

ENSEMBLE = Kind(
    "ensemble",
    "Several programs, and a vote.",
    _ensemble,
    programs="some",
    options={
        "reduce": {"enum": ["majority"], "default": "majority"},
        "size": {
            "type": "integer",
            "minimum": 1,
            "description": "So many of the programs, chosen at random at each run; else all.",
        },
        "field": {
            "type": "string",
            "description": "The output field that they vote on; else the last of the first.",
        },
    },
    check=_check_ensemble,
    fields=_inner_fields,
)
