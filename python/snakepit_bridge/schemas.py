"""JSON Schemas from type hints, and the conversion of parameters whose hints are more than JSON.

Owns the reading of signatures. pydantic does the work and is imported when the first schema is
built. Must not know frameworks or calls.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """Schemas of parameters and result (None: anything), and the converter of parameters where one
    is needed.
    """

    parameters: dict[str, Any]
    result: dict[str, Any] | None
    prepare: Callable[[dict[str, Any]], dict[str, Any]] | None


def signature_of(handler: Callable[..., Any], skip: int, *, from_hints: bool = True) -> Signature:
    """Reads the hints of `handler` behind its first `skip` parameters. With `from_hints` false only
    the result is read. Raises `TypeError` naming a parameter that a caller cannot give.
    """
    hints = _hints(handler, skip)
    result = _result_schema(hints.get("return", Any))
    if not from_hints:
        return Signature({}, result, None)
    parameters = list(inspect.signature(handler).parameters.values())[skip:]
    fields: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    extra = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = True
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise TypeError(f"parameter {parameter.name!r} of {handler!r} cannot be given by name")
        fields[parameter.name] = hints.get(parameter.name, Any)
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
    schema = _parameters_schema(fields, defaults, extra)
    return Signature(schema, result, _preparer(fields))


def _hints(handler: Callable[..., Any], skip: int) -> dict[str, Any]:
    """The evaluated hints, without those of the skipped parameters: often only a checker
    knows them.
    """
    names = list(inspect.signature(handler).parameters)
    function: Any = inspect.unwrap(getattr(handler, "__func__", handler))
    raw = {
        name: hint for name, hint in function.__annotations__.items() if name not in names[:skip]
    }
    shown: Any = types.SimpleNamespace(__annotations__=raw, __globals__=function.__globals__)
    try:
        return typing.get_type_hints(shown, include_extras=True)
    except NameError as fault:
        name = getattr(handler, "__name__", repr(handler))
        raise TypeError(f"hints of {name!r} cannot be read: {fault}") from None


def _parameters_schema(
    fields: dict[str, Any], defaults: dict[str, Any], extra: bool
) -> dict[str, Any]:
    from pydantic import ConfigDict, TypeAdapter
    from typing_extensions import TypedDict

    members = {
        name: typing.NotRequired[_described(hint)]
        if name in defaults
        else typing.Required[_described(hint)]
        for name, hint in fields.items()
    }
    # A TypedDict and not a model: a model reserves names ("json", "copy") that parameters may have.
    shape = TypedDict("Parameters", members)  # type: ignore[misc]
    shape.__pydantic_config__ = ConfigDict(  # type: ignore[attr-defined]
        extra="allow" if extra else "forbid", arbitrary_types_allowed=True
    )
    schema = TypeAdapter(shape).json_schema(schema_generator=_generator())
    schema.pop("title", None)
    schema.setdefault("properties", {})
    schema["additionalProperties"] = extra
    for name, default in defaults.items():
        if default is None or type(default) in (bool, int, float, str):
            schema["properties"][name].setdefault("default", default)
    return schema


def _result_schema(hint: Any) -> dict[str, Any] | None:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    origin = typing.get_origin(hint)
    if origin is collections.abc.Generator:
        given = typing.get_args(hint)
        hint = given[2] if len(given) > 2 else Any
    elif origin in _ITERATORS or hint in _ITERATORS:
        return None
    if hint is Any:
        return None
    described = _described(hint)
    try:
        adapter = TypeAdapter(described, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        # A type with a configuration of its own takes none from here.
        adapter = TypeAdapter(described)
    schema = adapter.json_schema(mode="serialization", schema_generator=_generator())
    schema.pop("title", None)
    return schema


def _preparer(fields: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """Turns JSON into models, dataclasses, enums and dates for the parameters that are
    hinted so.
    """
    from pydantic import TypeAdapter

    adapters = {name: TypeAdapter(hint) for name, hint in fields.items() if not _is_json(hint)}
    if not adapters:
        return None

    def prepare(parameters: dict[str, Any]) -> dict[str, Any]:
        return {
            name: adapters[name].validate_python(value) if name in adapters else value
            for name, value in parameters.items()
        }

    return prepare


def _is_json(hint: Any) -> bool:
    """Whether a decoded document already is what the hint says."""
    if hint in _JSON_TYPES or _is_attachment(hint):
        return True
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return not any(isinstance(choice, enum.Enum) for choice in typing.get_args(hint))
    if origin is typing.Annotated:
        return _is_json(typing.get_args(hint)[0])
    if origin in _JSON_CONTAINERS:
        return all(_is_json(argument) for argument in typing.get_args(hint))
    return False


def _described(hint: Any) -> Any:
    """The hint with bytes and arrays replaced by what the document has in their place."""
    from pydantic import WithJsonSchema

    if _is_attachment(hint):
        return typing.Annotated[Any, WithJsonSchema(dict(_ATTACHMENT_SCHEMA))]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin not in _JSON_CONTAINERS:
        return hint
    replaced = tuple(_described(argument) for argument in arguments)
    if replaced == arguments:
        return hint
    if origin in (typing.Union, types.UnionType):
        return typing.Union[replaced]  # noqa: UP007 - built from a tuple
    return origin[replaced]


def _is_attachment(hint: Any) -> bool:
    if hint in (bytes, bytearray, memoryview):
        return True
    numpy = sys.modules.get("numpy")
    kind = typing.get_origin(hint) or hint
    return numpy is not None and isinstance(kind, type) and issubclass(kind, numpy.ndarray)


def _generator() -> Any:
    from pydantic.json_schema import GenerateJsonSchema

    class Plain(GenerateJsonSchema):
        """Leaves out the titles that only repeat the names."""

        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

    return Plain


_ATTACHMENT_SCHEMA = {
    "type": "object",
    "properties": {"$spb": {"type": "object"}},
    "required": ["$spb"],
    "additionalProperties": False,
}

_JSON_TYPES = (Any, object, str, int, float, bool, None, type(None), list, dict)
_JSON_CONTAINERS = (
    list,
    dict,
    typing.Union,
    types.UnionType,
    collections.abc.Sequence,
    collections.abc.Mapping,
)
_ITERATORS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)
