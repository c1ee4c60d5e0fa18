"""Values: Python objects to and from a JSON document with attachments.

Owns the two directions and the fast path. What orjson writes by itself, and surely exactly, is sent
so; the rest is looked through, and converted by `conversions`, exactly or not at all. Must not know
the link or what a value is for. The table of types is docs/values.md, the shared examples are
tests/vectors/values.json.
"""

from __future__ import annotations

import math
from typing import Any

import orjson

from . import _native
from .bridge import refused
from .conversions import ATTACHMENTS_MAX, plain
from .errors import InvalidArgument, ResourceExhausted, ValueRefused
from .tensors import is_numpy_scalar, to_array

Encoded = tuple[bytes, list[Any]]


def encode(obj: Any, bytes_max: int | None = None) -> Encoded:
    """The document and attachments of `obj`.

    Raises `ValueRefused` naming the place of what has no exact form, and `ResourceExhausted` when
    document and attachments together are larger than `bytes_max`.
    """
    attachments: list[Any] = []
    json = ENCODER.encode(obj)
    if json is None:
        json, attachments = _looked_through(obj)
    given = len(json) + _attached_bytes(attachments) if attachments else len(json)
    if bytes_max is not None and given > bytes_max:
        raise ResourceExhausted(
            f"value has {given} bytes, the limit is {bytes_max}",
            details={"path": "$", "bytes": given, "limit": bytes_max},
            retryable=False,
        )
    return json, attachments


def encode_variable(obj: Any, bytes_max: int | None = None) -> Encoded:
    """As `encode`, for the value of a variable, which may also be one float that is not finite.

    Whether it may is for the variable's constraint `finite` to say, so such a float leaves Python
    as its tag. Inside another value it is refused as everywhere.
    """
    if _is_float(obj) and not math.isfinite(obj):
        name = "nan" if math.isnan(obj) else "inf" if obj > 0 else "-inf"
        return orjson.dumps({TAG: {"float": name}}), []
    return encode(obj, bytes_max)


def decode(json: bytes, attachments: list[Any] | None) -> Any:
    """The object of a document: blobs become bytes, tensors read-only numpy arrays without
    a copy, tagged floats NaN and the infinities. Without a list there is none of them in it.
    """
    try:
        tree = orjson.loads(json)
    except orjson.JSONDecodeError as fault:
        raise InvalidArgument(f"document is not JSON: {fault}") from None
    if attachments is None:
        return tree
    # Most documents lack the very letters, which are looked for twenty times as fast as the words.
    if (
        attachments
        or (DOLLAR in json and TAG_BYTES in json)
        or (BACKSLASH in json and ESCAPED_ASCII in json)
    ):
        return _resolved(tree, attachments)
    return tree


def _looked_through(obj: Any) -> Encoded:
    """Encodes after a look at each part of `obj`."""
    try:
        is_plain = _native.scan(obj) == 0
    except _native.ValueRefused as fault:
        raise refused(fault) from None
    tree, attachments = (obj, []) if is_plain else plain(obj)
    try:
        return orjson.dumps(tree, None, _STRICT), attachments
    except orjson.JSONEncodeError as fault:
        # What the scan does not look at is left to orjson: lone surrogates have no UTF-8 form.
        raise ValueRefused("$", str(fault)) from None


def _is_float(obj: Any) -> bool:
    """A float of Python or numpy, of whatever width."""
    return isinstance(obj, float) or (is_numpy_scalar(obj) and obj.dtype.kind == "f")


def _attached_bytes(attachments: list[Any]) -> int:
    total = 0
    for attachment in attachments:
        data = attachment[2] if type(attachment) is tuple else attachment
        total += memoryview(data).nbytes
    return total


def _resolved(node: Any, attachments: list[Any]) -> Any:
    if type(node) is list:
        return [_resolved(item, attachments) for item in node]
    if type(node) is not dict:
        return node
    if TAG in node:
        return _tagged(node, attachments)
    return {
        key[1:] if key.endswith(TAG) and is_escaped(key) else key: _resolved(item, attachments)
        for key, item in node.items()
    }


def is_escaped(key: str) -> bool:
    """Whether the key is a user's own, written with one more `$` to tell it from the tag."""
    return key.lstrip("$") == "spb" and key.startswith("$$")


def _tagged(node: dict[str, Any], attachments: list[Any]) -> Any:
    tag = node[TAG]
    if len(node) == 1 and type(tag) is dict and len(tag) == 1:
        if "attachment" in tag:
            return _attachment(tag["attachment"], attachments)
        if "float" in tag and tag["float"] in NON_FINITE:
            return float(tag["float"])
    raise InvalidArgument(
        'tag is neither {"$spb": {"attachment": N}} nor {"$spb": {"float": "nan", "inf" or "-inf"}}'
    )


def _attachment(number: Any, attachments: list[Any]) -> Any:
    if type(number) is not int or not 0 <= number < len(attachments):
        have = len(attachments)
        raise InvalidArgument(f"refers to attachment {number!r}, and the value has {have}")
    attachment = attachments[number]
    if type(attachment) is tuple:
        return to_array(*attachment)
    return bytes(attachment)


TAG = "$spb"
TAG_BYTES = b"$spb"
# Any character of the tag may be written so.
ESCAPED_ASCII = b"\\u00"
DOLLAR, BACKSLASH = b"$\\"
NON_FINITE = ("nan", "inf", "-inf")

# Nothing is converted behind the caller's back: what is not plain JSON takes the slow path.
_STRICT = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)

# Writes what needs no look at its parts: it refuses whatever else it meets inside.
ENCODER = _native.Encoder(orjson.dumps, _STRICT)

__all__ = ["ATTACHMENTS_MAX", "ENCODER", "Encoded", "decode", "encode", "encode_variable"]
