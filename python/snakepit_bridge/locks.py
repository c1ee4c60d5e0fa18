"""A variable that one owner has for a while: taken by a `with` block, given back at its end.

Owns the owner's name and the writes under it. Must not know how they travel.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from .variables import Variable, value_of, variable_of

if TYPE_CHECKING:
    from .asks import Asks


class VariableLock:
    """A lock on one variable, for `with session.lock(name)` and `async with session.lock(name)`.

    While it is held everybody may read, and only `owner` may write: through `set`, `update` and
    `rollback` here, or through the session's verbs with `owner=lock.owner`. It ends with the block,
    with the call at the latest, and by itself after `ttl` seconds; `refresh` starts them again. In
    use by another owner it raises `Busy` with the owner in `details`.
    """

    __slots__ = ("_asks", "name", "owner", "ttl")

    def __init__(self, asks: Asks, name: str, ttl: float, owner: str | None) -> None:
        self._asks = asks
        self.name = name
        self.ttl = ttl
        self.owner = owner or f"lock_{secrets.token_hex(16)}"

    def __enter__(self) -> VariableLock:
        self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        self._asks.wait(self._asks.unlock(self.name, self.owner))

    async def __aenter__(self) -> VariableLock:
        await self.arefresh()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._asks.next(self._asks.unlock(self.name, self.owner))

    def refresh(self) -> Variable:
        """Takes the lock, or starts its time again. Returns the variable as it is."""
        return variable_of(self._asks.wait(self._asks.lock(self.name, self.owner, self.ttl)))

    async def arefresh(self) -> Variable:
        """As `refresh`."""
        request = self._asks.lock(self.name, self.owner, self.ttl)
        return variable_of(await self._asks.next(request))

    def set(self, value: Any, expected_version: int | None = None) -> int:
        """Writes as the owner and returns the new version."""
        request = self._asks.set(self.name, value, expected_version, self.owner)
        return _version(self._asks.wait(request))

    async def aset(self, value: Any, expected_version: int | None = None) -> int:
        """As `set`."""
        request = self._asks.set(self.name, value, expected_version, self.owner)
        return _version(await self._asks.next(request))

    def update(self, **change: Any) -> Any:
        """Updates as the owner, as `Session.update`, and returns the new value."""
        request = self._asks.update(self.name, change, None, self.owner)
        return value_of(self._asks.wait(request))

    async def aupdate(self, **change: Any) -> Any:
        """As `update`."""
        request = self._asks.update(self.name, change, None, self.owner)
        return value_of(await self._asks.next(request))

    def rollback(self, version: int) -> int:
        """Writes an earlier value again as the owner and returns the new version."""
        request = self._asks.rollback(self.name, version, None, self.owner)
        return _version(self._asks.wait(request))

    async def arollback(self, version: int) -> int:
        """As `rollback`."""
        request = self._asks.rollback(self.name, version, None, self.owner)
        return _version(await self._asks.next(request))


def _version(item: tuple[Any, ...]) -> int:
    version: int = item[5]
    return version
