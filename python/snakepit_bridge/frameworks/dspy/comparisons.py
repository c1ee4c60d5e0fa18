"""Comparing what a program answered with what an example says: the plain functions behind metrics.

It owns how values of different kinds are compared; text is compared as DSPy's own metrics do. It
must not know metric documents, examples or calls.
"""

from __future__ import annotations

from typing import Any

import dspy
from dspy.evaluate import metrics as dspy_metrics

__all__ = ["contains", "f1", "identical", "passage_match", "same"]


def same(given: Any, wanted: Any) -> bool:
    """DSPy's exact match where there is text; other values are equal or not."""
    if isinstance(given, str) and isinstance(wanted, str):
        return dspy_metrics.EM(given, [wanted])
    if isinstance(given, str) and _texts(wanted):
        return dspy_metrics.EM(given, wanted)
    return bool(given == wanted)


def identical(given: Any, wanted: Any) -> bool:
    """Equal to the last byte; text also to one of several references."""
    if isinstance(given, str) and _texts(wanted):
        return given in wanted
    return bool(given == wanted)


def contains(given: Any, wanted: Any) -> bool:
    """Whether text has one of the references in it, or a list or object has all of them."""
    if isinstance(given, str):
        text = dspy_metrics.normalize_text(given)
        parts = [dspy_metrics.normalize_text(str(part)) for part in _several(wanted)]
        return any(part in text if part else not text for part in parts)
    return isinstance(given, (list, dict)) and all(part in given for part in _several(wanted))


def f1(given: Any, wanted: Any) -> float:
    """DSPy's F1 over words, for the reference that fits best."""
    references = [str(part) for part in _several(wanted)]
    return float(dspy_metrics.F1(str(given), references)) if references else 0.0


def passage_match(given: Any, wanted: Any) -> bool:
    """Whether one of the passages has one of the answers, as DSPy's metric of that name sees it."""
    example = dspy.Example(answer=[str(answer) for answer in _several(wanted)])
    prediction = dspy.Prediction(context=[str(passage) for passage in _several(given)])
    return bool(dspy_metrics.answer_passage_match(example, prediction))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, str) for x in value)
