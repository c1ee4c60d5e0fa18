"""Signatures of functions as JSON Schemas, and the conversion of what callers send to the hints.

Owns the reading of signatures: parameters, result, chunks, defaults and what the docstring says of
them. pydantic does the work and is imported when the first schema is built. Must not know
frameworks or calls.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from .docstrings import Documentation, documentation_of
from .hints import adapted, chunk_and_result
from .json_schemas import NO_DEFAULT, adapter_of, adapter_schema, default_of, schema_of
from .refusals import refused_parameters

Prepare = Callable[[dict[str, Any]], dict[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """Schemas of parameters, result and chunks (None: anything), the text for people, and the
    converter of parameters where one is needed.
    """

    parameters: dict[str, Any]
    result: dict[str, Any] | None
    chunk: dict[str, Any] | None
    doc: str
    prepare: Prepare | None


def signature_of(handler: Callable[..., Any], skip: int, *, from_hints: bool = True) -> Signature:
    """Reads the hints of `handler` behind its first `skip` parameters. With `from_hints` false the
    parameters are not read. Raises `TypeError` naming a parameter that a caller cannot give, or a
    hint that has no form as a value.
    """
    documentation = documentation_of(handler)
    hints = _hints(handler, skip, with_parameters=from_hints)
    chunk_hint, result_hint = chunk_and_result(hints.get("return", Any))
    result = _given(handler, "result", result_hint, documentation.result)
    chunk = _given(handler, "chunk", chunk_hint, documentation.chunk)
    if not from_hints:
        return Signature({}, result, chunk, documentation.text, None)
    parameters, prepare = _taken(handler, skip, hints, documentation)
    return Signature(parameters, result, chunk, documentation.text, prepare)


def _hints(
    handler: Callable[..., Any], skip: int, *, with_parameters: bool = True
) -> dict[str, Any]:
    """The evaluated hints, without those of the skipped parameters: often only a checker
    knows them.
    """
    names = list(inspect.signature(handler).parameters)
    skipped = names[:skip] if with_parameters else names
    function: Any = inspect.unwrap(getattr(handler, "__func__", handler))
    raw = {name: hint for name, hint in function.__annotations__.items() if name not in skipped}
    shown: Any = types.SimpleNamespace(__annotations__=raw, __globals__=function.__globals__)
    try:
        return typing.get_type_hints(shown, include_extras=True)
    except NameError as fault:
        raise TypeError(f"hints of {_name(handler)} cannot be read: {fault}") from None


def _taken(
    handler: Callable[..., Any], skip: int, hints: dict[str, Any], documentation: Documentation
) -> tuple[dict[str, Any], Prepare | None]:
    """The schema of the parameters and their converter."""
    fields: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    extra = False
    for parameter in list(inspect.signature(handler).parameters.values())[skip:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = True
            continue
        _check_parameter(handler, parameter)
        fields[parameter.name] = hints.get(parameter.name, Any)
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
    try:
        adapter = _adapter(fields, defaults, extra)
        schema = adapter_schema(adapter)
    except Exception as fault:
        raise _without_form(handler, fields, fault) from fault
    schema.setdefault("properties", {})
    schema["additionalProperties"] = extra
    for name, described in schema["properties"].items():
        if name in documentation.parameters:
            described.setdefault("description", documentation.parameters[name])
        default = default_of(defaults[name]) if name in defaults else NO_DEFAULT
        if default is not NO_DEFAULT:
            described.setdefault("default", default)
    plain = all(_is_json(hint) for hint in fields.values())
    return schema, None if plain else _preparer(adapter)


def _check_parameter(handler: Callable[..., Any], parameter: inspect.Parameter) -> None:
    what = f"parameter {parameter.name!r} of {_name(handler)}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
        raise TypeError(f"{what} cannot be given by name")
    if type(parameter.default).__name__ == "FieldInfo":
        raise TypeError(f"{what} has a Field as default, expected Annotated[…, Field(…)] = default")


def _adapter(fields: dict[str, Any], defaults: dict[str, Any], extra: bool) -> Any:
    from pydantic import ConfigDict
    from typing_extensions import TypedDict

    members = {
        name: typing.NotRequired[adapted(hint)]
        if name in defaults
        else typing.Required[adapted(hint)]
        for name, hint in fields.items()
    }
    # A TypedDict and not a model: a model reserves names ("json", "copy") that parameters may have.
    shape = TypedDict("Parameters", members)  # type: ignore[misc]
    shape.__pydantic_config__ = ConfigDict(  # type: ignore[attr-defined]
        extra="allow" if extra else "forbid", arbitrary_types_allowed=True
    )
    return adapter_of(shape)


def _given(
    handler: Callable[..., Any], what: str, hint: Any, description: str
) -> dict[str, Any] | None:
    """The schema of what the handler gives; None: anything, of which nothing is said."""
    if hint is Any:
        return {"description": description} if description else None
    try:
        schema = schema_of(adapted(hint), result=True)
    except Exception as fault:
        raise _has_no_form(f"{what} of {_name(handler)}", hint, fault) from fault
    if description:
        schema.setdefault("description", description)
    return schema


def _without_form(
    handler: Callable[..., Any], fields: dict[str, Any], fault: Exception
) -> TypeError:
    """Which of the parameters it was."""
    for name, hint in fields.items():
        try:
            schema_of(adapted(hint))
        except Exception as own:
            return _has_no_form(f"parameter {name!r} of {_name(handler)}", hint, own)
    return TypeError(f"parameters of {_name(handler)} have no form as values: {fault}")


def _has_no_form(what: str, hint: Any, fault: Exception) -> TypeError:
    shown = hint.__qualname__ if isinstance(hint, type) else str(hint)
    reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    return TypeError(f"{what} is hinted {shown}, which has no form as a value: {reason}")


def _name(handler: Callable[..., Any]) -> str:
    return repr(getattr(handler, "__name__", repr(handler)))


def _preparer(adapter: Any) -> Prepare:
    """Turns JSON into what the hints say: models, dataclasses, enums, dates, checked arrays."""
    from pydantic import ValidationError

    def prepare(parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            made: dict[str, Any] = adapter.validate_python(parameters)
            return made
        except ValidationError as fault:
            raise refused_parameters(fault, parameters) from None

    return prepare


def _is_json(hint: Any) -> bool:
    """Whether a decoded document that fits the schema already is what the hint says."""
    if hint in _JSON_TYPES:
        return True
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return not any(isinstance(choice, (enum.Enum, bytes)) for choice in typing.get_args(hint))
    if origin in _JSON_CONTAINERS:
        return all(_is_json(argument) for argument in typing.get_args(hint))
    return False


_JSON_TYPES = (Any, object, str, bool, None, type(None), list, dict)
_JSON_CONTAINERS = (
    list,
    dict,
    typing.Union,
    types.UnionType,
    collections.abc.Sequence,
    collections.abc.Mapping,
)
