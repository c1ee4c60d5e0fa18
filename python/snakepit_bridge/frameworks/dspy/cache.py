"""Modules kept between calls: what a worker has built for a document serves the next call, too.

It owns the key, which is the document's content (with the tools, settings and rows that went in),
and the limit. So a program that is written to is built anew, one that is rolled back is found
again, and nothing has to be told to be old. It must not know calls.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import dspy
import orjson

from .build import Material
from .documents import Program, parse

__all__ = ["ModuleCache"]


class ModuleCache:
    """Programs by document, and modules by all that went into them; the least recently used leave.

    Only modules that a run does not change are kept: several calls use one at once.
    """

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, Any] = OrderedDict()

    def program(self, document: dict[str, Any], place: str) -> tuple[Program, bytes]:
        """The checked document, and what tells its content from any other."""
        content = _digest(place.encode() + b"\0" + orjson.dumps(document, option=_SORTED))
        program = self._found(content, lambda: parse(document, place))
        return program, content

    def module(
        self,
        program: Program,
        content: bytes,
        material: Material,
        make: Callable[[], dspy.Module],
    ) -> dspy.Module:
        """The module for this call: a kept one where that may be, else one of its own."""
        if not _shareable(program):
            return make()
        seen: dict[str, Any] = {
            "tools": [
                [name, material.tools[name].description, material.tools[name].input_schema]
                for part in program.walk()
                for name in part.tools
                if name in material.tools
            ],
            "values": [
                material.values[binding.variable]
                for part in program.walk()
                for binding in part.bindings()
                if ".config." in f".{binding.place}"
            ],
            "rows": [list(version) for version in material.versions.values()],
        }
        return self._found(content + _digest(orjson.dumps(seen, option=_SORTED)), make)

    def _found(self, key: bytes, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        made = make()
        with self._lock:
            self._entries[key] = made
            while len(self._entries) > self._entries_max:
                self._entries.popitem(last=False)
        return made


def _digest(content: bytes) -> bytes:
    """In place of the content, which may be large and would be kept as long as its module."""
    return hashlib.blake2b(content, digest_size=32).digest()


def _shareable(program: Program) -> bool:
    """Whether many calls may use one module: running changes nothing in it, and it holds no
    language model, which belongs to a call."""
    return all(
        part.kind.stateless and (part is program or part.lm is None) for part in program.walk()
    )


_SORTED = orjson.OPT_SORT_KEYS
