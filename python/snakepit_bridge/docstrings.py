"""What a docstring says, taken apart: the text for people, and what it says of each parameter.

Owns the use of the package `docstring_parser`, which knows the styles of Google, numpy, Sphinx and
Epytext. Must not know schemas or operations.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Documentation:
    """The parts of one docstring; empty where it says nothing."""

    text: str = ""
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    result: str = ""
    chunk: str = ""


def documentation_of(handler: Callable[..., Any]) -> Documentation:
    """Takes the docstring of `handler` apart. One that describes no parameters stays whole."""
    whole = inspect.getdoc(handler) or ""
    if not any(mark in whole for mark in _MARKS):
        return Documentation(whole)
    import docstring_parser

    try:
        parsed = docstring_parser.parse(whole)
    except docstring_parser.ParseError:
        return Documentation(whole)
    parameters = {
        each.arg_name.lstrip("*"): _one_line(each.description)
        for each in parsed.params
        if each.description
    }
    given = {each.is_generator: _one_line(each.description or "") for each in parsed.many_returns}
    if not parameters and not given:
        return Documentation(whole)
    text = (parsed.description or "").strip()
    return Documentation(text, parameters, given.get(False, ""), given.get(True, ""))


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Without one of these no style has anything to take apart, and the parser need not be imported.
_MARKS = ("Args:", "Arguments:", "Parameters", "Returns", "Yields", ":param", ":return", "@param")
