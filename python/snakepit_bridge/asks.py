"""Requests about variables: each verb with its arguments put into the link's form, sent, and waited
for in one of two ways.

Owns the arguments' checks that need no host. Must not know what an answer means to a handler.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .errors import InvalidArgument
from .values import encode, encode_variable

if TYPE_CHECKING:
    from .context import CallContext

Item = tuple[Any, ...]


class Asks:
    """Starts requests of one call. What each method returns is to be given to `wait` or `next`."""

    __slots__ = ("_call",)

    def __init__(self, call: CallContext) -> None:
        self._call = call

    def cached(self, name: str) -> Item | None:
        """The variable if the host need not be asked: nothing has changed since it was read."""
        return self._call.bridge.cached(self._call, name)

    def wait(self, request: Any) -> Item:
        """Blocks until the answer."""
        return self._call.bridge.wait(self._call, request)

    async def next(self, request: Any) -> Item:
        """As `wait`, for coroutines."""
        return await self._call.bridge.next(self._call, request)

    def refuse_blocking(self) -> None:
        """Raises where waiting is not allowed, whether or not there is something to wait for."""
        self._call.bridge.refuse_blocking()

    def get(self, name: str) -> Any:
        return self._open(self._link.state_get, name)

    def get_many(self, names: Iterable[str]) -> Any:
        return self._open(self._link.state_get_many, list(names))

    def set(self, name: str, value: Any, expected_version: int | None, owner: str) -> Any:
        json, attachments = self._encode(value)
        start = self._link.state_set
        return self._open(start, name, json, attachments, expected_version, owner)

    def set_many(self, writes: Iterable[tuple[str, Any, int | None]], owner: str) -> Any:
        encoded = [(name, *self._encode(value), version) for name, value, version in writes]
        return self._open(self._link.state_set_many, encoded, owner)

    def update(
        self, name: str, change: dict[str, Any], expected_version: int | None, owner: str
    ) -> Any:
        if len(change) != 1:
            given = ", ".join(change) or "none"
            raise InvalidArgument(f"update takes one change such as add=1, given {given}")
        json, attachments = encode(change, self._call.bridge.value_bytes_max)
        start = self._link.state_update
        return self._open(start, name, json, attachments, expected_version, owner)

    def register(
        self,
        name: str,
        type: str,
        initial: Any,
        constraints: dict[str, Any] | None,
        metadata: dict[str, Any] | None,
    ) -> Any:
        limit = self._call.bridge.value_bytes_max
        json, attachments = self._encode(initial)
        more = [encode(document or {}, limit)[0] for document in (constraints, metadata)]
        return self._open(self._link.state_register, name, type, json, attachments, *more)

    def delete(self, name: str, expected_version: int | None, owner: str) -> Any:
        return self._open(self._link.state_delete, name, expected_version, owner)

    def list(self, pattern: str, after: str, limit: int) -> Any:
        return self._open(self._link.state_list, pattern, after, limit)

    def history(self, name: str) -> Any:
        return self._open(self._link.state_history, name)

    def rollback(self, name: str, version: int, expected_version: int | None, owner: str) -> Any:
        return self._open(self._link.state_rollback, name, version, expected_version, owner)

    def lock(self, name: str, owner: str, ttl: float) -> Any:
        if not ttl > 0 or math.isinf(ttl):
            raise InvalidArgument(f"ttl is {ttl!r}, expected a finite number of seconds above 0")
        return self._open(self._link.state_lock, name, owner, max(1, math.ceil(ttl * 1000)))

    def unlock(self, name: str, owner: str) -> Any:
        return self._open(self._link.state_unlock, name, owner)

    def watch(self, patterns: Iterable[str], coalesce: bool, initial: bool, queue_max: int) -> Any:
        start = self._link.state_watch
        return self._open(start, list(patterns), coalesce, initial, queue_max)

    @property
    def _link(self) -> Any:
        return self._call.bridge.link

    def _encode(self, value: Any) -> tuple[bytes, Any]:
        return encode_variable(value, self._call.bridge.value_bytes_max)

    def _open(self, start: Any, *arguments: Any) -> Any:
        return self._call.bridge.open(self._call, start, *arguments)
