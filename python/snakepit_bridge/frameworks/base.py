"""The adapter contract: what a framework is, and how it declares its operations.

Owns `Framework`, the decorator `operation`, and the schema document that a worker announces at
hello (its form is described in docs/frameworks.md). Must not know the link, threads or any concrete
framework.
"""

from __future__ import annotations

import abc
import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from ..contracts import Contract, contract
from ..schemas import Signature, signature_of

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class OperationOptions:
    """What the decorator was told. `parameters`, `result` and `chunk` are JSON Schemas, or None:
    from type hints.
    """

    name: str | None = None
    parameters: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    streaming: bool = False
    idempotent: bool = False
    inline: bool = False
    chunk: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to run: `handler` is bound, and called as `handler(ctx, **parameters)`,
    or without `ctx` where `takes_context` is false.

    `kind` is one of `sync`, `async`, `generator`, `async_generator`. `result` and `chunk` are None
    where anything may come.
    """

    name: str
    handler: Callable[..., Any]
    kind: str
    doc: str
    parameters: dict[str, Any]
    result: dict[str, Any] | None
    streaming: bool
    idempotent: bool
    inline: bool
    takes_context: bool = True
    prepare: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    chunk: dict[str, Any] | None = None
    result_contract: Contract | None = None
    chunk_contract: Contract | None = None

    @property
    def asynchronous(self) -> bool:
        """Whether it runs on the event loop."""
        return self.kind in ("async", "async_generator")

    def describe(self) -> dict[str, Any]:
        """Its entry in the schema document."""
        return {
            "doc": self.doc,
            "parameters": _dialect(self.parameters),
            "result": _dialect(self.result),
            "chunk": _dialect(self.chunk),
            "streaming": self.streaming,
            "idempotent": self.idempotent,
            "asynchronous": self.asynchronous,
        }


def operation(
    *,
    name: str | None = None,
    parameters: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
    streaming: bool = False,
    idempotent: bool = False,
    inline: bool = False,
    chunk: dict[str, Any] | None = None,
) -> Callable[[Handler], Handler]:
    """Declares a method of a `Framework` as an operation: `def method(self, ctx, **parameters)`.

    The name is the method's unless given. `parameters`, `result` and `chunk` are JSON Schemas; left
    out, they are built from the type hints. `streaming`: it may emit chunks; generators always may.
    `idempotent`: it may run twice; if its worker is lost before it sent a chunk and before it
    called a tool that is not idempotent, another one runs it. `inline`: it runs on the thread that
    hears the host, so it must take microseconds and may not wait for anything, the host included;
    saves a thread wake-up.
    """
    options = OperationOptions(name, parameters, result, streaming, idempotent, inline, chunk)

    def mark(handler: Handler) -> Handler:
        handler.__spb_operation__ = options  # type: ignore[attr-defined]
        return handler

    return mark


class Framework(abc.ABC):
    """A framework adapter. One object lives in each worker that serves it.

    The order of its life: made without arguments, `start(options)`, `operations()`, many calls at
    once from several threads and the event loop, `stop()`. Until the first call it may run in a
    template process that is forked later, so `start` opens no connections and starts no threads. It
    keeps nothing between calls that a later call needs: state belongs to the session.
    """

    id: ClassVar[str]
    options_schema: ClassVar[dict[str, Any] | None] = None
    """The JSON Schema of the options that `start` takes, announced for people and programs."""

    @abc.abstractmethod
    def version(self) -> str:
        """The version of the framework behind the adapter."""

    def start(self, options: dict[str, Any]) -> None:  # noqa: B027 - optional by design
        """Prepares with the `options` of the configuration; raises on options it does not know."""

    def stop(self) -> None:  # noqa: B027 - optional by design
        """Gives back what it holds. No call runs any more."""

    def operations(self) -> dict[str, Operation]:
        """The operations by name. Here: the decorated methods. Override to add others."""
        found: dict[str, Operation] = {}
        for attribute, member in inspect.getmembers(type(self), callable):
            options = getattr(member, "__spb_operation__", None)
            if options is None:
                continue
            handler = getattr(self, attribute)
            made = build_operation(handler, options, skip=1)
            if made.name in found:
                raise TypeError(f"framework {self.id!r} declares operation {made.name!r} twice")
            found[made.name] = made
        return found

    def schema(self, operations: dict[str, Operation] | None = None) -> dict[str, Any]:
        """The document announced at hello; `operations` saves building them again."""
        known = self.operations() if operations is None else operations
        described = {name: made.describe() for name, made in sorted(known.items())}
        return {
            "id": self.id,
            "version": self.version(),
            "doc": _own_doc(type(self)),
            "options": _dialect(self.options_schema),
            "operations": described,
        }


def build_operation(
    handler: Callable[..., Any],
    options: OperationOptions,
    *,
    skip: int,
    takes_context: bool = True,
) -> Operation:
    """The operation of a callable whose first `skip` parameters are not the caller's. Raises
    `TypeError` for a declaration that cannot work.
    """
    name = options.name if options.name is not None else str(getattr(handler, "__name__", ""))
    if not _NAME.fullmatch(name):
        raise TypeError(f"operation name {name!r} is not of the form {_NAME.pattern}")
    kind = kind_of(handler)
    streaming = options.streaming or kind in ("generator", "async_generator")
    if options.inline and (kind != "sync" or streaming):
        raise TypeError(f"operation {name!r} is inline and must be a plain unary function")
    signature = _signature(handler, options, skip)
    result, chunk = _given(kind, options, signature)
    return Operation(
        name=name,
        handler=handler,
        kind=kind,
        doc=signature.doc,
        parameters=signature.parameters if options.parameters is None else options.parameters,
        result=result,
        streaming=streaming,
        idempotent=options.idempotent,
        inline=options.inline,
        takes_context=takes_context,
        prepare=signature.prepare,
        chunk=chunk,
        result_contract=_contract(name, result, "result"),
        chunk_contract=_contract(name, chunk, "chunk"),
    )


def kind_of(handler: Callable[..., Any]) -> str:
    """How the handler runs: `sync`, `async`, `generator` or `async_generator`."""
    if inspect.isasyncgenfunction(handler):
        return "async_generator"
    if inspect.iscoroutinefunction(handler):
        return "async"
    return "generator" if inspect.isgeneratorfunction(handler) else "sync"


def _signature(handler: Callable[..., Any], options: OperationOptions, skip: int) -> Signature:
    """What hints and docstring say, where the options do not say it all: then only the text."""
    given = (options.parameters, options.result)
    if None in given:
        return signature_of(handler, skip, from_hints=options.parameters is None)
    return Signature({}, None, None, inspect.getdoc(handler) or "", None)


def _given(
    kind: str, options: OperationOptions, signature: Signature
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The schemas of result and chunk: as declared, otherwise as hinted."""
    result = signature.result if options.result is None else options.result
    if kind == "async_generator" and result is None:
        # It has no way to return anything.
        result = {"type": "null"}
    if options.chunk is not None:
        return result, options.chunk
    return result, signature.chunk if kind in ("generator", "async_generator") else None


def _contract(name: str, schema: dict[str, Any] | None, what: str) -> Contract | None:
    try:
        return contract(schema, what)
    except ValueError as fault:
        raise TypeError(f"{what} schema of operation {name!r} is no JSON Schema: {fault}") from None


def _dialect(schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """The schema as a document of its own, which says what language it is in."""
    return None if schema is None else {"$schema": DIALECT, **schema}


def _own_doc(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "")


# Of every schema that says nothing else.
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}")
