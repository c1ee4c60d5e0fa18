"""What every kind of step checks in its document: keys, kinds of values, choices. Each refusal
names its place.

It owns these checks and the hint at the nearest name. It must not know any kind of step.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from snakepit_bridge.errors import InvalidArgument

from .forms import Form

__all__ = ["Fields", "expected", "kind_of", "nearest"]


class Fields:
    """An object of a document, at its place. Keys that are never asked for are refused by
    `end`."""

    def __init__(self, document: Any, place: str) -> None:
        if not isinstance(document, dict):
            raise expected(place, document, "an object")
        self._document = document
        self.place = place
        self._known: set[str] = set()

    def take(self, name: str, kind: type | tuple[type, ...], words: str, default: Any = ...) -> Any:
        """The value of `name`, which is of `kind`; `default` where it is missing, if given."""
        self._known.add(name)
        value = self._document.get(name)
        if value is None:
            if default is not ...:
                return default
            raise InvalidArgument(f"{self.at(name)} missing, expected {words}")
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise expected(self.at(name), value, words)
        return value

    def value(self, name: str) -> Any:
        """Whatever is there, null too; refused where the key is missing."""
        self._known.add(name)
        if name not in self._document:
            raise InvalidArgument(f"{self.at(name)} missing, expected a value")
        return self._document[name]

    def has(self, name: str) -> bool:
        """Whether the key is there with a value."""
        return self._document.get(name) is not None

    def text(self, name: str, default: Any = ...) -> Any:
        """A text that is not empty."""
        value = self.take(name, str, "a text", default)
        if value == "":
            raise InvalidArgument(f"{self.at(name)} is empty, expected a text")
        return value

    def choice(self, name: str, choices: Iterable[str], default: Any = ...) -> Any:
        """One of a few words."""
        words = list(choices)
        value = self.take(name, str, f"one of {', '.join(words)}", default)
        if value is not default and value not in words:
            raise InvalidArgument(
                f"{self.at(name)} {value!r}, expected one of {', '.join(words)}"
                f"{nearest(value, words)}"
            )
        return value

    def number(self, name: str, low: int, high: int, default: Any = ...) -> Any:
        """A whole number within bounds."""
        value = self.take(name, int, "a whole number", default)
        if value is not default and not low <= value <= high:
            raise InvalidArgument(f"{self.at(name)} {value}, expected {low} to {high}")
        return value

    def texts(self, name: str, default: Any = ...) -> Any:
        """A list of texts."""
        values = self.take(name, list, "a list of texts", default)
        for index, value in enumerate(values or []):
            if not isinstance(value, str) or not value:
                raise expected(f"{self.at(name)}[{index}]", value, "a text")
        return values

    def form(self, name: str, default: Any = ...) -> Any:
        """The form that a JSON Schema describes."""
        value = self.take(name, dict, "a JSON Schema", default)
        return default if value is default else Form(value, self.at(name))

    def end(self) -> None:
        """Refuses keys that nobody asked for."""
        for name in self._document:
            if name not in self._known:
                known = sorted(self._known)
                raise InvalidArgument(
                    f"{self.at(name)}, expected one of {', '.join(known)}{nearest(name, known)}"
                )

    def at(self, name: str) -> str:
        """The place of one of its values."""
        return f"{self.place}.{name}"


def expected(place: str, value: Any, words: str) -> InvalidArgument:
    """The refusal of a value of the wrong kind."""
    return InvalidArgument(f"{place} of kind {kind_of(value)}, expected {words}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at what was probably meant, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def kind_of(value: Any) -> str:
    """The kind of a value in the words of JSON."""
    return _KINDS.get(type(value), type(value).__name__)


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
