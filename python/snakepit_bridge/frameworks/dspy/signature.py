"""Signatures as data: from a string or a document to a DSPy signature class.

It owns the two forms a caller may write and their errors. Types come from the closed list of
`types`, never from a module named over the wire. It must not know modules, language models or the
bridge.
"""

from __future__ import annotations

import ast
import dataclasses
import keyword
import types
import typing
from typing import Annotated, Any

import dspy
import pydantic
from pydantic_core import SchemaError

from . import field_types
from .field_types import TypeRefused

__all__ = ["SignatureRefused", "build_signature"]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field, read and checked. `kind` is "input" or "output"."""

    name: str
    kind: str
    type: Any
    description: str | None = None
    constraints: dict[str, Any] = dataclasses.field(default_factory=dict)


class SignatureRefused(ValueError):
    """A signature that cannot be built; the message names the field and what was expected."""


def build_signature(document: str | dict[str, Any]) -> type[dspy.Signature]:
    """The signature class for ``"question, context -> answer: float"`` or
    ``{"instructions": ..., "fields": [{"name", "kind", "type", "description", ...}]}``."""
    if isinstance(document, str):
        fields, instructions = _string_fields(document), ""
    else:
        fields, instructions = _document_fields(document), document.get("instructions") or ""
    if not any(field.kind == "input" for field in fields):
        raise SignatureRefused("signature without an input field, expected at least one")
    if not any(field.kind == "output" for field in fields):
        raise SignatureRefused("signature without an output field, expected at least one")
    return _make(fields, instructions)


def _make(fields: list[Field], instructions: str) -> type[dspy.Signature]:
    made: dict[str, Any] = {}
    for field in fields:
        _check_name(field.name)
        if field.name in made:
            raise SignatureRefused(
                f"signature field `{field.name}` named twice, expected distinct names"
            )
        options: dict[str, Any] = dict(field.constraints)
        if field.description is not None:
            options["desc"] = field.description
        put = dspy.InputField if field.kind == "input" else dspy.OutputField
        info = put(**options)
        if "pattern" in field.constraints:
            # The one constraint that DSPy has no words for in a prompt.
            told = info.json_schema_extra.setdefault("constraints", "")
            words = f"matching the regular expression: {field.constraints['pattern']}"
            info.json_schema_extra["constraints"] = ", ".join(filter(None, (told, words)))
        made[field.name] = (field.type, info)
    try:
        return dspy.Signature(made, instructions)
    except (TypeError, ValueError, NameError) as error:
        raise SignatureRefused(f"signature refused by DSPy: {error}") from None


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise SignatureRefused(
            f"signature field name `{name}`, expected a Python identifier, no leading underscore"
        )
    if name in _RESERVED:
        raise SignatureRefused(
            f"signature field name `{name}` has a meaning in DSPy, expected another"
        )


def _string_fields(text: str) -> list[Field]:
    if text.count("->") != 1:
        raise SignatureRefused(
            f"signature `{text}`, expected `inputs -> outputs` with exactly one `->`"
        )
    inputs, outputs = text.split("->")
    return _side(inputs, "input", text) + _side(outputs, "output", text)


def _side(text: str, kind: str, whole: str) -> list[Field]:
    try:
        (function,) = ast.parse(f"def f({text}): pass").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        function = None
    if not isinstance(function, ast.FunctionDef) or not _plain(function):
        raise SignatureRefused(
            f"signature `{whole}`, expected names with optional types, as `a, b: int -> c`"
        )
    return [Field(arg.arg, kind, _annotation(arg)) for arg in function.args.args]


def _plain(function: ast.FunctionDef) -> bool:
    a = function.args
    extras = (a.posonlyargs, a.kwonlyargs, a.vararg, a.kwarg, a.defaults, a.kw_defaults)
    return not any(extras) and function.returns is None


def _annotation(arg: ast.arg) -> Any:
    if arg.annotation is None:
        return str
    try:
        return field_types.type_of_node(arg.annotation, f"signature field `{arg.arg}`")
    except TypeRefused as refused:
        raise SignatureRefused(str(refused)) from None


def _document_fields(document: dict[str, Any]) -> list[Field]:
    for key in document:
        if key not in ("instructions", "fields"):
            raise SignatureRefused(f"signature key `{key}`, expected `instructions` and `fields`")
    fields = document.get("fields")
    if not isinstance(fields, list) or not isinstance(document.get("instructions", ""), str):
        raise SignatureRefused("signature, expected {instructions: string, fields: array}")
    return [_document_field(index, field) for index, field in enumerate(fields)]


def _document_field(index: int, field: Any) -> Field:
    where = f"signature.fields[{index}]"
    if not isinstance(field, dict) or not isinstance(field.get("name"), str):
        raise SignatureRefused(f"{where}, expected an object with a `name`")
    where = f"signature field `{field['name']}`"
    for key in field:
        if key not in _FIELD_KEYS:
            raise SignatureRefused(f"{where}: key `{key}`, expected one of {_FIELD_KEYS}")
    if field.get("kind") not in ("input", "output"):
        raise SignatureRefused(f'{where}: kind {field.get("kind")!r}, expected "input" or "output"')
    description = field.get("description")
    if not isinstance(description, str | None):
        raise SignatureRefused(f"{where}: description {description!r}, expected a string")
    type_ = _field_type(field, where)
    constraints = _constraints(field, type_, where)
    return Field(field["name"], field["kind"], type_, description, constraints)


def _constraints(field: dict[str, Any], type_: Any, where: str) -> dict[str, Any]:
    """Limits in pydantic's words, after a check that they make sense for the type."""
    constraints: dict[str, Any] = {}
    for key, (word, kinds, expected) in _CONSTRAINTS.items():
        value = field.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise SignatureRefused(f"{where}: {key} {value!r}, expected {expected}")
        if not _holds(type_, _LIMITED[key]):
            raise SignatureRefused(f"{where}: {key} for a type that cannot have it")
        constraints[word] = value
    if "pattern" in constraints:
        try:
            pydantic.TypeAdapter(Annotated[str, pydantic.Field(pattern=constraints["pattern"])])
        except (pydantic.errors.PydanticUserError, SchemaError) as fault:
            raise SignatureRefused(
                f"{where}: pattern {constraints['pattern']!r} is not a regular expression: {fault}"
            ) from None
    return constraints


