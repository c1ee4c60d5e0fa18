"""Tensors: numpy arrays to and from attachments of dtype, shape and little-endian row-major bytes.

Owns the table of element types. numpy is imported only when an array is met; without it an incoming
tensor is refused by name. Must not know JSON documents.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from .errors import InvalidArgument, Unsupported

Attachment = tuple[str, tuple[int, ...], Any]


def is_array(obj: Any) -> bool:
    """Whether `obj` is a numpy array; never imports numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(obj, numpy.ndarray)


def is_numpy_scalar(obj: Any) -> bool:
    """Whether `obj` is a numpy scalar; never imports numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(obj, numpy.generic)


def to_attachment(array: Any, refuse: Callable[[str], Exception]) -> Attachment:
    """The attachment of an array; copies only what is not contiguous, little-endian and immutable
    elsewhere.

    `refuse` makes the exception for an array without a form.
    """
    import numpy

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
    """A read-only array over `data`, without a copy."""
    try:
        import numpy
    except ImportError:
        raise Unsupported(
            f"a {dtype} tensor needs the package numpy, which is not installed"
        ) from None
    kind, view = _numpy_dtype(dtype), memoryview(data)
    # numpy would take a negative side for "find out", so the product decides before it is asked.
    bytes_expected = math.prod(shape) * kind.itemsize
    if view.nbytes != bytes_expected or min(shape, default=0) < 0 or len(shape) > DIMENSIONS_MAX:
        given = f"tensor of {dtype} and shape {list(shape)}"
        raise InvalidArgument(f"{given} cannot have {view.nbytes} bytes")
    array = numpy.frombuffer(data, dtype=kind).reshape(tuple(shape))
    array.flags.writeable = False
    return array


def _numpy_dtype(name: str) -> Any:
    import numpy

    if name == "bfloat16":
        try:
            import ml_dtypes  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            raise Unsupported(
                "a bfloat16 tensor needs the package ml_dtypes, which is not installed"
            ) from None
        return numpy.dtype(ml_dtypes.bfloat16)
    if name not in DTYPES:
        raise Unsupported(f"tensor has the unknown dtype {name!r}")
    return numpy.dtype(name).newbyteorder("<")


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
