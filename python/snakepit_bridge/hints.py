"""Type hints made ready for pydantic: those that it does not know, or reads otherwise than we do.

Owns the walk through containers, and which part of a return hint is a chunk and which the result.
Must not know signatures, schemas or calls.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable
from typing import Any

from .tensor_hints import array_hint, scalar_hint


def adapted(hint: Any) -> Any:
    """The hint with arrays, numpy scalars, mutable bytes and iterables in a form that pydantic
    takes. What is inside classes stays as it is.
    """
    made = array_hint(hint) or scalar_hint(hint) or _bytes_hint(hint)
    if made is not None:
        return made
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _LISTS:
        return list
    if origin is typing.Annotated:
        return _annotated(hint, arguments)
    if origin not in _CONTAINERS:
        return hint
    replaced = tuple(adapted(argument) for argument in arguments)
    if origin in _LISTS:
        return list[replaced]  # type: ignore[valid-type]
    if replaced == arguments:
        return hint
    if origin in (typing.Union, types.UnionType):
        return typing.Union[replaced]  # noqa: UP007 - built from a tuple
    return origin[replaced]


def chunk_and_result(hint: Any) -> tuple[Any, Any]:
    """What a return hint says of the chunks and of the result; `Any` where it says nothing."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is collections.abc.Generator or hint is collections.abc.Generator:
        return _at(arguments, 0), _at(arguments, 2)
    if origin in _ITERATORS or hint in _ITERATORS:
        return _at(arguments, 0), Any
    return Any, hint


def _annotated(hint: Any, arguments: tuple[Any, ...]) -> Any:
    inner, *metadata = arguments
    if any(hasattr(each, "__get_pydantic_core_schema__") for each in metadata):
        # Its author has said how it is to be read.
        return hint
    return typing.Annotated[(adapted(inner), *metadata)]


def _bytes_hint(hint: Any) -> Any:
    from pydantic import AfterValidator

    if hint is bytearray:
        return typing.Annotated[bytes, AfterValidator(bytearray)]
    if hint is memoryview:
        return typing.Annotated[bytes, AfterValidator(memoryview)]
    return None


def _at(arguments: tuple[Any, ...], index: int) -> Any:
    return arguments[index] if index < len(arguments) else Any


_ITERATORS: tuple[Callable[..., Any] | type, ...] = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)
# A document has lists, and a handler may read what it gets more than once.
_LISTS = (collections.abc.Iterable, collections.abc.Collection)
_CONTAINERS = (
    *_LISTS,
    list,
    dict,
    tuple,
    set,
    frozenset,
    typing.Union,
    types.UnionType,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Mapping,
    collections.abc.MutableMapping,
    collections.abc.Set,
)