def _holds(type_: Any, kinds: tuple[type, ...]) -> bool:
    """Whether the type, or all of its alternatives but None, are of these kinds."""
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(type_) if each is not type(None)]
        return bool(rest) and all(_holds(each, kinds) for each in rest)
    return (typing.get_origin(type_) or type_) in kinds


def _field_type(field: dict[str, Any], where: str) -> Any:
    try:
        if field.get("choices") is not None:
            if field.get("type") not in (None, "Literal"):
                raise SignatureRefused(f"{where}: both a type and choices, expected one of them")
            return field_types.choices_type(field["choices"], where)
        return field_types.parse_type(field.get("type") or "str", where)
    except TypeRefused as refused:
        raise SignatureRefused(str(refused)) from None


# In pydantic's words, with the kinds that a document may have.
_CONSTRAINTS: dict[str, tuple[str, tuple[type, ...], str]] = {
    "min": ("ge", (int, float), "a number"),
    "max": ("le", (int, float), "a number"),
    "min_length": ("min_length", (int,), "an integer"),
    "max_length": ("max_length", (int,), "an integer"),
    "pattern": ("pattern", (str,), "a regular expression"),
}
_LIMITED: dict[str, tuple[type, ...]] = {
    "min": (int, float),
    "max": (int, float),
    "min_length": (str, list, dict),
    "max_length": (str, list, dict),
    "pattern": (str,),
}
_FIELD_KEYS = ("name", "kind", "type", "description", "choices", *_CONSTRAINTS)

# Keyword arguments that DSPy modules take for themselves.
_RESERVED = frozenset(
    {"self", "signature", "demos", "config", "lm", "new_signature", "prediction", "max_iters"}
)
