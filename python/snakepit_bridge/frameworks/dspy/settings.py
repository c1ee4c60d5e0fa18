"""The keys of a document, taken one by one, with their refusals.

It owns the words for a key of the wrong kind, a missing one, and one that nobody knows (with the
nearest name). It must not know what the document describes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from snakepit_bridge.errors import InvalidArgument

__all__ = ["Settings", "listed", "nearest"]


class Settings:
    """The keys of a document behind its `kind`, at the place `where`."""

    def __init__(self, document: Mapping[str, Any], where: str) -> None:
        self.where = where
        self._left = {name: value for name, value in document.items() if name != "kind"}
        self._known: list[str] = []

    def take(self, name: str, kinds: tuple[type, ...], expected: str) -> Any:
        """The value of a key that may be absent or null: then None."""
        self._known.append(name)
        value = self._left.pop(name, None)
        # For Python a boolean is an integer, too.
        fits = bool in kinds if isinstance(value, bool) else isinstance(value, kinds)
        if value is None or fits:
            return value
        raise InvalidArgument(
            f"{self.where}.{name} of kind {type(value).__name__}, expected {expected}"
        )

    def text(self, name: str, default: str | None = None) -> str:
        """A string; it must be there unless there is a `default`."""
        value = self.take(name, (str,), "a string") or default
        if value is None:
            raise InvalidArgument(f"{self.where}.{name} missing, expected a string")
        return str(value)

    def whole(self, name: str) -> int | None:
        """A whole number above zero, or None."""
        value = self.take(name, (int,), "an integer above 0")
        if value is not None and value < 1:
            raise InvalidArgument(f"{self.where}.{name} {value}, expected an integer above 0")
        return value

    def share(self, name: str) -> float | None:
        """A number from zero to one, or None."""
        value = self.take(name, (int, float), "a number from 0 to 1")
        if value is not None and not 0 <= value <= 1:
            raise InvalidArgument(f"{self.where}.{name} {value}, expected a number from 0 to 1")
        return value

    def finish(self) -> None:
        """Refuses the keys that nobody took."""
        for name in self._left:
            raise InvalidArgument(f"{self.where}.{name}, expected {nearest(self._known, name)}")


def nearest(names: Iterable[str], wanted: str) -> str:
    """The nearest of the names, or all of them."""
    near = difflib.get_close_matches(wanted, list(names), n=1)
    return f"`{near[0]}`" if near else f"one of {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """The names as a sentence has them."""
    return ", ".join(f"`{name}`" for name in names) or "none"
