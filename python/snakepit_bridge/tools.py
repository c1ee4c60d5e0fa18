"""Tools as Python sees them, the host's and other Python ones: listing, calling, streaming.

Owns the life of one tool call on this side: arguments out, chunks and result in, cancel when nobody
wants it any more. Must not know who implements a tool or which framework asked.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Self

import orjson

from .errors import InvalidArgument
from .values import decode, encode

if TYPE_CHECKING:
    from .context import CallContext


@dataclasses.dataclass(frozen=True, slots=True)
class ToolInfo:
    """A tool that the call may use. `scope` is `session` or `platform`, `side` is `host`, or
    `python` for a tool that workers of `pool` offer. Schemas are JSON Schema or None. `streaming`
    is None where the tool decides with each call; `timeout` is in seconds, None where it has none.
    """

    name: str
    description: str
    scope: str
    input_schema: dict[str, Any] | None
    output_schema: dict[str, Any] | None
    chunk_schema: dict[str, Any] | None = None
    side: str = "host"
    pool: str | None = None
    streaming: bool | None = None
    idempotent: bool = False
    max_in_flight: int | None = None
    timeout: float | None = None


ToolInfos = list[ToolInfo]


class Tools:
    """The tools that the running call may call: the session's own, then the platform's, then those
    that Python workers offer with `@tool`, which the host runs for it.

    A failing tool raises `ToolFailed`, an unknown one `NotFound`, a passed `timeout` (seconds)
    `DeadlineExceeded`. Without a `timeout` the call's own deadline counts.
    """

    __slots__ = ("_call",)

    def __init__(self, call: CallContext) -> None:
        self._call = call

    def list(self) -> ToolInfos:
        """All tools that may be called, with their schemas; each name once, as a call means it."""
        return _tool_infos(self._call.bridge.wait(self._call, self._query()))

    async def alist(self) -> ToolInfos:
        """As `list`."""
        return _tool_infos(await self._call.bridge.next(self._call, self._query()))

    def call(
        self, name: str, args: dict[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        """Calls the tool and returns its result; chunks it emits are not asked for."""
        return _result(self._call.bridge.wait(self._call, self._start(name, args, timeout, False)))

    async def acall(
        self, name: str, args: dict[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        """As `call`."""
        request = self._start(name, args, timeout, False)
        return _result(await self._call.bridge.next(self._call, request))

    def stream(
        self, name: str, args: dict[str, Any] | None = None, timeout: float | None = None
    ) -> ToolStream:
        """Calls the tool and iterates over its chunks; `result` is there after the last one."""
        return ToolStream(self._call, self._start(name, args, timeout, True))

    def astream(
        self, name: str, args: dict[str, Any] | None = None, timeout: float | None = None
    ) -> AsyncToolStream:
        """As `stream`, for `async for`."""
        return AsyncToolStream(self._call, self._start(name, args, timeout, True))

    def _query(self) -> Any:
        return self._call.bridge.open(self._call, self._call.bridge.link.query_tools)

    def _start(
        self, name: str, args: dict[str, Any] | None, timeout: float | None, stream: bool
    ) -> Any:
        bridge, call = self._call.bridge, self._call
        if args is not None and not isinstance(args, dict):
            kind = type(args).__name__
            raise InvalidArgument(f"arguments of tool {name!r} are a {kind}, expected a dict")
        json, attachments = encode(args or {}, bridge.value_bytes_max)
        return bridge.open(
            call,
            bridge.link.call_tool,
            name,
            json,
            attachments,
            stream,
            _timeout_ms(timeout),
            call.child_traceparent(),
        )


class _Stream:
    """What both kinds of stream share: the request, and the result once it has come."""

    __slots__ = ("_call", "_done", "_request", "result")

    def __init__(self, call: CallContext, request: Any) -> None:
        self._call = call
        self._request = request
        self._done = False
        self.result: Any = None

    def _take(self, item: tuple[Any, ...]) -> tuple[bool, Any]:
        """Whether the item is a chunk, and the chunk."""
        if item[0] == "chunk":
            return True, decode(item[2], item[3])
        self._done = True
        if item[0] == "payload":
            self.result = decode(item[1], item[2])
        return False, None

    def _cancel(self) -> None:
        if not self._done:
            self._done = True
            self._request.cancel()


class ToolStream(_Stream):
    """Chunks of one tool call, in order. Leaving early cancels the tool: use it as a context
    manager, or exhaust it, or call `close`. `result` is the tool's final answer, None before the
    end.
    """

    __slots__ = ()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if not self._done:
            try:
                is_chunk, chunk = self._take(self._call.bridge.wait(self._call, self._request))
            except BaseException:
                self._cancel()
                raise
            if is_chunk:
                return chunk
        raise StopIteration

    def close(self) -> None:
        """Cancels the tool unless it has ended."""
        self._cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cancel()


class AsyncToolStream(_Stream):
    """As `ToolStream`, for `async for` and `async with`."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if not self._done:
            try:
                is_chunk, chunk = self._take(
                    await self._call.bridge.next(self._call, self._request)
                )
            except BaseException:
                self._cancel()
                raise
            if is_chunk:
                return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cancels the tool unless it has ended."""
        self._cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._cancel()


def _result(item: tuple[Any, ...]) -> Any:
    return decode(item[1], item[2])


def _tool_infos(item: tuple[Any, ...]) -> ToolInfos:
    # Where several pools offer a name, a call means the first.
    told: dict[str, dict[str, Any]] = {}
    for tool in orjson.loads(item[1]):
        told.setdefault(tool["name"], tool)
    return [
        ToolInfo(
            name=tool["name"],
            description=tool.get("description") or "",
            scope=tool.get("scope") or "",
            input_schema=tool.get("input_schema"),
            output_schema=tool.get("output_schema"),
            chunk_schema=tool.get("chunk_schema"),
            side=tool.get("side") or "host",
            pool=tool.get("pool"),
            streaming=tool.get("streaming"),
            idempotent=bool(tool.get("idempotent")),
            max_in_flight=tool.get("max_in_flight"),
            timeout=_seconds(tool.get("timeout_ms")),
        )
        for tool in told.values()
    ]


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _timeout_ms(timeout: float | None) -> int:
    """Whole milliseconds, at least one; 0 stands for the call's own deadline."""
    if timeout is None:
        return 0
    if not timeout > 0 or math.isinf(timeout):
        raise InvalidArgument(
            f"timeout is {timeout!r}, expected a finite number of seconds above 0"
        )
    return max(1, math.ceil(timeout * 1000))
