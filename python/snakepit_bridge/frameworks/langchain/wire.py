"""What leaves the worker: LangChain's and LangGraph's objects as plain documents.

It owns the form of messages, prompts, documents, interrupts and commands in results and chunks. It
must not know who asked. Values that are documents already pass unchanged. What has no form at all
is left for the bridge to refuse, or named by its type where the reader only looks on (`shown`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.prompt_values import PromptValue
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel, PydanticUserError

from snakepit_bridge.errors import BridgeError

from .messages import message_words

__all__ = ["failure", "plain", "schema_of", "shown"]


def plain(obj: Any) -> Any:
    """`obj` with the frameworks' own objects replaced by documents, at any depth."""
    return _Plain(lossy=False).of(obj)


def shown(obj: Any) -> Any:
    """As `plain`, for events: what has no form is named by its type, as `{"type": "module.Name"}`,
    so that one odd object does not end the stream."""
    return _Plain(lossy=True).of(obj)


def schema_of(describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The JSON Schema that LangChain makes of a type, or, of a type that has none, that of any
    value: a state may hold what only Python knows."""
    try:
        return shown(describe())
    except PydanticUserError:
        return {}


def failure(error: BaseException) -> dict[str, Any]:
    """A failure that is told as part of a result."""
    status = error.status.name if isinstance(error, BridgeError) else "PYTHON_EXCEPTION"
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return {"status": status, "type": kind, "message": str(error)[:_MESSAGE_MAX]}


class _Plain:
    """One pass over one value."""

    def __init__(self, lossy: bool) -> None:
        self._lossy = lossy

    def of(self, obj: Any) -> Any:
        if obj is None or isinstance(obj, _SCALARS):
            return obj
        if isinstance(obj, Mapping):
            return {self._key(key): self.of(value) for key, value in obj.items()}
        if isinstance(obj, (list, tuple, set, frozenset)) and not hasattr(obj, "_fields"):
            return [self.of(item) for item in obj]
        return self._object(obj)

    def _object(self, obj: Any) -> Any:
        if isinstance(obj, BaseMessage):
            return message_words(obj)
        if isinstance(obj, PromptValue):
            return {"messages": self.of(obj.to_messages())}
        if isinstance(obj, Document):
            found = {"page_content": obj.page_content, "metadata": self.of(obj.metadata)}
            return found if obj.id is None else {**found, "id": obj.id}
        if isinstance(obj, Interrupt):
            return {"id": obj.id, "value": self.of(obj.value)}
        if isinstance(obj, Send):
            return {"node": obj.node, "arg": self.of(obj.arg)}
        if isinstance(obj, Command):
            named = ("graph", "update", "resume", "goto")
            return {name: self.of(value) for name in named if (value := getattr(obj, name))}
        if isinstance(obj, BaseException):
            return failure(obj)
        return self._structure(obj)

    def _structure(self, obj: Any) -> Any:
        """Records of a user's own, by their fields; everything else as it is, or by its type."""
        if isinstance(obj, BaseModel):
            return {name: self.of(getattr(obj, name)) for name in type(obj).model_fields}
        if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
            fields = dataclasses.fields(obj)
            return {field.name: self.of(getattr(obj, field.name)) for field in fields}
        if hasattr(obj, "_fields"):
            return {name: self.of(value) for name, value in zip(obj._fields, obj, strict=True)}
        if not self._lossy:
            return obj
        return {"type": f"{type(obj).__module__}.{type(obj).__qualname__}"}

    def _key(self, key: Any) -> Any:
        return str(key) if self._lossy else key


_SCALARS = (str, int, float, bool, bytes)
_MESSAGE_MAX = 4000
