"""Conditions of branches as data: a field of the input, and what it is held against.

It owns the few tests that there are and their checks; nothing in a condition is code. It must not
know steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snakepit_bridge.errors import InvalidArgument

from .checks import Fields

__all__ = ["condition"]

Test = Callable[[Any], bool]


def condition(document: Any, place: str) -> Test:
    """The test of `{"field"?, one of equals, in, contains, exists, above, below}`, of `{"not"}`, or
    of `{"all"}` and `{"any"}` of several. Raises `InvalidArgument` naming the place."""
    fields = Fields(document, place)
    for name, combine in _COMBINED.items():
        if fields.has(name):
            each = fields.take(name, list, "a list of conditions")
            tests = [condition(one, f"{fields.at(name)}[{i}]") for i, one in enumerate(each)]
            fields.end()
            return lambda given, combine=combine: combine(test(given) for test in tests)
    if fields.has("not"):
        inner = condition(fields.take("not", dict, "a condition"), fields.at("not"))
        fields.end()
        return lambda given: not inner(given)
    return _single(document, fields)


def _single(document: dict[str, Any], fields: Fields) -> Test:
    path = fields.text("field", None)
    found = [name for name in _TESTS if name in document]
    if len(found) != 1:
        raise InvalidArgument(
            f"{fields.place} with {len(found)} tests, expected one of {', '.join(_TESTS)}"
        )
    name = found[0]
    wanted = fields.value(name)
    if name == "in" and not isinstance(wanted, list):
        raise InvalidArgument(f"{fields.at('in')}, expected a list")
    fields.end()
    test, steps = _TESTS[name], path.split(".") if path else []
    return lambda given: test(_at(given, steps), wanted)


def _at(value: Any, steps: list[str]) -> Any:
    """The value behind a path of keys; a message's text for what is no object."""
    for step in steps:
        value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
    return getattr(value, "text", value)


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted.casefold() in value.casefold()
    return isinstance(value, (list, dict)) and wanted in value


def _ordered(value: Any, wanted: Any) -> bool:
    kinds = (int, float)
    return isinstance(value, kinds) and isinstance(wanted, kinds) and not isinstance(value, bool)


_MISSING = object()
_COMBINED: dict[str, Callable[[Any], bool]] = {"all": all, "any": any}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda value, wanted: type(value) is type(wanted) and value == wanted,
    "in": lambda value, wanted: value in wanted,
    "contains": _contains,
    "exists": lambda value, wanted: (value is not _MISSING and value is not None) is bool(wanted),
    "above": lambda value, wanted: _ordered(value, wanted) and value > wanted,
    "below": lambda value, wanted: _ordered(value, wanted) and value < wanted,
}
