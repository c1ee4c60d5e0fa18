"""Several writes that happen together: collected in a `with` block, made at its end, all or none.

Owns what was collected. Must not know how writes travel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import StateError

if TYPE_CHECKING:
    from .asks import Asks


class Batch:
    """Writes of one `with session.batch()` or `async with session.batch()` block.

    Nothing is written before the end of the block, and nothing at all if the block raises. If one
    write is refused, none is made, and the block raises that write's error. Of several writes of
    one variable the last counts. After the block `versions` has the new version of each.
    """

    __slots__ = ("_asks", "_done", "_owner", "_writes", "versions")

    def __init__(self, asks: Asks, owner: str) -> None:
        self._asks = asks
        self._owner = owner
        self._writes: dict[str, tuple[str, Any, int | None]] = {}
        self._done = False
        self.versions: dict[str, int] = {}

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def set(self, name: str, value: Any, expected_version: int | None = None) -> None:
        """Adds a write, with `expected_version` only over exactly that one."""
        if self._done:
            raise StateError("the batch is over: its writes were made, or given up")
        # The last write of a name takes its place at the end, too.
        self._writes.pop(name, None)
        self._writes[name] = (name, value, expected_version)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._ends(kind):
            self._note(self._asks.wait(self._start()))

    async def __aenter__(self) -> Batch:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if self._ends(kind):
            self._note(await self._asks.next(self._start()))

    def _ends(self, kind: object) -> bool:
        self._done = True
        return kind is None and bool(self._writes)

    def _start(self) -> Any:
        return self._asks.set_many(self._writes.values(), self._owner)

    def _note(self, item: tuple[Any, ...]) -> None:
        self.versions = {variable[1]: variable[5] for variable in item[1]}
