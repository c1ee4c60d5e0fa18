"""The session of the running call: its variables, and its tools.

Owns the variable verbs in their blocking and awaitable forms. State lives on the host; what was
read is kept by the link for as long as the host says that it is current. Must not know frameworks
or how calls are dispatched.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .asks import Asks
from .batch import Batch
from .errors import NotFound
from .locks import VariableLock
from .tools import Tools
from .variables import Past, Variable, history_of, value_of, variable_of
from .vars import Vars
from .watches import Changes

if TYPE_CHECKING:
    from .context import CallContext

Variables = list[Variable]


class Session:
    """Variables and tools of the session that the running call belongs to, and of no other.

    `session["x"]` and `session.vars.x` read, write and delete a value. The verbs exist twice:
    blocking for plain handlers, with an `a` in front for coroutines. `expected_version` makes a
    write happen only over exactly that version, `owner` gets past that owner's lock.

    Reading again what has not changed does not ask the host. A read never gives less than what this
    worker has been told of or has written; each gives an object of its own.

    Failures are `BridgeError`s: `NotFound` (also a KeyError), `VersionConflict`, `TypeMismatch`,
    `ConstraintViolation`, `Busy` while somebody else has it locked, `OperationCancelled` once the
    call is cancelled, `StateError` once it has ended.
    """

    __slots__ = ("_asks", "id", "tools", "vars")

    def __init__(self, call: CallContext, session_id: str) -> None:
        self._asks = Asks(call)
        self.id = session_id
        self.tools = Tools(call)
        self.vars = Vars(self)

    def __getitem__(self, name: str) -> Any:
        return value_of(self._read(name))

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def get(self, name: str, default: Any = ...) -> Any:
        """The value of `name`. Without a variable of that name: `default` if given, else
        `NotFound`.
        """
        try:
            return value_of(self._read(name))
        except NotFound:
            if default is ...:
                raise
            return default

    async def aget(self, name: str, default: Any = ...) -> Any:
        """As `get`."""
        try:
            return value_of(await self._aread(name))
        except NotFound:
            if default is ...:
                raise
            return default

    def variable(self, name: str) -> Variable:
        """The variable with its version, type, constraints, metadata and lock."""
        return variable_of(self._read(name))

    async def avariable(self, name: str) -> Variable:
        """As `variable`."""
        return variable_of(await self._aread(name))

    def get_many(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of those variables that there are, read at one moment."""
        return _values(self._asks.wait(self._asks.get_many(names)))

    async def aget_many(self, names: Iterable[str]) -> dict[str, Any]:
        """As `get_many`."""
        return _values(await self._asks.next(self._asks.get_many(names)))

    def set(
        self, name: str, value: Any, expected_version: int | None = None, owner: str = ""
    ) -> int:
        """Writes and returns the new version."""
        return _version(self._asks.wait(self._asks.set(name, value, expected_version, owner)))

    async def aset(
        self, name: str, value: Any, expected_version: int | None = None, owner: str = ""
    ) -> int:
        """As `set`."""
        request = self._asks.set(name, value, expected_version, owner)
        return _version(await self._asks.next(request))

    def batch(self, owner: str = "") -> Batch:
        """Collects writes in a `with` or `async with` block and makes them at its end, all or
        none; see `Batch`.
        """
        return Batch(self._asks, owner)

    def update(
        self, name: str, expected_version: int | None = None, owner: str = "", **change: Any
    ) -> Any:
        """Reads, reckons and writes in one step that no other writer comes into; returns the new
        value. One change such as `add=1`, `append="x"`, `merge={"a": None}`; docs/state.md has
        them all.
        """
        return value_of(self._asks.wait(self._asks.update(name, change, expected_version, owner)))

    async def aupdate(
        self, name: str, expected_version: int | None = None, owner: str = "", **change: Any
    ) -> Any:
        """As `update`."""
        request = self._asks.update(name, change, expected_version, owner)
        return value_of(await self._asks.next(request))

    def register(
        self,
        name: str,
        type: str,
        initial: Any,
        constraints: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Variable:
        """Makes a new variable. `type`: string, integer, float, boolean, choice, json, bytes,
        program, embedding or tensor.
        """
        request = self._asks.register(name, type, initial, constraints, metadata)
        return variable_of(self._asks.wait(request))

    async def aregister(
        self,
        name: str,
        type: str,
        initial: Any,
        constraints: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Variable:
        """As `register`."""
        request = self._asks.register(name, type, initial, constraints, metadata)
        return variable_of(await self._asks.next(request))

    def delete(self, name: str, expected_version: int | None = None, owner: str = "") -> None:
        """Removes the variable."""
        self._asks.wait(self._asks.delete(name, expected_version, owner))

    async def adelete(
        self, name: str, expected_version: int | None = None, owner: str = ""
    ) -> None:
        """As `delete`."""
        await self._asks.next(self._asks.delete(name, expected_version, owner))

    def list(self, pattern: str = "", after: str = "", limit: int = 0) -> Variables:
        """The variables whose names match `pattern` (`*` and `?`), or all, in the order of their
        names; with `limit` at most so many, from the one behind `after`.
        """
        item = self._asks.wait(self._asks.list(pattern, after, limit))
        return [variable_of(variable) for variable in item[1]]

    async def alist(self, pattern: str = "", after: str = "", limit: int = 0) -> Variables:
        """As `list`."""
        item = await self._asks.next(self._asks.list(pattern, after, limit))
        return [variable_of(variable) for variable in item[1]]

    def history(self, name: str) -> list[Past]:
        """The earlier values that are kept, oldest first, and the current one."""
        return history_of(self._asks.wait(self._asks.history(name)))

    async def ahistory(self, name: str) -> list[Past]:
        """As `history`."""
        return history_of(await self._asks.next(self._asks.history(name)))

    def rollback(
        self, name: str, version: int, expected_version: int | None = None, owner: str = ""
    ) -> int:
        """Writes the value that `version` had, as a new version, which it returns."""
        request = self._asks.rollback(name, version, expected_version, owner)
        return _version(self._asks.wait(request))

    async def arollback(
        self, name: str, version: int, expected_version: int | None = None, owner: str = ""
    ) -> int:
        """As `rollback`."""
        request = self._asks.rollback(name, version, expected_version, owner)
        return _version(await self._asks.next(request))

    def lock(self, name: str, ttl: float = 30.0, owner: str | None = None) -> VariableLock:
        """Keeps everybody else from writing during a `with` or `async with` block, for `ttl`
        seconds at most; see `VariableLock`.
        """
        return VariableLock(self._asks, name, ttl, owner)

    def watch(
        self,
        *patterns: str,
        coalesce: bool = False,
        initial: bool = False,
        queue_max: int = 0,
    ) -> Changes:
        """Changes of the variables whose names match a pattern (none: all), for `for` and `async
        for`; see `Changes`. `initial` tells what there is first, `coalesce` only the newest of each
        variable, and the host keeps `queue_max` changes (0: 1024) for who is slow.
        """
        return Changes(self._asks, self._asks.watch(patterns, coalesce, initial, queue_max))

    def _read(self, name: str) -> tuple[Any, ...]:
        # Refused before it is known whether it would wait: else it would fail only now and then.
        self._asks.refuse_blocking()
        return self._asks.cached(name) or self._asks.wait(self._asks.get(name))

    async def _aread(self, name: str) -> tuple[Any, ...]:
        return self._asks.cached(name) or await self._asks.next(self._asks.get(name))


def _version(item: tuple[Any, ...]) -> int:
    version: int = item[5]
    return version


def _values(item: tuple[Any, ...]) -> dict[str, Any]:
    return {variable[1]: value_of(variable) for variable in item[1]}
