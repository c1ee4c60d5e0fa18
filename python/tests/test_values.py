"""Python objects as values: the table of docs/values.md, and what is refused."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import subprocess
import sys
import uuid
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np
import orjson
import pydantic
import pytest

from snakepit_bridge.errors import ResourceExhausted, Unsupported, ValueRefused
from snakepit_bridge.values import decode, encode


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    pass


class Number(int):
    pass


@dataclasses.dataclass
class Point:
    x: int
    label: tuple[str, ...]


class Model(pydantic.BaseModel):
    name: str
    when: datetime.date
    inner: Point


Pair = collections.namedtuple("Pair", "left right")

CONVERSIONS = [
    ((1, (2, 3)), [1, [2, 3]]),
    ({"a": (True, None)}, {"a": [True, None]}),
    (Point(1, ("a", "b")), {"x": 1, "label": ["a", "b"]}),
    (Pair(1, [Pair(2, 3)]), {"left": 1, "right": [{"left": 2, "right": 3}]}),
    (
        Model(name="n", when=datetime.date(2026, 1, 2), inner=Point(1, ())),
        {"name": "n", "when": "2026-01-02", "inner": {"x": 1, "label": []}},
    ),
    ([Colour.RED, Level.HIGH], ["red", 3]),
    ([Text("t"), Number(5)], ["t", 5]),
    (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "2026-01-02T03:04:05+00:00"),
    (datetime.time(1, 2), "01:02:00"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (PurePosixPath("/a/b"), "/a/b"),
    (decimal.Decimal("1.10"), "1.10"),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (collections.defaultdict(list, a=[1]), {"a": [1]}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    ([np.int64(2**63 - 1), np.uint64(2**64 - 1)], [2**63 - 1, 2**64 - 1]),
    ([np.bool_(True), np.float32(0.5), np.str_("x")], [True, 0.5, "x"]),
    ({Text("k"): 1}, {"k": 1}),
    ([orjson.Fragment('{"a": [1]}')], [{"a": [1]}]),
    ([orjson.Fragment(b"1"), b"".decode(), None, {1}], [1, "", None, [1]]),
]


@pytest.mark.parametrize(("given", "expected"), CONVERSIONS, ids=lambda each: repr(each)[:40])
def test_conversions(given, expected):
    document, attachments = encode(given)
    assert attachments == []
    back = json.loads(document)
    assert back == expected
    assert repr(back) == repr(expected), "types differ: a bool is no number"


@pytest.mark.parametrize("given", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")])
def test_bytes_are_attachments_and_never_text(given):
    document, attachments = encode({"b": given})
    assert document == b'{"b":{"$spb":{"attachment":0}}}'
    assert bytes(attachments[0]) == b"\x00\xff"
    assert decode(document, attachments) == {"b": b"\x00\xff"}


def test_none_stays_none():
    assert encode(None)[0] == b"null"
    assert encode("None")[0] == b'"None"'
    assert encode({"a": None})[0] == b'{"a":null}'


def test_mutable_bytes_are_copied():
    given = bytearray(b"before")
    _, attachments = encode(given)
    given[:] = b"after!"
    assert bytes(attachments[0]) == b"before"


ARRAYS = [
    np.arange(6, dtype=dtype).reshape(2, 3)
    for dtype in (np.int8, np.uint16, np.int64, np.float16, np.float32, np.float64)
] + [
    np.array([True, False]),
    np.array(1.5),
    np.zeros((0, 4), dtype=np.int32),
    np.arange(24).reshape(2, 3, 4)[:, ::2, ::-1],
    np.arange(6, dtype=">i4").reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([np.nan, np.inf]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_come_back_equal(array):
    document, attachments = encode([array])
    (back,) = decode(document, attachments)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_received_arrays_are_read_only_and_not_copied():
    data = bytearray(np.arange(4, dtype="<i8").tobytes())
    back = decode(b'{"$spb":{"attachment":0}}', [("int64", (2, 2), memoryview(data))])
    with pytest.raises(ValueError, match="read-only"):
        back[0, 0] = 1
    data[0] = 7
    assert back[0, 0] == 7


def test_bfloat16_needs_its_package():
    document, attached = b'{"$spb":{"attachment":0}}', [("bfloat16", (1,), b"\x80\x3f")]
    try:
        import ml_dtypes
    except ImportError:
        with pytest.raises(Unsupported, match="ml_dtypes"):
            decode(document, attached)
        return
    back = decode(document, attached)
    assert back.dtype == ml_dtypes.bfloat16
    assert float(back[0]) == 1.0
    assert encode(back)[1][0][:2] == ("bfloat16", (1,))


class Unknown:
    pass


nested: list = []
for _ in range(70):
    nested = [nested]

REFUSALS = [
    ({"a": [0, float("nan")]}, "$.a[1]", "not finite"),
    ((float("inf"),), "$[0]", "not finite"),
    ([np.float64("nan")], "$[0]", "not finite"),
    ({"n": 2**64}, "$.n", "64 bits"),
    ((-(2**63) - 1,), "$[0]", "64 bits"),
    ([10**5000], "$[0]", "64 bits"),
    ((1, 10**5000), "$[1]", "64 bits"),
    (nested, "$" + "[0]" * 64, "deeper than 64"),
    ((nested,), "$" + "[0]" * 64, "deeper than 64"),
    ({"a": {1: 2}}, "$.a", "key 1 is an int"),
    ({"a": {None: 2}}, "$.a", "key None is a NoneType"),
    ({(1, 2): 2}, "$", "tuple"),
    ({"x": Unknown()}, "$.x", "test_values.Unknown has no form"),
    ([Unknown], "$[0]", "type"),
    ([1j], "$[0]", "complex"),
    ([np.array([1j])], "$[0]", "complex128"),
    ([np.array(["x"])], "$[0]", "dtype str"),
    ([np.array([object()])], "$[0]", "dtype object"),
    ([np.datetime64("2026-01-01")], "$[0]", "datetime64"),
    ([np.ma.masked_array([1], mask=[True])], "$[0]", "masked"),
    ([lambda: 1], "$[0]", "function"),
    ((x for x in ()), "$", "generator"),
    ("\ud800", "$", "surrogate"),
    (("\ud800",), "$", "surrogate"),
]


@pytest.mark.parametrize(("given", "path", "fault"), REFUSALS)
def test_refusals_name_the_place(given, path, fault):
    with pytest.raises(ValueRefused) as caught:
        encode(given)
    if "surrogate" not in fault:
        assert caught.value.path == path
    assert fault in str(caught.value)
    assert str(caught.value).startswith(f"at {caught.value.path}: ")


@pytest.mark.parametrize("key", ["$spb", "$$spb", "$$$spb"])
def test_keys_that_look_like_the_tag_come_back(key):
    for value in (1, {"attachment": 0}, {key: {key: "x"}}, [b"blob"]):
        given = {key: value, "other": 1}
        document, attachments = encode(given)
        assert b'"$' + key.encode() in document
        assert decode(document, attachments) == given
        assert decode(*encode({key: value})) == {key: value}


def test_too_many_attachments_are_refused():
    encode([b""] * 1024)
    with pytest.raises(ValueRefused, match="more than 1024"):
        encode([b""] * 1025)


def test_the_size_counts_document_and_attachments():
    encode([b"x" * 50], 100)
    for given in ([b"x" * 99], "x" * 99, [np.zeros(12)]):
        with pytest.raises(ResourceExhausted) as caught:
            encode(given, 100)
        assert caught.value.details["limit"] == 100
        assert caught.value.details["path"] == "$"
        assert not caught.value.retryable


def test_a_ring_is_refused():
    ring: list = []
    ring.append(ring)
    with pytest.raises(ValueRefused, match="deeper"):
        encode(ring)


def test_the_input_is_not_changed():
    given = {"$spb": (1, {2}), "b": [b"x"]}
    before = repr(given)
    encode(given)
    assert repr(given) == before


def test_numpy_is_not_imported_for_plain_values():
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]; import conftest;"
        "from snakepit_bridge.values import encode, decode;"
        "decode(*encode({'a': (1, b'x')})); assert 'numpy' not in sys.modules"
    )
    here = Path(__file__).parent
    subprocess.run([sys.executable, "-c", script, str(here)], check=True, timeout=60)
