"""Forms of answers: a JSON Schema of a document, compiled once, and values held against it.

It owns the two refusals: of what is no schema, by its place in the document, and of an answer that
is not of the form, by its place in the answer. The check is native and reaches for no network. It
must not know who answers.
"""

from __future__ import annotations

from typing import Any

import orjson

from snakepit_bridge import _native
from snakepit_bridge.errors import InvalidArgument
from snakepit_bridge.host_lm import MalformedAnswer

__all__ = ["Form"]


class Form:
    """One schema, at its place in a document. Raises `InvalidArgument` for what is no JSON
    Schema."""

    def __init__(self, schema: dict[str, Any], place: str) -> None:
        self.schema = schema
        self._place = place
        try:
            self._compiled = _native.Schema(orjson.dumps(schema))
        except (ValueError, TypeError) as error:
            raise InvalidArgument(f"{place} is not a JSON Schema: {error}") from error

    def titled(self) -> dict[str, Any]:
        """The schema with a name, by which models are asked for it."""
        return {"title": "answer", **self.schema}

    def check(self, value: Any) -> None:
        """Raises `MalformedAnswer`, naming where and why, for a value that is not of this form."""
        try:
            self._compiled.check(orjson.dumps(value))
        except _native.ValueRefused as fault:
            raise MalformedAnswer(
                f"answer of the model at {fault.path}, held against {self._place}: {fault.args[1]}",
                details={"path": str(fault.path), "schema": self._place},
            ) from None
