"""Declared schemas, held against what handlers give: results and chunks, before they are sent.

Owns the sentence of such a refusal. The check itself is native, on the encoded document. Must not
know operations or calls.
"""

from __future__ import annotations

from typing import Any

import orjson

from . import _native
from .errors import ValueRefused


class Contract:
    """One schema. `what` names in refusals what is held against it: `result`, `chunk`."""

    __slots__ = ("_schema", "_what")

    def __init__(self, schema: dict[str, Any], what: str) -> None:
        """Raises `ValueError` that says why `schema` is no JSON Schema."""
        self._schema = _native.Schema(orjson.dumps(schema))
        self._what = what

    def check(self, document: bytes) -> None:
        """Raises `ValueRefused`, which names the place and what the schema expects there."""
        try:
            self._schema.check(document)
        except _native.ValueRefused as fault:
            raise BrokenContract(self._what, str(fault.path), str(fault.args[1])) from None


class BrokenContract(ValueRefused):
    """A handler gave something else than its operation declares."""

    def __init__(self, what: str, path: str, fault: str) -> None:
        super().__init__(path, fault)
        self.message = f"{what} at {path} is not as declared: {fault}"
        self.args = (self.message,)


def contract(schema: dict[str, Any] | None, what: str) -> Contract | None:
    """The contract of a schema; None where it accepts everything."""
    if schema is None or not set(schema) - _ANNOTATIONS:
        return None
    return Contract(schema, what)


_ANNOTATIONS = {"$schema", "title", "description", "default", "examples", "$comment"}
