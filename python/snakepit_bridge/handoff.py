"""The handoff document: what a new worker is told over an inherited descriptor.

Owns its form and the checks on it. The token in it is shown nowhere. Must not know what is done
with it.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import orjson

# What a worker cannot do without.
NEEDED = frozenset({"socket", "token", "frameworks"})


class HandoffError(Exception):
    """The document is missing or not of the agreed form."""


@dataclasses.dataclass(frozen=True, slots=True)
class FrameworkEntry:
    """A framework to load, and its options."""

    id: str
    options: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Handoff:
    """The document, checked. `token` is the one-time secret of the hello."""

    frameworks: list[FrameworkEntry]
    socket: str = ""
    token: bytes = dataclasses.field(default=b"", repr=False)
    slot: int = 0
    generation: int = 0
    pool: str = ""
    python_path: list[str] = dataclasses.field(default_factory=list)
    switch_interval_ms: float = 0.5
    threads_max: int = 256
    log_level: str = "info"
    connect_timeout_ms: int = 10_000


def read(descriptor: int) -> Handoff:
    """Reads the document to its end and closes the descriptor. Raises `HandoffError`."""
    return parse(_read(descriptor))


def read_template(descriptor: int) -> Handoff:
    """As `read`, for a template: it is told what to prepare, and neither token nor socket."""
    return parse(_read(descriptor), needed=frozenset({"frameworks"}))


def _read(descriptor: int) -> bytes:
    try:
        with os.fdopen(descriptor, "rb") as stream:
            text = stream.read(HANDOFF_BYTES_MAX + 1)
    except OSError as fault:
        message = f"descriptor {descriptor} cannot be read ({fault.strerror}): a worker is started"
        raise HandoffError(f"{message} by the platform, not by hand") from None
    if len(text) > HANDOFF_BYTES_MAX:
        raise HandoffError(f"handoff has more than {HANDOFF_BYTES_MAX} bytes")
    return text


def parse(text: bytes, needed: frozenset[str] = NEEDED) -> Handoff:
    """The document in `text`. Keys it does not know are a newer platform's and left alone."""
    try:
        document = orjson.loads(text)
    except ValueError:
        raise HandoffError("handoff is not JSON") from None
    if not isinstance(document, dict):
        raise HandoffError("handoff is not an object")
    given = {key: value for key, value in document.items() if key in _KNOWN}
    for key, kind in _KINDS.items():
        if key in given and (type(given[key]) is bool or not isinstance(given[key], kind)):
            raise HandoffError(f"{key} is a {type(given[key]).__name__}, expected {_shown(kind)}")
    missing = sorted(needed - set(given))
    if missing:
        raise HandoffError(f"handoff lacks {missing[0]}")
    if "token" in given:
        given["token"] = _token(given["token"])
    given["frameworks"] = [_framework(entry) for entry in given["frameworks"]]
    if given.get("log_level", "info") not in LOG_LEVELS:
        raise HandoffError(f"log_level is not one of {', '.join(LOG_LEVELS)}")
    return Handoff(**given)


def _token(text: str) -> bytes:
    try:
        token = bytes.fromhex(text)
    except ValueError:
        raise HandoffError("token is not hexadecimal") from None
    if len(token) != TOKEN_BYTES:
        raise HandoffError(f"token has {len(token)} bytes, expected {TOKEN_BYTES}")
    return token


def _framework(entry: Any) -> FrameworkEntry:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise HandoffError("frameworks holds an entry without an id")
    options = entry.get("options") or {}
    if not isinstance(options, dict):
        raise HandoffError(f"options of framework {entry['id']!r} are not an object")
    return FrameworkEntry(entry["id"], options)


def _shown(kind: Any) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(each.__name__ for each in kinds)


LOG_LEVELS = ("debug", "info", "warning", "error")
TOKEN_BYTES = 32
HANDOFF_BYTES_MAX = 1024 * 1024

_KNOWN = frozenset(field.name for field in dataclasses.fields(Handoff))
_KINDS: dict[str, Any] = {
    "socket": str,
    "token": str,
    "frameworks": list,
    "slot": int,
    "generation": int,
    "pool": str,
    "python_path": list,
    "switch_interval_ms": (int, float),
    "threads_max": int,
    "log_level": str,
    "connect_timeout_ms": int,
}
