"""Hints of bytes, arrays and numpy scalars: what stands for them in a schema, and their check.

Owns `Tensor`, the annotation that says which arrays a parameter takes, the keyword
`x-spb-attachment`, and the translation of numpy's own hints. numpy is looked at only where a hint
names it. Must not know signatures or calls.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from typing import Any

from .tensors import DTYPES, is_array

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Tensor:
    """Says which arrays a parameter takes: `Annotated[ndarray, Tensor("float32", (None, 3))]`.

    `dtype` is one element type, several, or None for any. `shape` has a length for each dimension,
    None where any will do; None for any shape. Nothing is converted: another array is refused. It
    also works in the fields of dataclasses, models and named tuples.
    """

    dtype: str | tuple[str, ...] | None = None
    shape: Shape | None = None

    def __post_init__(self) -> None:
        for name in self.names():
            if name not in DTYPES:
                raise TypeError(f"element type {name!r} is none of {', '.join(DTYPES)}")

    def names(self) -> tuple[str, ...]:
        """The element types that are taken; none: all."""
        if self.dtype is None:
            return ()
        return (self.dtype,) if isinstance(self.dtype, str) else self.dtype

    def schema(self) -> dict[str, Any]:
        """What stands for such an array in a document."""
        names = self.names()
        about: dict[str, Any] = {"kind": "tensor"}
        if names:
            about["dtype"] = names[0] if len(names) == 1 else list(names)
        if self.shape is not None:
            about["shape"] = list(self.shape)
        return attachment_schema(about)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return self.schema()

    def _checked(self, value: Any) -> Any:
        if not is_array(value):
            raise _refusal("tensor_type", "Input should be a tensor")
        name = str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")
        names = self.names()
        if names and name not in names:
            expected = " or ".join(names)
            raise _refusal("tensor_dtype", f"Input should be a tensor of {expected}, not of {name}")
        if self.shape is not None and not _fits(value.shape, self.shape):
            expected, given = _shown(self.shape), _shown(value.shape)
            message = f"Input should be a tensor of shape {expected}, not {given}"
            raise _refusal("tensor_shape", message)
        return value


@dataclasses.dataclass(frozen=True, slots=True)
class NumpyScalar:
    """The annotation that makes a number, boolean or text of the document a numpy scalar."""

    kind: type

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            self.kind, _scalar_schema(self.kind), serialization=core_schema.to_string_ser_schema()
        )

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> Any:
        return handler(core["schema"])


def array_hint(hint: Any) -> Any:
    """The hint of an array as one that pydantic understands, or None if it is of something else.

    Raises `TypeError` for arrays that no tensor can be.
    """
    kind = typing.get_origin(hint) or hint
    if not is_array_type(kind):
        return None
    arguments = typing.get_args(hint)
    if not arguments:
        return typing.Annotated[kind, Tensor()]
    shape, dtype = arguments
    return typing.Annotated[kind, Tensor(_names_of(dtype), _shape_of(shape))]


def scalar_hint(hint: Any) -> Any:
    """The hint of a numpy scalar as one that pydantic understands, or None."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(hint, type) or not issubclass(hint, numpy.generic):
        return None
    if hint is numpy.str_ or hint is numpy.bool_ or issubclass(hint, numpy.number):
        return typing.Annotated[hint, NumpyScalar(hint)]
    return None


def is_array_type(kind: Any) -> bool:
    """Whether values of the type travel as tensors; imports neither numpy nor torch."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    array = getattr(numpy, "ndarray", None)
    tensor = getattr(torch, "Tensor", None)
    kinds = tuple(each for each in (array, tensor) if isinstance(each, type))
    return isinstance(kind, type) and issubclass(kind, kinds)


def attachment_schema(about: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of the tag that stands for an attachment. `about` says what it is."""
    tag = {
        "type": "object",
        "properties": {"attachment": {"type": "integer", "minimum": 0}},
        "required": ["attachment"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"$spb": tag},
        "required": ["$spb"],
        "additionalProperties": False,
        ATTACHMENT_KEYWORD: about,
    }


def _names_of(hint: Any) -> tuple[str, ...] | None:
    """The element types of `numpy.dtype[T]`."""
    import numpy

    arguments = typing.get_args(hint)
    wanted = arguments[0] if arguments else Any
    kinds = typing.get_args(wanted) or (wanted,)
    if not all(isinstance(kind, type) and issubclass(kind, numpy.generic) for kind in kinds):
        return None
    if kinds == (numpy.generic,):
        return None
    plain = [name for name in DTYPES if name != "bfloat16"]
    names = tuple(name for name in plain if issubclass(numpy.dtype(name).type, kinds))
    if not names:
        raise TypeError(f"arrays of {wanted.__name__} have no form as a tensor")
    return names


def _shape_of(hint: Any) -> Shape | None:
    """The lengths of `tuple[int, Literal[3]]`, or None where the hint says nothing of them."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is not tuple or Ellipsis in arguments:
        return None
    sides: list[int | None] = []
    for side in arguments:
        given = typing.get_args(side) if typing.get_origin(side) is typing.Literal else ()
        sides.append(given[0] if len(given) == 1 and isinstance(given[0], int) else None)
    return tuple(sides)


def _fits(given: Any, wanted: Shape) -> bool:
    if len(given) != len(wanted):
        return False
    return all(side is None or side == have for have, side in zip(given, wanted, strict=True))


def _shown(shape: Any) -> str:
    return "[" + ", ".join("any" if side is None else str(side) for side in shape) + "]"


def _scalar_schema(kind: type) -> Any:
    import numpy
    from pydantic_core import core_schema

    if kind is numpy.bool_:
        return core_schema.bool_schema()
    if kind is numpy.str_:
        return core_schema.str_schema()
    if issubclass(kind, numpy.integer):
        try:
            limits = numpy.iinfo(kind)
        except ValueError:
            return core_schema.int_schema()
        return core_schema.int_schema(ge=int(limits.min), le=int(limits.max))
    return core_schema.float_schema()


def _refusal(kind: str, message: str) -> Exception:
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(kind, "{message}", {"message": message})  # type: ignore[arg-type]


# What a schema says of an attachment beside the form of its tag; see docs/values.md.
ATTACHMENT_KEYWORD = "x-spb-attachment"
