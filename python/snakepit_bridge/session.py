"""The session of the running call: its variables, and its tools.

Owns the variable verbs in their blocking and awaitable forms. State lives on the host: nothing is
cached here, every read asks. Must not know frameworks or how calls are dispatched.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import orjson

from .errors import NotFound
from .tools import Tools
from .values import decode, encode, encode_variable

if TYPE_CHECKING:
    from .context import CallContext


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it was when it was read. `version` starts at 1 and grows by one with each
    write.
    """

    name: str
    type: str
    value: Any
    version: int
    constraints: dict[str, Any]
    metadata: dict[str, Any]


Variables = list[Variable]


class Session:
    """Variables and tools of the session that the running call belongs to, and of no other.

    Each verb exists twice: blocking for plain handlers, with an `a` in front for coroutines.
    Failures are `BridgeError`s: `NotFound` (also a KeyError), `VersionConflict`, `TypeMismatch`,
    `ConstraintViolation`, `OperationCancelled` once the call is cancelled, `StateError` once it has
    ended.
    """

    __slots__ = ("_call", "id", "tools")

    def __init__(self, call: CallContext, session_id: str) -> None:
        self._call = call
        self.id = session_id
        self.tools = Tools(call)

    def __getitem__(self, name: str) -> Any:
        return self.variable(name).value

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def get(self, name: str, default: Any = ...) -> Any:
        """The value of `name`. Without a variable of that name: `default` if given, else
        `NotFound`.
        """
        try:
            return self.variable(name).value
        except NotFound:
            if default is ...:
                raise
            return default

    async def aget(self, name: str, default: Any = ...) -> Any:
        """As `get`."""
        try:
            return (await self.avariable(name)).value
        except NotFound:
            if default is ...:
                raise
            return default

    def variable(self, name: str) -> Variable:
        """The variable with its version, type, constraints and metadata."""
        return _variable(self._wait(self._start_get(name)))

    async def avariable(self, name: str) -> Variable:
        """As `variable`."""
        return _variable(await self._next(self._start_get(name)))

    def set(self, name: str, value: Any, expected_version: int | None = None) -> int:
        """Writes and returns the new version. With `expected_version` only over exactly
        that one.
        """
        return _variable(self._wait(self._start_set(name, value, expected_version))).version

    async def aset(self, name: str, value: Any, expected_version: int | None = None) -> int:
        """As `set`."""
        return _variable(await self._next(self._start_set(name, value, expected_version))).version

    def register(
        self,
        name: str,
        type: str,
        initial: Any,
        constraints: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Variable:
        """Makes a new variable. `type`: string, integer, float, boolean, choice, json and what the
        host adds.
        """
        return _variable(
            self._wait(self._start_register(name, type, initial, constraints, metadata))
        )

    async def aregister(
        self,
        name: str,
        type: str,
        initial: Any,
        constraints: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Variable:
        """As `register`."""
        request = self._start_register(name, type, initial, constraints, metadata)
        return _variable(await self._next(request))

    def delete(self, name: str, expected_version: int | None = None) -> None:
        """Removes the variable, with `expected_version` only if it is at that one."""
        self._wait(self._start_delete(name, expected_version))

    async def adelete(self, name: str, expected_version: int | None = None) -> None:
        """As `delete`."""
        await self._next(self._start_delete(name, expected_version))

    def list(self, pattern: str = "") -> Variables:
        """The variables whose names match `pattern` (`*` and `?`), or all."""
        item = self._wait(self._start_list(pattern))
        return [_variable(variable) for variable in item[1]]

    async def alist(self, pattern: str = "") -> Variables:
        """As `list`."""
        item = await self._next(self._start_list(pattern))
        return [_variable(variable) for variable in item[1]]

    def _start_get(self, name: str) -> Any:
        return self._open(self._call.bridge.link.state_get, name)

    def _start_set(self, name: str, value: Any, expected_version: int | None) -> Any:
        bridge = self._call.bridge
        json, attachments = encode_variable(value, bridge.value_bytes_max)
        return self._open(bridge.link.state_set, name, json, attachments, expected_version)

    def _start_register(
        self,
        name: str,
        type: str,
        initial: Any,
        constraints: dict[str, Any] | None,
        metadata: dict[str, Any] | None,
    ) -> Any:
        bridge = self._call.bridge
        limit = bridge.value_bytes_max
        json, attachments = encode_variable(initial, limit)
        more = [encode(document or {}, limit)[0] for document in (constraints, metadata)]
        return self._open(bridge.link.state_register, name, type, json, attachments, *more)

    def _start_delete(self, name: str, expected_version: int | None) -> Any:
        return self._open(self._call.bridge.link.state_delete, name, expected_version)

    def _start_list(self, pattern: str) -> Any:
        return self._open(self._call.bridge.link.state_list, pattern)

    def _open(self, start: Any, *arguments: Any) -> Any:
        return self._call.bridge.open(self._call, start, *arguments)

    def _wait(self, request: Any) -> Any:
        return self._call.bridge.wait(self._call, request)

    async def _next(self, request: Any) -> Any:
        return await self._call.bridge.next(self._call, request)


def _variable(item: tuple[Any, ...]) -> Variable:
    _, name, type, json, attachments, version, constraints_json, metadata_json = item
    return Variable(
        name=name,
        type=type,
        value=decode(json, attachments),
        version=version,
        constraints=orjson.loads(constraints_json) if constraints_json else {},
        metadata=orjson.loads(metadata_json) if metadata_json else {},
    )
