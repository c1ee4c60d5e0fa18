"""Changes of variables as they happen, for `for` and `async for`.

Owns one watch between its begin and its end. Must not know how changes travel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .variables import Change, change_of

if TYPE_CHECKING:
    from .asks import Asks


class Changes:
    """Changes of the variables that `session.watch` was asked for, in the order in which they
    happen.

    `for change in changes` blocks for the next one, `async for` awaits it. It is for ever, until
    `close` or the end of a `with` block; a cancelled call raises `OperationCancelled`, a closed
    session `ConnectionClosed`. Who takes changes too slowly gets one of kind "missed".
    """

    __slots__ = ("_asks", "_is_open", "_request")

    def __init__(self, asks: Asks, request: Any) -> None:
        self._asks = asks
        self._request = request
        self._is_open = True

    def __iter__(self) -> Changes:
        return self

    def __next__(self) -> Change:
        if not self._is_open:
            raise StopIteration
        try:
            return change_of(self._asks.wait(self._request))
        except BaseException:
            self.close()
            raise

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> Change:
        if not self._is_open:
            raise StopAsyncIteration
        try:
            return change_of(await self._asks.next(self._request))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the watch. May be repeated."""
        if self._is_open:
            self._is_open = False
            self._request.cancel()

    def __enter__(self) -> Changes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Changes:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
