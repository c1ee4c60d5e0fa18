"""`@tool`: how a module of the user's own offers tools to the host, and to other Python code.

Owns the registry that the framework `tools` serves. A tool is here because a configured module was
imported and its decorator ran; a name from the wire only ever looks up this registry. Must not know
who calls a tool.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

from .frameworks.base import Operation, OperationOptions, build_operation
from .functions import takes_call_context
from .hooks import ToolHooks, hooked

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class ToolOptions:
    """What the decorator was told. Schemas are JSON Schema, or None: from type hints. `timeout` is
    in seconds.
    """

    name: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    chunk_schema: dict[str, Any] | None = None
    timeout: float | None = None
    max_in_flight: int | None = None
    idempotent: bool = False
    streaming: bool = False
    hooks: Sequence[ToolHooks] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class RegisteredTool:
    """A registered tool: what runs it, and what is announced of it beside that."""

    operation: Operation
    rules: dict[str, Any]


@overload
def tool(target: Function) -> Function: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    input_schema: dict[str, Any] | None = None,
    output_schema: dict[str, Any] | None = None,
    chunk_schema: dict[str, Any] | None = None,
    timeout: float | None = None,
    max_in_flight: int | None = None,
    idempotent: bool = False,
    streaming: bool = False,
    hooks: Sequence[ToolHooks] = (),
) -> Callable[[Function], Function]: ...


def tool(target: Any = None, **options: Any) -> Any:
    """Offers a function as a tool under its own name, or under `name`.

    Plain, `async`, generator and async generator functions are welcome; what generators yield are
    chunks, the return value of a plain generator is the result. A first parameter annotated
    `CallContext` receives the running call. The description is the docstring unless given, the
    schemas come from the type hints unless given; arguments, chunks and result are held against
    them. `timeout`: seconds that a call may take. `max_in_flight`: calls in one pool at
    once. `idempotent`: a call may be repeated when its worker was lost.
    """
    if target is not None:
        return _register(target, ToolOptions())
    made = ToolOptions(**options)
    return lambda wrapped: _register(wrapped, made)


def registered() -> dict[str, RegisteredTool]:
    """All tools registered so far, by name."""
    return {name: entry.build() for name, entry in _REGISTRY.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    target: Callable[..., Any]
    options: ToolOptions

    def build(self) -> RegisteredTool:
        # Built late: hints may name what is defined further down in the module.
        given = self.options
        takes_context = takes_call_context(self.target)
        operation = build_operation(
            self.target,
            OperationOptions(
                name=given.name,
                parameters=given.input_schema,
                result=given.output_schema,
                streaming=given.streaming,
                idempotent=given.idempotent,
                chunk=given.chunk_schema,
            ),
            skip=int(takes_context),
            takes_context=takes_context,
        )
        handler = hooked(operation.handler, operation.kind, operation.name, given.hooks)
        doc = operation.doc if given.description is None else given.description
        rules = {
            "timeout_ms": None if given.timeout is None else math.ceil(given.timeout * 1000),
            "max_in_flight": given.max_in_flight,
        }
        return RegisteredTool(dataclasses.replace(operation, handler=handler, doc=doc), rules)

    def place(self) -> str:
        return f"{self.target.__module__}.{self.target.__qualname__}"


def _register(target: Function, options: ToolOptions) -> Function:
    if not inspect.isfunction(target):
        raise TypeError(f"{target!r} is not a function")
    name = options.name or target.__name__
    _check(name, options)
    entry = _Entry(target, options)
    known = _REGISTRY.get(name)
    if known is not None and known.place() != entry.place():
        raise TypeError(f"tool {name!r} of {entry.place()} is taken by {known.place()}")
    _REGISTRY[name] = entry
    return target


def _check(name: str, options: ToolOptions) -> None:
    timeout, most = options.timeout, options.max_in_flight
    if timeout is not None and not (timeout > 0 and math.isfinite(timeout)):
        raise TypeError(
            f"timeout of tool {name!r} is {timeout!r}, expected a finite number of seconds above 0"
        )
    if most is not None and (type(most) is not int or most < 1):
        raise TypeError(
            f"max_in_flight of tool {name!r} is {most!r}, expected an int of at least 1"
        )
    for layer in options.hooks:
        if not isinstance(layer, ToolHooks):
            kind = type(layer).__name__
            raise TypeError(f"hooks of tool {name!r} hold a {kind}, expected ToolHooks")


_REGISTRY: dict[str, _Entry] = {}
