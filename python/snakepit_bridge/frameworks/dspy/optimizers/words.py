"""Words that the options of several optimizers share: fragments of JSON Schema with descriptions.

It owns nothing else, so that one option reads the same everywhere. Defaults are DSPy's and stand
where the option is declared for an optimizer.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BOOTSTRAP",
    "ERRORS",
    "ROUNDS",
    "THREADS",
    "THRESHOLD",
    "count",
    "either",
    "flag",
    "number",
    "one_of",
    "text",
]

Described = tuple[dict[str, Any], str]


def count(description: str, least: int = 1) -> Described:
    """A whole number."""
    return {"type": "integer", "minimum": least}, description


def number(description: str, least: float | None = None, most: float | None = None) -> Described:
    """A number between two others."""
    schema: dict[str, Any] = {"type": "number"}
    if least is not None:
        schema["minimum"] = least
    if most is not None:
        schema["maximum"] = most
    return schema, description


def flag(description: str) -> Described:
    """True or false."""
    return {"type": "boolean"}, description


def text(description: str) -> Described:
    """A string."""
    return {"type": "string", "minLength": 1}, description


def one_of(description: str, *names: str) -> Described:
    """One of a few words."""
    return {"enum": list(names)}, description


def either(description: str, **schema: Any) -> Described:
    """Any other schema."""
    return schema, description


THREADS = count("Examples at once; without it, `threads` of the call.")
ERRORS = count("So many failed examples end the run; without it, DSPy's setting, 10.")
ROUNDS = count("Attempts per training example; later ones sample at temperature 1.")
THRESHOLD = number("The least score of a trace that may become a demonstration.")

BOOTSTRAP: dict[str, Described] = {
    "max_bootstrapped_demos": count("Demonstrations made by running the teacher, at most.", 0),
    "max_labeled_demos": count("Demonstrations taken from the data as they are, at most.", 0),
    "max_rounds": ROUNDS,
    "max_errors": ERRORS,
    "metric_threshold": THRESHOLD,
}
