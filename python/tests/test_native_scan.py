"""`scan`: what may go to the JSON encoder as it is, and what is refused where; `Encoder`: what
needs no second look.
"""

from __future__ import annotations

import collections
import enum
import json
import pickle
import sys

import orjson
import pytest

from snakepit_bridge._native import Encoder, ValueRefused, scan

ENCODER = Encoder(orjson.dumps, orjson.OPT_PASSTHROUGH_SUBCLASS)


def nested(depth: int, inner: object = None) -> object:
    value = inner
    for number in range(depth):
        value = [value] if number % 2 else {"k": value}
    return value


class Text(str):
    """A subclass."""


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -(2**63),
        2**63 - 1,
        2**63,
        2**64 - 1,
        0.0,
        -0.0,
        1.7976931348623157e308,
        5e-324,
        "",
        "ä\0😀\uffff",
        [],
        {},
        {"": [1, {"a": [None, "b", 2.5]}]},
        {"spb": 1, "$": 2, "$$": 3, "spb$": 4, "$spb ": 5, "$spbx": 6, "$SPB": 7},
        nested(64),
    ],
)
def test_plain_trees_pass(value):
    assert scan(value) == 0


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        b"bytes",
        bytearray(),
        memoryview(b""),
        {1, 2},
        {1: "int key"},
        {None: 0},
        {b"k": 0},
        {Text("k"): 0},
        Text("subclass"),
        Level.LOW,
        collections.OrderedDict(a=1),
        collections.defaultdict(int),
        type("Listed", (list,), {})([1]),
        type("Real", (float,), {})(1.0),
        1j,
        object(),
        int,
        {"$spb": {"attachment": 0}},
        {"$$spb": 1},
        {"$" * 70 + "spb": 1},
    ],
)
def test_everything_else_is_left_to_python(value):
    assert scan(value) == 1
    assert scan([{"deep": [value]}]) == 1


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        (float("nan"), "$", "float NaN is not finite"),
        ([1, float("inf")], "$[1]", "float inf"),
        ({"a": [0, {"b": float("-inf")}]}, "$.a[1].b", "float -inf"),
        ({"n": 2**64}, "$.n", "does not fit 64 bits"),
        ([-(2**63) - 1], "$[0]", "does not fit 64 bits"),
        ([10**400], "$[0]", "does not fit 64 bits"),
        ({"s": "\ud800"}, "$.s", "lone surrogate"),
        ({"\udfff": 1}, "$", "lone surrogate"),
        ({"k" * 100: [float("nan")]}, "$." + "k" * 64 + "[0]", "not finite"),
    ],
)
def test_what_has_no_exact_form_is_refused_with_its_place(value, path, message):
    with pytest.raises(ValueRefused, match=message) as refused:
        scan(value)
    assert refused.value.path == path
    assert str(refused.value).startswith(f"at {path}: ")
    assert isinstance(refused.value, ValueError)


def test_depth_is_counted_in_containers_and_loops_end():
    with pytest.raises(ValueRefused, match="deeper than 64") as refused:
        scan(nested(65))
    assert refused.value.path.count("k") + refused.value.path.count("[") == 64
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueRefused, match="deeper than 64"):
        scan(loop)


def test_no_code_of_the_value_runs():
    class Trap(dict):
        def __iter__(self):
            raise AssertionError("ran")

        items = keys = __getitem__ = __len__ = __iter__

    assert scan({"a": Trap(b=1)}) == 1


def test_what_passes_is_what_json_can_carry():
    value = {"a": [1, 2.5, "x", None, True], "big": 2**64 - 1, "small": -(2**63)}
    assert scan(value) == 0
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [float("nan"), [1, float("inf")], {"$spb": 1}, {"a": {"$$spb": 1}}, nested(65, 0)],
)
def test_what_the_encoder_lets_through_needs_a_second_look(value):
    assert orjson.dumps(value)
    assert ENCODER.encode(value) is None
    assert ENCODER.encode([list(range(200)), value]) is None


def test_what_is_plain_is_written_at_once():
    for value in ["", {"a": [1, -2.5, "x" * 500, True]}, nested(64, 0), [{"k": []}] * 500]:
        assert ENCODER.encode(value) == orjson.dumps(value)
    for value in [None, [None], {"null": "null $spb"}, "$spb", 2**64 - 1, False, 1.5]:
        assert ENCODER.encode(value) == orjson.dumps(value)


def test_what_the_encoder_refuses_or_would_convert_is_left_to_python():
    for value in [{1, 2}, [object()], (1, 2), Text("t"), [Text("t")], 2**64, "\ud800", Level.LOW]:
        assert ENCODER.encode(value) is None


def test_faults_of_the_encoder_come_out():
    def broken(value, default, options):
        raise MemoryError("full")

    with pytest.raises(MemoryError, match="full"):
        Encoder(broken, 0).encode(1)


def test_the_exceptions_are_ordinary_classes():
    refused = ValueRefused("$.a", "why")
    assert (refused.path, str(refused)) == ("$.a", "at $.a: why")
    again = pickle.loads(pickle.dumps(refused))
    assert (type(again), again.path, str(again)) == (ValueRefused, "$.a", str(refused))
    assert ValueRefused.__module__ == "snakepit_bridge._native"
    assert sys.modules[ValueRefused.__module__].ValueRefused is ValueRefused
    assert sys.modules[ValueRefused.__module__].__file__.endswith(".so")
