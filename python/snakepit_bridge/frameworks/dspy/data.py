"""Examples as data: from an array of objects, inline or kept in a variable, to DSPy examples.

It owns the forms that `data` may have and the refusal of a bad row by its index and field. It must
not know programs, metrics or optimizers: they say which fields are inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument, NotFound
from snakepit_bridge.variables import Past

from .settings import listed

__all__ = ["aload_examples", "examples", "kind_of", "load_examples"]


def load_examples(
    document: Any,
    ctx: CallContext,
    input_names: Iterable[str] | None,
    *,
    optional: Collection[str] = (),
    where: str = "data",
) -> list[dspy.Example]:
    """The examples of `document`: an array of objects, `{"rows": [...], "inputs"?}` or
    `{"variable": name, "version"?, "inputs"?}`.

    `input_names` are the fields that a program takes, `optional` those of them that a row may leave
    out; all others of a row are labels. None: the document's own `inputs`, or every field. Raises
    `InvalidArgument` naming the row and the field, `NotFound` for a variable or version that is not
    there. It waits for the host: on the event loop, await `aload_examples`.
    """
    source = _source(document, where)
    rows = source.rows
    if source.variable is not None:
        if source.version is None:
            rows = ctx.session.get(source.variable)
        else:
            rows = _of_version(source, ctx.session.history(source.variable))
    return examples(rows, source.inputs or input_names, optional=optional, where=source.where)


async def aload_examples(
    document: Any,
    ctx: CallContext,
    input_names: Iterable[str] | None,
    *,
    optional: Collection[str] = (),
    where: str = "data",
) -> list[dspy.Example]:
    """As `load_examples`."""
    source = _source(document, where)
    rows = source.rows
    if source.variable is not None:
        if source.version is None:
            rows = await ctx.session.aget(source.variable)
        else:
            rows = _of_version(source, await ctx.session.ahistory(source.variable))
    return examples(rows, source.inputs or input_names, optional=optional, where=source.where)


def examples(
    rows: Any,
    input_names: Iterable[str] | None,
    *,
    optional: Collection[str] = (),
    where: str = "data",
) -> list[dspy.Example]:
    """The examples of rows that are at hand; see `load_examples`."""
    if not isinstance(rows, list):
        raise InvalidArgument(f"{where} is {kind_of(rows)}, expected an array of objects")
    if not rows:
        raise InvalidArgument(f"{where} without rows, expected at least one")
    inputs = None if input_names is None else tuple(input_names)
    required = () if inputs is None else tuple(name for name in inputs if name not in optional)
    made = []
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InvalidArgument(f"{where}[{index}] is {kind_of(row)}, expected an object")
        for name in required:
            if name not in row:
                raise InvalidArgument(
                    f"{where}[{index}]: field `{name}` missing, expected all of {listed(required)}"
                )
        example = dspy.Example(row)
        # What `with_inputs` does, without a second copy of each row.
        example._input_keys = set(row if inputs is None else inputs)
        made.append(example)
    return made


def kind_of(value: Any) -> str:
    """What kind of JSON value that is, with its article."""
    if value is None:
        return "null"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the rows come from: `rows` themselves, or a variable."""

    where: str
    rows: Any = None
    variable: str | None = None
    version: int | None = None
    inputs: tuple[str, ...] = ()


def _source(document: Any, where: str) -> _Source:
    if not isinstance(document, dict):
        return _Source(where, rows=document)
    for name in document:
        if name not in _KEYS:
            raise InvalidArgument(f"{where}.{name}, expected one of {listed(_KEYS)}")
    inputs = document.get("inputs") or []
    if not isinstance(inputs, list) or not all(isinstance(name, str) for name in inputs):
        raise InvalidArgument(f"{where}.inputs, expected an array of field names")
    if ("rows" in document) == ("variable" in document):
        raise InvalidArgument(f"{where}, expected exactly one of `rows` and `variable`")
    if "rows" in document:
        return _Source(f"{where}.rows", rows=document["rows"], inputs=tuple(inputs))
    variable, version = document["variable"], document.get("version")
    if not isinstance(variable, str) or not variable:
        raise InvalidArgument(
            f"{where}.variable is {kind_of(variable)}, expected the name of a json variable"
        )
    if version is not None and type(version) is not int:
        raise InvalidArgument(f"{where}.version is {kind_of(version)}, expected an integer")
    return _Source(f"{where} (variable `{variable}`)", None, variable, version, tuple(inputs))


def _of_version(source: _Source, history: list[Past]) -> Any:
    for past in history:
        if past.version == source.version:
            return past.value
    kept = ", ".join(str(past.version) for past in history)
    raise NotFound(
        f"{source.where} has no version {source.version}, kept are {kept}",
        details={"variable": source.variable, "version": source.version},
    )


_KEYS = ("rows", "variable", "version", "inputs")
_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
}
