"""Variables and their changes as handlers see them: plain records, made of what the host sends.

Owns the records and how they are decoded. Must not know sessions, calls or who asks.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson

from .values import decode


@dataclasses.dataclass(frozen=True, slots=True)
class Lock:
    """Who keeps others from writing a variable, and for how many seconds from the read."""

    owner: str
    expires_in: float


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it was when it was read. `version` starts at 1 and grows by one with each
    write; `id` tells it from a later variable of the same name.
    """

    name: str
    type: str
    value: Any
    version: int
    constraints: dict[str, Any]
    metadata: dict[str, Any]
    id: int = 0
    lock: Lock | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """A value that a variable had, or has, at one version."""

    version: int
    value: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One thing that a watch tells.

    `kind` is "initial" (as it was when the watch began), "registered", "written", "deleted",
    "locked" (by `owner`), "unlocked", or "missed": then `missed` changes were not kept, because
    they were not taken in time (0: nobody knows how many), and what has to be current is read
    again. `has_value` is false where a change has none, or one too large to be told.
    """

    kind: str
    name: str = ""
    id: int = 0
    version: int = 0
    revision: int = 0
    value: Any = None
    has_value: bool = False
    owner: str = ""
    missed: int = 0


def variable_of(item: tuple[Any, ...]) -> Variable:
    """The variable of a `("variable", …)` item."""
    _, name, type, json, attachments, version, constraints, metadata, id, owner, left_ms = item
    return Variable(
        name=name,
        type=type,
        value=decode(json, attachments),
        version=version,
        constraints=orjson.loads(constraints) if constraints else {},
        metadata=orjson.loads(metadata) if metadata else {},
        id=id,
        lock=Lock(owner, left_ms / 1000) if owner else None,
    )


def value_of(item: tuple[Any, ...]) -> Any:
    """Only the value of it."""
    return decode(item[3], item[4])


def history_of(item: tuple[Any, ...]) -> list[Past]:
    """The values of a `("history", …)` item, oldest first."""
    return [Past(version, decode(json, attachments)) for version, json, attachments in item[1]]


def change_of(item: tuple[Any, ...]) -> Change:
    """The change of a `("change", …)` item."""
    _, kind, name, id, version, revision, value, owner, missed, _ = item
    return Change(
        kind=kind,
        name=name,
        id=id,
        version=version,
        revision=revision,
        value=None if value is None else decode(*value),
        has_value=value is not None,
        owner=owner,
        missed=missed,
    )
