"""What a metric may answer, and the score that is made of it.

It owns the forms of an answer and their refusals, in the words of whoever asked. It must not know
who judges or what is judged.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dspy

__all__ = ["Score", "number", "parse_score"]


@dataclass(frozen=True, slots=True)
class Score:
    """What a judge says of one prediction. A boolean stays one: optimizers take it as a verdict."""

    value: float | bool
    feedback: str | None = None


def number(value: float | bool) -> float:
    """The score as a number: a boolean counts one or zero."""
    return float(value)


def parse_score(value: Any, refuse: Callable[[str], Exception]) -> Score:
    """The score that a metric answered; `refuse` makes the error for an answer that is none."""
    feedback = None
    if isinstance(value, dspy.Prediction):
        value = value.toDict()
    if isinstance(value, Mapping):
        if "score" not in value:
            raise refuse(f"an object without `score`, expected {_SCORE}")
        feedback, value = value.get("feedback"), value["score"]
        if feedback is not None and not isinstance(feedback, str):
            raise refuse(f"feedback of kind {type(feedback).__name__}, expected a string or null")
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return Score(bool(value), feedback)
    if not isinstance(value, numbers.Real):
        raise refuse(f"a score of kind {type(value).__name__}, expected {_SCORE}")
    if not math.isfinite(value):
        raise refuse(f"a score of {float(value)}, expected a finite number")
    return Score(float(value), feedback)


_SCORE = "a number, a boolean or an object with `score` and perhaps `feedback`"
