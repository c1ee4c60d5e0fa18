"""How checkpoints lie in variables: names, documents, and LangGraph's own objects made of them.

A checkpoint is one variable, what tasks wrote behind it a second one, and each thread and namespace
has an index of its checkpoints. It owns this layout. It must not ask the session for anything.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id, writes_sort_key

from snakepit_bridge.errors import InvalidArgument, TypeMismatch

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for."""

    thread: str | None = None
    namespace: str | None = None
    id: str | None = None
    before: str | None = None
    limit: int | None = None
    filter: dict[str, Any] | None = None

    @staticmethod
    def of(
        config: RunnableConfig | None,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Query:
        """The query in LangGraph's arguments."""
        told = (config or {}).get("configurable") or {}
        return Query(
            thread=told.get("thread_id"),
            namespace=told.get("checkpoint_ns"),
            id=told.get("checkpoint_id"),
            before=get_checkpoint_id(before) if before else None,
            limit=limit,
            filter=filter,
        )


def named(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace and checkpoint of a configuration. Raises `InvalidArgument` without a
    thread."""
    told = config.get("configurable") or {}
    if not isinstance(told.get("thread_id"), str) or not told["thread_id"]:
        raise InvalidArgument("thread missing, expected a text that names it")
    return told["thread_id"], told.get("checkpoint_ns") or "", told.get("checkpoint_id")


def config_of(thread: str, namespace: str, id: str) -> RunnableConfig:
    """LangGraph's name for a checkpoint."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": id}}


def place_of(thread: str, namespace: str) -> str:
    """The name that all variables of a thread and namespace begin with."""
    return f"{PREFIX}.{key_of(thread)}.{key_of(namespace) if namespace else ROOT}"


def key_of(text: str) -> str:
    """A part of a variable's name for any text: itself where it can be, else its digest."""
    if _PLAIN.fullmatch(text):
        return text
    return "x-" + hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]


def ids_of(index: Document | None) -> list[str]:
    """The checkpoints of an index, oldest first: their ids grow with time."""
    return sorted(set(index["ids"])) if index else []


def tuple_of(serde: Any, document: Document, writes: list[Document] | None) -> CheckpointTuple:
    """LangGraph's object for what two variables hold."""
    thread, namespace, parent = (document[name] for name in ("thread", "namespace", "parent"))
    checkpoint = loaded(serde, document["checkpoint"])
    return CheckpointTuple(
        config=config_of(thread, namespace, checkpoint["id"]),
        checkpoint=checkpoint,
        metadata=loaded(serde, document["metadata"]),
        parent_config=config_of(thread, namespace, parent) if parent else None,
        pending_writes=[
            (each["task"], each["channel"], loaded(serde, each["value"]))
            for each in _ordered(writes or [])
        ],
    )


def _ordered(entries: list[Document]) -> list[Document]:
    """In the order of a live run. Of an ordinary write the first counts, of a special one (an
    error, an interrupt, its answer) the last."""
    kept: dict[tuple[str, int], Document] = {}
    for entry in entries:
        key = (entry["task"], entry["index"])
        if key[1] < 0 or key not in kept:
            kept[key] = entry
    return sorted(
        kept.values(), key=lambda each: writes_sort_key(each["path"], each["task"], each["index"])
    )


def matches(found: CheckpointTuple, filter: dict[str, Any] | None) -> bool:
    """Whether the metadata has all that the filter names."""
    return all(found.metadata.get(key) == value for key, value in (filter or {}).items())


def dumped(serde: Any, value: Any) -> Document:
    """The document that a value is kept as. Raises `TypeMismatch` for what only pickle could
    write."""
    try:
        kind, data = serde.dumps_typed(value)
    except TypeError as error:
        raise TypeMismatch(f"state of the graph cannot be kept: {error}") from error
    return {"type": kind, "data": bytes(data)}


def loaded(serde: Any, document: Document) -> Any:
    """The value that was kept. Raises `InvalidArgument` for types that could run code."""
    if document["type"] not in _TYPES:
        raise InvalidArgument(
            f"checkpoint of type {document['type']!r}, expected one of {', '.join(_TYPES)}"
        )
    return serde.loads_typed((document["type"], document["data"]))


PREFIX = "langgraph"
INDEX = "index"
WRITES = "writes"
# The namespace of a graph that is no part of another.
ROOT = "root"

# Without dots, which part the names, and unlike a digest, which begins with `x-`.
_PLAIN = re.compile(r"(?!x-|root$)[A-Za-z0-9_-]{1,40}")
_DIGEST_CHARS = 32
_TYPES = ("null", "bytes", "bytearray", "msgpack")
