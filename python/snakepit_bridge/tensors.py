"""Tensors: arrays to and from attachments of dtype, shape and little-endian row-major bytes.

Owns the table of element types. numpy is imported only when an array is met; without it an incoming
tensor is refused by name. What torch is, `torch_tensors` knows. Must not know JSON documents.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from . import torch_tensors
from .errors import InvalidArgument, Unsupported
from .torch_tensors import to_torch

Attachment = tuple[str, tuple[int, ...], Any]


def is_array(obj: Any) -> bool:
    """Whether `obj` is a numpy array or a torch tensor; imports neither."""
    numpy = sys.modules.get("numpy")
    return (numpy is not None and isinstance(obj, numpy.ndarray)) or torch_tensors.is_tensor(obj)


def is_numpy_scalar(obj: Any) -> bool:
    """Whether `obj` is a numpy scalar; never imports numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(obj, numpy.generic)


def to_attachment(array: Any, refuse: Callable[[str], Exception]) -> Attachment:
    """The attachment of an array; copies only what is not contiguous, little-endian and immutable
    elsewhere.

    `refuse` makes the exception for an array without a form.
    """
    try:
        import numpy
    except ImportError:
        raise refuse("tensor needs the package numpy, which is not installed") from None
    if torch_tensors.is_tensor(array):
        name, array = torch_tensors.to_array(array, refuse)
    else:
        name = array.dtype.name
    if name not in DTYPES:
        raise refuse(f"array of dtype {name} has no form as a tensor, expected {', '.join(DTYPES)}")
    if isinstance(array, numpy.ma.MaskedArray):
        raise refuse("masked array has no form as a tensor: fill or drop the masked elements")
    dense = numpy.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    # `ascontiguousarray` makes one dimension of none, hence the shape of the original.
    elements: Any = dense.reshape(-1).view(numpy.uint8)
    return name, array.shape, memoryview(elements)


def to_array(dtype: str, shape: tuple[int, ...], data: Any) -> Any:
    """A read-only array over `data`, without a copy; a torch tensor for a bfloat16 that only torch
    knows here.
    """
    ndarray, kind = _KINDS.get(dtype) or _of_numpy(dtype)
    given = memoryview(data).nbytes
    # numpy takes a buffer that is too long, so the product decides before it is asked.
    is_possible = given == math.prod(shape) * kind.itemsize and min(shape, default=0) >= 0
    if not is_possible or len(shape) > DIMENSIONS_MAX:
        tensor = f"tensor of {dtype} and shape {list(shape)}"
        raise InvalidArgument(f"{tensor} cannot have {given} bytes")
    array = ndarray(shape, kind, data)
    array.setflags(False)
    is_foreign = dtype == "bfloat16" and kind.kind == "i"
    return torch_tensors.of_bits(array) if is_foreign else array


def _of_numpy(name: str) -> tuple[Any, Any]:
    """numpy's class of arrays and its dtype, looked for once. That of bfloat16 may be imported
    later, and is looked for each time.
    """
    try:
        import numpy
    except ImportError:
        raise Unsupported(
            f"a {name} tensor needs the package numpy, which is not installed"
        ) from None
    if name == "bfloat16":
        try:
            import ml_dtypes  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            if "torch" in sys.modules:
                # The bits; torch makes something of them.
                return numpy.ndarray, numpy.dtype(numpy.int16)
            raise Unsupported(
                "a bfloat16 tensor needs the package ml_dtypes, which is not installed, or torch, "
                "which is not imported"
            ) from None
        return numpy.ndarray, numpy.dtype(ml_dtypes.bfloat16)
    if name not in DTYPES:
        raise Unsupported(f"tensor has the unknown dtype {name!r}")
    known = _KINDS[name] = numpy.ndarray, numpy.dtype(name).newbyteorder("<")
    return known


# What numpy was asked for.
_KINDS: dict[str, tuple[Any, Any]] = {}


# The limit of src/core/limits.rs, and numpy's.
DIMENSIONS_MAX = 64

DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
)

__all__ = [
    "DTYPES",
    "Attachment",
    "is_array",
    "is_numpy_scalar",
    "to_array",
    "to_attachment",
    "to_torch",
]
