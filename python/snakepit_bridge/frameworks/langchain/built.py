"""What was built of documents, kept for the next call with equal ones.

It owns the key, which holds everything that a build depends on, and the limits. What is kept
belongs to no call and no session: models and tools find out for whom they run when they are asked.
It must not know how anything is built.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import orjson

from .tools import Known

__all__ = ["BuiltCache", "relevant", "tool_names"]

Thing = TypeVar("Thing")


class BuiltCache:
    """The most recently used builds. For the event loop's thread only."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Any] = OrderedDict()

    def get(self, parts: list[Any], make: Callable[[], Thing]) -> Thing:
        """What `make` made for equal `parts` before, or makes now."""
        try:
            key = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            # Documents from variables may hold arrays; they are built each time.
            return make()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        if len(key) <= _KEY_BYTES_MAX:
            self._kept[key] = made
            if len(self._kept) > _BUILDS_MAX:
                self._kept.popitem(last=False)
        return made


def tool_names(document: Any) -> set[str]:
    """The host tools that a document names, wherever in it."""
    return set(_named(document))


def relevant(names: set[str], known: Known) -> dict[str, Any]:
    """Those tools as the key of a build has them."""
    return {name: known.get(name) for name in names}


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _named(item)
    if not isinstance(node, dict):
        return
    found = [node.get("tool")] if node.get("kind") == "tool" else []
    listed = node.get("tools")
    found += listed if isinstance(listed, list) else []
    yield from (name for name in found if isinstance(name, str))
    for value in node.values():
        yield from _named(value)


_BUILDS_MAX = 128
_KEY_BYTES_MAX = 64 * 1024
