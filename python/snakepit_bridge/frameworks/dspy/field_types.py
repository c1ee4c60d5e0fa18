"""Field types of a signature: from the words a caller may write to Python types.

It owns the closed list of type words. It exists because DSPy's own parser resolves an unknown word
by importing a module of that name and by looking through the caller's frames; a name that came over
the wire must do neither. It must not know fields, signatures or DSPy.
"""

from __future__ import annotations

import ast
import typing
from typing import Any, Literal

__all__ = ["TypeRefused", "allows_none", "choices_type", "parse_type", "type_of_node"]


class TypeRefused(ValueError):
    """A type word that is not in the list; the message names it and the nearest place."""


def parse_type(text: str, where: str) -> Any:
    """The Python type that `text` names, for example ``str``, ``list[int]`` or ``Literal["a",
    "b"]``.

    `where` names the field for the error message. Raises `TypeRefused`.
    """
    if len(text) > _TYPE_CHARS_MAX:
        raise TypeRefused(
            f"{where}: a type of {len(text)} characters, expected at most {_TYPE_CHARS_MAX}"
        )
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise TypeRefused(f"{where}: `{text}` is not a type, expected {EXPECTED}") from None
    return type_of_node(node, where)


def choices_type(choices: list[Any], where: str) -> Any:
    """The type whose values are exactly `choices`."""
    if not choices:
        raise TypeRefused(f"{where}: no choices, expected at least one")
    for choice in choices:
        if type(choice) not in (str, int, bool):
            kind = type(choice).__name__
            raise TypeRefused(
                f"{where}: a choice of kind {kind}, expected string, integer or boolean"
            )
    return Literal[tuple(choices)]


def type_of_node(node: ast.expr, where: str) -> Any:
    """The type that a parsed annotation stands for; shared with the signature string's parser."""
    if isinstance(node, ast.Constant) and node.value is None:
        return type(None)
    if isinstance(node, ast.Name) and node.id in _SIMPLE:
        return _SIMPLE[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return type_of_node(node.left, where) | type_of_node(node.right, where)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return _subscript(node.value.id, _items(node.slice), where)
    raise TypeRefused(f"{where}: unknown type `{ast.unparse(node)}`, expected {EXPECTED}")


def allows_none(type_: Any) -> bool:
    """Whether a field of this type may be left out."""
    return type_ is type(None) or type(None) in typing.get_args(type_)


def _items(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def _subscript(name: str, items: list[ast.expr], where: str) -> Any:
    if name == "Literal" and all(isinstance(item, ast.Constant) for item in items):
        return choices_type([item.value for item in items if isinstance(item, ast.Constant)], where)
    arguments = _ARGUMENT_COUNTS.get(name)
    if arguments is None or len(items) != arguments:
        raise TypeRefused(
            f"{where}: unknown type `{name}` with {len(items)} arguments, expected {EXPECTED}"
        )
    types = [type_of_node(item, where) for item in items]
    if name in ("list", "List"):
        return list[types[0]]  # type: ignore[valid-type]
    if name in ("dict", "Dict"):
        if types[0] is not str:
            raise TypeRefused(f"{where}: a dict with keys other than str, expected dict[str, ...]")
        return dict[str, types[1]]  # type: ignore[valid-type]
    return types[0] | None


EXPECTED = "str, int, float, bool, Any, list[T], dict[str, T], Literal[...] or T | None"
_SIMPLE: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "dict": dict,
    "Any": Any,
    "None": type(None),
}
_ARGUMENT_COUNTS = {"list": 1, "List": 1, "dict": 2, "Dict": 2, "Optional": 1}
_TYPE_CHARS_MAX = 4096
