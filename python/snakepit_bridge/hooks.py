"""Hooks around the calls of Python tools: before, transform of the arguments, the call, transform
of the result, after.

Owns their order, for plain functions, coroutines and both kinds of generators. Must not know how a
tool is registered, announced or called.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any


class ToolHooks:
    """One layer around a tool. Every method does nothing unless it is overridden; all of them run
    where the tool runs, so those of an `async` tool must not block.

    Arguments are those that the function gets, already converted to what its hints say; chunks of
    a generator pass unchanged. `snakepit_bridge.current()` gives the running call.
    """

    def before(self, name: str, arguments: dict[str, Any]) -> None:
        """The call begins. Raising refuses it: the tool is not run, the caller gets the error."""

    def transform_arguments(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the tool gets in place of `arguments`. Raising refuses the call."""
        return arguments

    def transform_result(self, name: str, result: Any) -> Any:
        """What the caller gets in place of `result`. Not called when the tool failed."""
        return result

    def after(self, name: str, result: Any, fault: BaseException | None) -> None:
        """The call has ended, with a result or with `fault`. Called once for each `before`, also
        for one that refused. What it raises ends the call in place of the result.
        """


def hooked(handler: Callable[..., Any], kind: str, name: str, layers: Sequence[ToolHooks]) -> Any:
    """The handler with the layers around it, the first one outermost. `kind` is an operation's."""
    around = _AROUND[kind]
    for layer in reversed(layers):
        handler = around(handler, name, layer)
    return handler


def _sync(handler: Callable[..., Any], name: str, layer: ToolHooks) -> Callable[..., Any]:
    @functools.wraps(handler)
    def run(*context: Any, **arguments: Any) -> Any:
        with _Ended(layer, name) as ended:
            result = handler(*context, **_entered(layer, name, arguments))
            ended.result = layer.transform_result(name, result)
        return ended.result

    return run


def _async(handler: Callable[..., Any], name: str, layer: ToolHooks) -> Callable[..., Any]:
    @functools.wraps(handler)
    async def run(*context: Any, **arguments: Any) -> Any:
        with _Ended(layer, name) as ended:
            result = await handler(*context, **_entered(layer, name, arguments))
            ended.result = layer.transform_result(name, result)
        return ended.result

    return run


def _generator(handler: Callable[..., Any], name: str, layer: ToolHooks) -> Callable[..., Any]:
    @functools.wraps(handler)
    def run(*context: Any, **arguments: Any) -> Iterator[Any]:
        with _Ended(layer, name) as ended:
            result = yield from handler(*context, **_entered(layer, name, arguments))
            ended.result = layer.transform_result(name, result)
        return ended.result

    return run


def _async_generator(
    handler: Callable[..., Any], name: str, layer: ToolHooks
) -> Callable[..., Any]:
    @functools.wraps(handler)
    async def run(*context: Any, **arguments: Any) -> AsyncIterator[Any]:
        with _Ended(layer, name):
            async for chunk in handler(*context, **_entered(layer, name, arguments)):
                yield chunk

    return run


def _entered(layer: ToolHooks, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    layer.before(name, arguments)
    return layer.transform_arguments(name, arguments)


class _Ended:
    """Tells the layer of the end, however it comes."""

    __slots__ = ("_layer", "_name", "result")

    def __init__(self, layer: ToolHooks, name: str) -> None:
        self._layer = layer
        self._name = name
        self.result: Any = None

    def __enter__(self) -> _Ended:
        return self

    def __exit__(self, _: Any, fault: BaseException | None, __: Any) -> None:
        self._layer.after(self._name, None if fault else self.result, fault)


_AROUND = {
    "sync": _sync,
    "async": _async,
    "generator": _generator,
    "async_generator": _async_generator,
}
