"""Checks of documents that name the place: unknown keys with the nearest known one, values against
a fragment of JSON Schema.

It owns the form of these messages and the exception behind them. The host checks the parameters of
an operation, but not what is inside a program document, which may come from a variable. It must not
know programs or DSPy.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from typing import Any

import jsonschema
import orjson

from snakepit_bridge.errors import InvalidArgument

__all__ = ["Refused", "at", "check_value", "known_name", "listed", "refused"]

# Above the function that it limits, because the decorator reads it.
_VALIDATORS_MAX = 512


class Refused(InvalidArgument):
    """A document, or inputs, that cannot be used; `details.place` says where, for example
    `program.programs.draft.signature`."""


def refused(place: str, fault: str) -> Refused:
    """The refusal of what stands at `place`."""
    return Refused(f"{place}: {fault}" if place else fault, details={"place": place})


def at(place: str, name: str | int) -> str:
    """The place of member `name` in the object, or list, at `place`."""
    if isinstance(name, int):
        return f"{place}[{name}]"
    return f"{place}.{name}" if place else name


def known_name(name: str, names: Iterable[str], place: str, what: str) -> None:
    """Refuses a name that is not among `names`, with the nearest of them."""
    known = list(names)
    if name in known:
        return
    if not known:
        raise refused(place, f"no {what} `{name}`, and there are none")
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f", did you mean `{near[0]}`?" if near else ","
    raise refused(place, f"no {what} `{name}`{hint} expected one of {listed(known)}")


def check_value(value: Any, schema: dict[str, Any], place: str) -> None:
    """Refuses a value that does not fit the fragment of JSON Schema."""
    error = jsonschema.exceptions.best_match(_validator(orjson.dumps(schema)).iter_errors(value))
    if error is None:
        return
    for part in error.absolute_path:
        place = at(place, part)
    raise refused(place, _shortened(error.message))


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(f"`{name}`" for name in names) or "none"


@functools.lru_cache(maxsize=_VALIDATORS_MAX)
def _validator(schema_json: bytes) -> Any:
    return jsonschema.Draft202012Validator(orjson.loads(schema_json))


def _shortened(message: str) -> str:
    if len(message) <= _MESSAGE_CHARS_MAX:
        return message
    half = _MESSAGE_CHARS_MAX // 2
    return f"{message[:half]} … {message[-half:]}"


_MESSAGE_CHARS_MAX = 400
