"""`@function`: how a user's own module offers its functions to the host.

Owns the registry that the framework `python` serves. A function is here because a configured module
was imported and its decorator ran; a name from the wire only ever looks up this registry.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from .frameworks.base import Operation, OperationOptions, build_operation

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def function(target: Function) -> Function: ...


@overload
def function(
    *,
    name: str | None = None,
    parameters: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
    idempotent: bool = False,
    inline: bool = False,
    streaming: bool = False,
) -> Callable[[Function], Function]: ...


def function(target: Any = None, **options: Any) -> Any:
    """Offers a function to the host under its own name, or under `name`.

    Plain, `async`, generator and async generator functions are welcome; what generators yield are
    chunks, the return value of a plain generator is the result. A first parameter annotated
    `CallContext` receives the running call. The other options are those of
    `snakepit_bridge.operation`.
    """
    if target is not None:
        return _register(target, OperationOptions())
    made = OperationOptions(**options)
    return lambda wrapped: _register(wrapped, made)


def registered() -> dict[str, Operation]:
    """The operations of all functions registered so far, by name."""
    return {name: entry.build() for name, entry in _REGISTRY.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    target: Callable[..., Any]
    options: OperationOptions

    def build(self) -> Operation:
        # Built late: hints may name what is defined further down in the module.
        takes_context = takes_call_context(self.target)
        return build_operation(
            self.target, self.options, skip=int(takes_context), takes_context=takes_context
        )

    def place(self) -> str:
        return f"{self.target.__module__}.{self.target.__qualname__}"


def _register(target: Function, options: OperationOptions) -> Function:
    if not inspect.isfunction(target):
        raise TypeError(f"{target!r} is not a function")
    name = options.name or target.__name__
    entry = _Entry(target, options)
    known = _REGISTRY.get(name)
    if known is not None and known.place() != entry.place():
        raise TypeError(f"function {name!r} of {entry.place()} is taken by {known.place()}")
    _REGISTRY[name] = entry
    return target


def takes_call_context(target: Callable[..., Any]) -> bool:
    """Whether the first parameter is annotated to receive the running call."""
    from .context import CallContext

    first = next(iter(inspect.signature(target).parameters.values()), None)
    if first is None:
        return False
    if isinstance(first.annotation, str):
        # Not evaluated: the name is often imported for type checkers only.
        return first.annotation.rpartition(".")[2] == CallContext.__name__
    return first.annotation is CallContext


_REGISTRY: dict[str, _Entry] = {}
