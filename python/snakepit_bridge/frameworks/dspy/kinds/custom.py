"""The kind `python`: modules of the user's own, classes of configured modules that are marked
`@program`.

It owns the lookup and the making of one. A class exists for a document only if a configured module
registered it.
"""

from __future__ import annotations

from typing import Any

import dspy

from ..checks import at, known_name, refused
from ..registry import PROGRAMS
from .base import Fields, Kind, Parts

__all__ = ["PYTHON"]


def _python(parts: Parts) -> dspy.Module:
    options = parts.options
    made = PROGRAMS[options["name"]](**options["arguments"])
    if not isinstance(made, dspy.Module):
        place = at(parts.place, "options.name")
        raise refused(place, f"made a {type(made).__name__}, expected a dspy.Module")
    return made


def _check(program: Any) -> None:
    place = at(program.place, "options.name")
    known_name(program.options["name"], PROGRAMS, place, "class marked @program")


def _fields(program: Any) -> tuple[Fields, Fields]:
    return None, None


PYTHON = Kind(
    "python",
    "A class of a configured module, marked @program.",
    _python,
    options={
        "name": {"type": "string", "minLength": 1},
        "arguments": {"type": "object", "default": {}},
    },
    required=("name",),
    # Nobody knows what its code does with itself while it runs.
    stateless=False,
    check=_check,
    fields=_fields,
)
