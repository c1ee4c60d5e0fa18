"""The slow path of encoding: any supported Python object to a plain JSON tree and its attachments.

Owns the table of conversions, the refusals with their path, and the escape of keys that look like
the tag. One recursive pass; the input is never changed. Must not know JSON text or the link.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import math
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from . import models
from .errors import ValueRefused
from .tensors import is_array, is_numpy_scalar, to_attachment


def plain(obj: Any) -> tuple[Any, list[Any]]:
    """The tree and the attachments it refers to. Raises `ValueRefused` naming the place."""
    conversion = _Conversion()
    return conversion.convert(obj), conversion.attachments


class _Conversion:
    """One value on its way: where we are, and what was attached so far."""

    def __init__(self) -> None:
        self.attachments: list[Any] = []
        self._path: list[str | int] = []

    def convert(self, obj: Any) -> Any:
        kind = type(obj)
        exact = _EXACT.get(kind)
        if exact is not None:
            return exact(self, obj)
        if kind is str or kind is bool or obj is None:
            return obj
        return self._other(obj)

    def _other(self, obj: Any) -> Any:
        """Subclasses and everything that is recognised by a look at the object."""
        if isinstance(obj, enum.Enum):
            return self.convert(obj.value)
        if is_numpy_scalar(obj):
            return self._numpy_scalar(obj)
        if is_array(obj):
            return self._attach(to_attachment(obj, self._refuse))
        for base, exact in _BY_BASE:
            if isinstance(obj, base):
                return exact(self, obj)
        if isinstance(obj, type):
            raise self._refuse(f"{_type_name(obj)} has no form as a value")
        if hasattr(obj, "__pydantic_decorators__"):
            return self._pydantic(obj)
        if dataclasses.is_dataclass(obj):
            return self._object(
                {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}
            )
        raise self._refuse(f"{_type_name(obj)} has no form as a value")

    def _pydantic(self, obj: Any) -> Any:
        try:
            return self.convert(models.contents(obj))
        except models.NotSerializable as fault:
            raise self._refuse(f"{_type_name(obj)} cannot be serialized: {fault}") from fault

    def _integer(self, obj: int) -> int:
        number = int(obj)
        if INTEGER_MIN <= number <= INTEGER_MAX:
            return number
        raise self._refuse(f"integer {_shortened(number)} does not fit 64 bits")

    def _float(self, obj: float) -> float:
        number = float(obj)
        if math.isfinite(number):
            return number
        raise self._refuse("number is not finite: NaN and infinities have no JSON form")

    def _string(self, obj: str) -> str:
        return str.__str__(obj)

    def _sequence(self, obj: Any) -> Any:
        names = getattr(obj, "_fields", None)
        if isinstance(obj, tuple) and names is not None:
            return self._object(dict(zip(names, obj, strict=True)))
        self._enter()
        items = []
        for index, item in enumerate(obj):
            self._path.append(index)
            items.append(self.convert(item))
            self._path.pop()
        return items

    def _set(self, obj: Any) -> Any:
        try:
            ordered = sorted(obj)
        except TypeError:
            ordered = list(obj)
        return self._sequence(ordered)

    def _object(self, obj: Mapping[Any, Any]) -> dict[str, Any]:
        self._enter()
        fields: dict[str, Any] = {}
        for key, item in obj.items():
            if not isinstance(key, str):
                raise self._refuse(f"key {_brief(key)} is {_article(key)}, expected a str")
            name = escaped(str(key.value) if isinstance(key, enum.Enum) else str.__str__(key))
            if name in fields:
                raise self._refuse(f"key {_brief(name)} occurs twice")
            self._path.append(name)
            fields[name] = self.convert(item)
            self._path.pop()
        return fields

    def _bytes(self, obj: Any) -> dict[str, Any]:
        view = memoryview(obj)
        if isinstance(obj, bytes):
            return self._attach(obj)
        # A mutable buffer may change between here and the wire, so it is copied.
        return self._attach(view.tobytes())

    def _fragment(self, obj: Any) -> Any:
        return obj

    def _text(self, obj: Any) -> str:
        return str(obj)

    def _iso(self, obj: Any) -> str:
        return str(obj.isoformat())

    def _duration(self, obj: datetime.timedelta) -> str:
        from pydantic_core import to_jsonable_python

        return str(to_jsonable_python(obj))

    def _path_text(self, obj: os.PathLike[Any]) -> str:
        text: str | bytes = os.fspath(obj)
        if isinstance(text, bytes):
            raise self._refuse(f"{_type_name(obj)} holds bytes, expected text")
        return text

    def _numpy_scalar(self, obj: Any) -> Any:
        item = obj.item()
        if isinstance(item, (bool, int, float, str, bytes)):
            return self.convert(item)
        raise self._refuse(f"numpy scalar of dtype {obj.dtype} has no form as a value")

    def _attach(self, attachment: Any) -> dict[str, Any]:
        self._enter()
        if len(self.attachments) >= ATTACHMENTS_MAX:
            raise self._refuse(f"value has more than {ATTACHMENTS_MAX} attachments")
        self.attachments.append(attachment)
        return {"$spb": {"attachment": len(self.attachments) - 1}}

    def _enter(self) -> None:
        if len(self._path) >= DEPTH_MAX:
            raise self._refuse(f"document is nested deeper than {DEPTH_MAX}")

    def _refuse(self, fault: str) -> ValueRefused:
        return ValueRefused(rendered(self._path), fault)


def escaped(key: str) -> str:
    """The key as it is written: one more `$` for a user's own key that could be taken for
    the tag.
    """
    return "$" + key if key.endswith("$spb") and key.lstrip("$") == "spb" else key


def rendered(path: list[str | int]) -> str:
    """The path as all errors of the platform write it: `$.scores[3]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step[:KEY_CHARS_MAX]}" for step in path)
    return "$" + "".join(steps)


def _type_name(obj: Any) -> str:
    kind = type(obj)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


def _article(obj: Any) -> str:
    name = _type_name(obj)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _brief(obj: Any) -> str:
    try:
        text = repr(obj)
    except Exception:
        return "(without a repr)"
    return text if len(text) <= KEY_CHARS_MAX else text[:KEY_CHARS_MAX] + "…"


def _shortened(number: int) -> str:
    # Python refuses to print integers of many thousand digits; the bit length is enough for those.
    if number.bit_length() > 256:
        return f"of {number.bit_length()} bits"
    text = str(number)
    return text if len(text) <= NUMBER_CHARS_MAX else text[:NUMBER_CHARS_MAX] + "…"


INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**64 - 1
# The limits of src/core/limits.rs.
DEPTH_MAX = 64
ATTACHMENTS_MAX = 1024
# What is cut in error messages.
KEY_CHARS_MAX = 64
NUMBER_CHARS_MAX = 32

_ADDRESSES = (
    ipaddress.IPv4Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Address,
    ipaddress.IPv6Interface,
    ipaddress.IPv6Network,
)

_Converter = Callable[[_Conversion, Any], Any]

_EXACT: dict[type, _Converter] = {
    dict: _Conversion._object,
    list: _Conversion._sequence,
    tuple: _Conversion._sequence,
    int: _Conversion._integer,
    float: _Conversion._float,
    bytes: _Conversion._bytes,
    bytearray: _Conversion._bytes,
    memoryview: _Conversion._bytes,
    orjson.Fragment: _Conversion._fragment,
}

# In this order: a datetime is a date, a bool was handled before an int.
_BY_BASE: list[tuple[Any, _Converter]] = [
    (str, _Conversion._string),
    (int, _Conversion._integer),
    (float, _Conversion._float),
    (Mapping, _Conversion._object),
    ((list, tuple), _Conversion._sequence),
    (collections.deque, _Conversion._sequence),
    ((set, frozenset), _Conversion._set),
    ((bytes, bytearray), _Conversion._bytes),
    ((datetime.datetime, datetime.date, datetime.time), _Conversion._iso),
    (datetime.timedelta, _Conversion._duration),
    ((uuid.UUID, decimal.Decimal, *_ADDRESSES), _Conversion._text),
    (os.PathLike, _Conversion._path_text),
]
