"""Signatures as data: from a string or a document to a DSPy signature class.

It owns the two forms a caller may write and their errors. Types come from the closed list of
`types`, never from a module named over the wire. It must not know modules, language models or the
bridge.
"""

from __future__ import annotations

import ast
import keyword
from typing import Any

import dspy

from . import field_types
from .field_types import TypeRefused

__all__ = ["SignatureRefused", "build_signature", "text_outputs"]


class SignatureRefused(ValueError):
    """A signature that cannot be built; the message names the field and what was expected."""


def build_signature(document: str | dict[str, Any]) -> type[dspy.Signature]:
    """The signature class for ``"question, context -> answer: float"`` or
    ``{"instructions": ..., "fields": [{"name", "kind", "type", "description", "choices"}]}``."""
    if isinstance(document, str):
        fields, instructions = _string_fields(document), ""
    else:
        fields, instructions = _document_fields(document), document.get("instructions") or ""
    if not any(kind == "input" for _, kind, _, _ in fields):
        raise SignatureRefused("signature without an input field, expected at least one")
    if not any(kind == "output" for _, kind, _, _ in fields):
        raise SignatureRefused("signature without an output field, expected at least one")
    return _make(fields, instructions)


def text_outputs(signature: type[dspy.Signature]) -> list[str]:
    """The output fields whose value is plain text: the ones whose tokens can be shown as they
    come."""
    return [name for name, info in signature.output_fields.items() if info.annotation is str]


def _make(fields: list[Field], instructions: str) -> type[dspy.Signature]:
    seen: set[str] = set()
    made: dict[str, Any] = {}
    for name, kind, type_, description in fields:
        _check_name(name)
        if name in seen:
            raise SignatureRefused(f"signature field `{name}` named twice, expected distinct names")
        seen.add(name)
        options = {} if description is None else {"desc": description}
        field = dspy.InputField(**options) if kind == "input" else dspy.OutputField(**options)
        made[name] = (type_, field)
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
    return [(arg.arg, kind, _annotation(arg), None) for arg in function.args.args]


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
    fields = []
    for index, field in enumerate(document.get("fields") or []):
        where = f"signature field `{field.get('name', index)}`"
        if field.get("kind") not in ("input", "output"):
            raise SignatureRefused(
                f'{where}: kind {field.get("kind")!r}, expected "input" or "output"'
            )
        fields.append(
            (field["name"], field["kind"], _field_type(field, where), field.get("description"))
        )
    return fields


def _field_type(field: dict[str, Any], where: str) -> Any:
    try:
        if field.get("choices") is not None:
            if field.get("type") not in (None, "Literal"):
                raise SignatureRefused(f"{where}: both a type and choices, expected one of them")
            return field_types.choices_type(field["choices"], where)
        return field_types.parse_type(field.get("type") or "str", where)
    except TypeRefused as refused:
        raise SignatureRefused(str(refused)) from None


# name, "input" or "output", type, description
Field = tuple[str, str, Any, "str | None"]

# Keyword arguments that DSPy modules take for themselves.
_RESERVED = frozenset(
    {"signature", "demos", "config", "lm", "new_signature", "prediction", "max_iters"}
)
