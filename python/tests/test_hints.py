"""What handlers get for each type of hint, what schemas say of it, and how refusals read."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import ipaddress
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray
from typing_extensions import TypedDict

import snakepit_bridge as sb
from snakepit_bridge.frameworks.base import OperationOptions, build_operation


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
    tags: tuple[str, ...] = ()


class Pair(NamedTuple):
    left: int
    right: Point = Point(1)


class Options(TypedDict):
    depth: int
    note: NotRequired[str]


class User(pydantic.BaseModel):
    name: str
    age: Annotated[int, pydantic.Field(ge=0, le=150)]
    home: Point | None = None
    friends: list[User] = []


@dataclasses.dataclass
class Batch:
    rows: Annotated[np.ndarray, sb.Tensor("float32", (None, 2))]
    raw: bytes
    names: list[str]


def operation_of(handler, **options):
    return build_operation(handler, OperationOptions(**options), skip=1)


def hinted(hint, default: Any = None):
    """An operation with one parameter of that hint."""

    def handler(ctx, value):
        return value

    handler.__annotations__ = {"value": hint}
    return operation_of(handler)


def taken(hint, value):
    made = hinted(hint)
    prepare = made.prepare or (lambda parameters: parameters)
    return prepare({"value": value})["value"]


HOUR = datetime.timedelta(hours=1)
TAKEN = [
    (int, 5, 5),
    (int, 5.0, 5),
    (float, 5, 5.0),
    (str, "x", "x"),
    (bool, True, True),
    (Any, [1], [1]),
    (int | None, None, None),
    (int | str, "5", "5"),
    (Literal["a", 1], 1, 1),
    (Colour, "red", Colour.RED),
    (Level, 3, Level.HIGH),
    (list[Colour], ["red"], [Colour.RED]),
    (dict[str, Point], {"a": {"x": 1}}, {"a": Point(1)}),
    (tuple[int, str], [1, "x"], (1, "x")),
    (tuple[Point, ...], [{"x": 1}], (Point(1),)),
    (set[int], [1, 2], {1, 2}),
    (frozenset[str], ["a"], frozenset({"a"})),
    (Sequence[int], [1], [1]),
    (Iterable[int], [1], [1]),
    (Mapping[str, int], {"a": 1}, {"a": 1}),
    (Point, {"x": 1, "tags": ["t"]}, Point(1, 0, ("t",))),
    (Pair, {"left": 1}, Pair(1)),
    (Pair, {"left": 1, "right": {"x": 2}}, Pair(1, Point(2))),
    (Options, {"depth": 1}, {"depth": 1}),
    (User, {"name": "n", "age": 1}, User(name="n", age=1)),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (decimal.Decimal, 0.1, decimal.Decimal("0.1")),
    (uuid.UUID, str(uuid.UUID(int=1)), uuid.UUID(int=1)),
    (datetime.date, "2026-01-02", datetime.date(2026, 1, 2)),
    (datetime.datetime, "2026-01-02T03:04:05", datetime.datetime(2026, 1, 2, 3, 4, 5)),
    (datetime.time, "01:02:00", datetime.time(1, 2)),
    (datetime.timedelta, "PT1H", HOUR),
    (Path, "/a/b", Path("/a/b")),
    (ipaddress.IPv4Address, "127.0.0.1", ipaddress.IPv4Address("127.0.0.1")),
    (bytes, b"x", b"x"),
    (bytearray, b"x", bytearray(b"x")),
    (memoryview, b"x", memoryview(b"x")),
    (bytes | str, b"x", b"x"),
    (np.float32, 0.5, np.float32(0.5)),
    (np.int8, 5, np.int8(5)),
    (np.bool_, True, np.bool_(True)),
    (list[np.uint8], [5], [np.uint8(5)]),
    (Annotated[int, pydantic.Field(gt=1)], 2, 2),
]


@pytest.mark.parametrize(("hint", "given", "expected"), TAKEN, ids=lambda each: repr(each)[:40])
def test_handlers_get_what_their_hints_say(hint, given, expected):
    made = taken(hint, given)
    assert made == expected
    assert type(made) is type(expected)


def test_arrays_are_taken_as_they_are():
    array = np.zeros((2, 3), dtype="float32")
    for hint in (np.ndarray, NDArray[np.float32], NDArray[np.floating], NDArray[Any]):
        assert taken(hint, array) is array
    assert taken(np.ndarray | None, None) is None
    assert taken(tuple[NDArray[np.float32], int], [array, 1])[0] is array
    assert (
        taken(Annotated[np.ndarray, sb.Tensor(("float32", "float64"), (2, None))], array) is array
    )
    batch = taken(Batch, {"rows": array[:, :2], "raw": b"x", "names": ["a"]})
    assert (batch.rows.shape, batch.raw, batch.names) == ((2, 2), b"x", ["a"])


def test_the_schema_of_an_array_says_which():
    def about(hint):
        return hinted(hint).parameters["properties"]["value"]["x-spb-attachment"]

    assert about(np.ndarray) == {"kind": "tensor"}
    assert about(NDArray[np.int8]) == {"kind": "tensor", "dtype": "int8"}
    assert about(NDArray[np.float32 | np.float64])["dtype"] == ["float32", "float64"]
    assert about(NDArray[np.signedinteger])["dtype"] == ["int8", "int16", "int32", "int64"]
    assert about(np.ndarray[tuple[int, Literal[3]], np.dtype[np.bool_]]) == {
        "kind": "tensor",
        "dtype": "bool",
        "shape": [None, 3],
    }
    assert about(bytes) == {"kind": "blob"}
    schema = hinted(Batch).parameters["$defs"]["Batch"]["properties"]
    assert schema["rows"]["x-spb-attachment"]["shape"] == [None, 2]
    assert schema["raw"]["x-spb-attachment"] == {"kind": "blob"}
    with pytest.raises(TypeError, match="complex128"):
        hinted(NDArray[np.complex128])
    with pytest.raises(TypeError, match="'float16x'"):
        sb.Tensor("float16x")


REFUSED = [
    (User, {"name": "n", "age": 200}, "$.value.age", "less than or equal to 150; given 200"),
    (User, {"name": "n"}, "$.value.age", "Field required"),
    (list[User], [{"name": "n", "age": 1}, {"name": 1, "age": 1}], "$.value[1].name", "string"),
    (User, {"name": "n", "age": 1, "home": {"x": "a"}}, "$.value.home.x", "integer"),
    (dict[str, Point], {"a.b": {"x": None}}, "$.value.a.b.x", "integer"),
    (Point | int, {"x": "q"}, "$.value.x", "integer"),
    (datetime.date, "tomorrow", "$.value", "valid date"),
    (uuid.UUID, "x", "$.value", "valid UUID"),
    (Colour, "green", "$.value", "'red' or 'blue'"),
    (Pair, {"left": 1, "middle": 2}, "$.value.middle", "not permitted"),
    (np.int8, 128, "$.value", "less than or equal to 127"),
    (np.ndarray, b"x", "$.value", "should be a tensor; given a value of type bytes"),
    (bytes, np.zeros(1), "$.value", "valid bytes; given a value of type ndarray"),
    (NDArray[np.float32], np.zeros(1), "$.value", "of float32, not of float64"),
    (list[NDArray[np.float32]], [np.zeros(1)], "$.value[0]", "of float32, not of float64"),
    (
        Annotated[np.ndarray, sb.Tensor(None, (None, 3))],
        np.zeros((2, 2)),
        "$.value",
        "of shape [any, 3], not [2, 2]",
    ),
    (Batch, {"rows": np.zeros(2), "raw": b"", "names": []}, "$.value.rows", "not of float64"),
]


@pytest.mark.parametrize(("hint", "given", "path", "fault"), REFUSED)
def test_refusals_name_the_place_and_what_was_expected(hint, given, path, fault):
    with pytest.raises(sb.InvalidArgument) as caught:
        taken(hint, given)
    assert caught.value.details["path"] == path
    assert str(caught.value).startswith(f"parameter at {path}: ")
    assert fault in str(caught.value)
    assert caught.value.details["errors"][0]["path"] == path


def test_a_long_value_is_not_repeated_in_its_refusal():
    with pytest.raises(sb.InvalidArgument) as caught:
        taken(uuid.UUID, "x" * 10_000)
    assert len(str(caught.value)) < 300


def test_defaults_of_every_kind_are_shown():
    def handler(
        ctx,
        colour: Colour = Colour.RED,
        point: Point = Point(1),  # noqa: B008 - a model as default is the case under test
        user: User = User(name="n", age=1),  # noqa: B008
        day: datetime.date = datetime.date(2026, 1, 2),  # noqa: B008
        several: tuple[int, ...] = (1, 2),
        raw: bytes = b"x",
        nothing: int | None = None,
    ):
        return [colour, point, user, day, several, raw, nothing]

    properties = operation_of(handler).parameters["properties"]
    assert {name: each.get("default", "none") for name, each in properties.items()} == {
        "colour": "red",
        "point": {"x": 1, "y": 0, "tags": []},
        "user": {"name": "n", "age": 1, "home": None, "friends": []},
        "day": "2026-01-02",
        "several": [1, 2],
        "raw": "none",
        "nothing": None,
    }
    assert operation_of(handler).prepare({}) == {}


def test_the_docstring_describes_parameters_results_and_chunks():
    def handler(ctx, a: int, b: Annotated[str, pydantic.Field(description="Own.")], c: int = 1):
        """Does it.

        In two lines.

        Args:
            a: The first,
                which goes on.
            b: Not shown.

        Returns:
            What it did.
        """

    made = operation_of(handler)
    assert made.doc == "Does it.\n\nIn two lines."
    properties = made.parameters["properties"]
    assert properties["a"]["description"] == "The first, which goes on."
    assert properties["b"]["description"] == "Own."
    assert "description" not in properties["c"]
    assert made.result == {"description": "What it did."}
    assert made.result_contract is None

    def sphinx(ctx, a: int):
        """Does it.

        :param a: The first.
        """

    assert operation_of(sphinx).parameters["properties"]["a"]["description"] == "The first."

    def plain(ctx, a: int):
        """Args are what it takes: nothing here describes one."""

    assert operation_of(plain).doc == "Args are what it takes: nothing here describes one."


def test_hints_without_a_form_are_refused_by_name():
    class Own:
        pass

    for hint, shown in ((Own, "Own"), (complex, "complex"), (list[Own], "Own")):
        with pytest.raises(TypeError, match=rf"parameter 'value' of 'handler' is hinted .*{shown}"):
            hinted(hint)

    def handler(ctx) -> Own:
        pass

    handler.__annotations__ = {"return": Own}
    with pytest.raises(TypeError, match="result of 'handler' is hinted .*Own"):
        operation_of(handler)

    def with_field(ctx, a: int = pydantic.Field(3, ge=1)):
        pass

    with pytest.raises(TypeError, match="'a' of 'with_field' has a Field as default"):
        operation_of(with_field)


def test_named_tuples_are_objects_both_ways():
    schema = hinted(Pair).parameters["$defs"]["Pair"]
    assert schema["type"] == "object"
    assert schema["required"] == ["left"]
    assert schema["additionalProperties"] is False


def test_a_declared_schema_that_is_none_is_refused():
    def handler(ctx, **more):
        pass

    with pytest.raises(TypeError, match="result schema of operation 'handler' is no JSON Schema"):
        operation_of(handler, result={"type": 7})
