"""Functions with hints of every kind, for the tests of the framework `python`.

Each does one plain thing with what it gets, so that a test can say exactly what it expects. Nothing
here knows how it is called.
"""

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import AsyncIterator, Generator
from typing import Annotated, NamedTuple

import numpy as np
import pydantic
from numpy.typing import NDArray

from snakepit_bridge import CallContext, Tensor, function

LEFT: list[str] = []


class Colour(enum.Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Address:
    """Where somebody lives."""

    city: str
    zip: Annotated[int, pydantic.Field(ge=1000)]


class User(pydantic.BaseModel):
    """Somebody."""

    name: str
    age: Annotated[int, pydantic.Field(ge=0, le=150)]
    address: Address | None = None
    born: datetime.date | None = None


class Span(NamedTuple):
    """From here to there."""

    start: int
    end: int = 10


class Account(pydantic.BaseModel):
    """With everything that pydantic lets a model say of its own output."""

    owner: str = pydantic.Field(alias="ownerName")
    secret: str = pydantic.Field("hidden", exclude=True)

    @pydantic.computed_field
    @property
    def shout(self) -> str:
        """The owner, loudly."""
        return self.owner.upper()


@function
def hinted(user: User, colour: Colour, span: Span, when: datetime.datetime, size: float) -> str:
    """What arrives, as Python sees it."""
    return f"{user!r} {colour!r} {span!r} {when!r} {size!r}"


@function
async def hinted_async(
    users: dict[str, list[User]], price: decimal.Decimal, only: set[int]
) -> list[str]:
    """The same on the event loop."""
    return [repr(users["all"][0].age), repr(price), repr(sorted(only))]


@function(name="account")
def make_account(owner: str) -> Account:
    """A model with an alias, an excluded and a computed field."""
    return Account(ownerName=owner)


@function
def outputs() -> dict:
    """One of everything that has a form as a value."""
    return {
        "dataclass": Address("Bern", 3000),
        "model": User(name="Ada", age=36, born=datetime.date(1815, 12, 10)),
        "named_tuple": Span(1),
        "tuple": (1, (2,)),
        "set": {3, 1, 2},
        "deque": collections.deque([1, 2]),
        "enum": Colour.BLUE,
        "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        "date": datetime.date(2026, 1, 2),
        "time": datetime.time(1, 2, 3),
        "timedelta": datetime.timedelta(days=1, hours=2, seconds=0.5),
        "decimal": decimal.Decimal("1.10"),
        "uuid": uuid.UUID(int=7),
        "path": pathlib.PurePosixPath("/a/b"),
        "address": ipaddress.IPv4Address("127.0.0.1"),
        "numpy_scalars": [np.float32(0.5), np.int64(-7), np.bool_(True), np.str_("x")],
    }


@function
def refused(what: str) -> object:
    """What has no form as a value, somewhere inside."""
    return {
        "complex": {"a": [1j]},
        "class": {"a": (User,)},
        "structured": {"a": np.zeros(1, dtype=[("x", "i4")])},
        "objects": {"a": np.array([None], dtype=object)},
        "text": {"a": np.array(["x"])},
        "dates": {"a": np.array(["2026-01-01"], dtype="datetime64[D]")},
        "secret": {"a": pydantic.SecretStr("s3cret-value")},
    }[what]


@function
def mirror(array: np.ndarray) -> np.ndarray:
    """The same array, after a copy of its own."""
    return array.copy()


@function
def layout(array: np.ndarray, how: str) -> np.ndarray:
    """An equal array that lies otherwise in memory."""
    return {
        "fortran": lambda: np.asfortranarray(array),
        "big_endian": lambda: array.astype(array.dtype.newbyteorder(">")),
        "strided": lambda: np.repeat(array, 2, axis=-1)[..., ::2],
        "reversed": lambda: array[::-1].copy()[::-1],
        "read_only": lambda: array,
    }[how]()


@function
def norm(
    vectors: Annotated[np.ndarray, Tensor("float32", (None, 3))], scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Takes one kind of array and no other."""
    return (np.linalg.norm(vectors, axis=1) * scale).astype("float32")


@function
def countdown(start: int, fail_at: int | None = None) -> Generator[dict[str, int], None, list[str]]:
    """Counts down; what it returns is the result."""
    try:
        for number in range(start, 0, -1):
            if number == fail_at:
                raise LookupError(f"nothing at {number}")
            yield {"number": number}
        return ["lift-off"]
    finally:
        LEFT.append("countdown")


@function
async def ticks(count: int, fail_at: int | None = None) -> AsyncIterator[int]:
    """Counts up, on the event loop."""
    try:
        for number in range(count):
            if number == fail_at:
                raise LookupError(f"nothing at {number}")
            yield number
    finally:
        LEFT.append("ticks")


@function
def left() -> list[str]:
    """Which generators have been left since the last call, and forgets them."""
    given = list(LEFT)
    LEFT.clear()
    return given


@function
def wrong_result() -> list[int]:
    """Does not give what it declares."""
    return [1, "two"]  # type: ignore[list-item]


@function
def wrong_chunk(ctx: CallContext) -> Generator[int, None, str]:
    """Streams what it does not declare."""
    yield 1
    yield "two"  # type: ignore[misc]
    return "never"


@function
def many(first: str, rest: list[int] | None = None, **more: str) -> dict[str, str]:
    """Takes any further texts.

    Args:
        first: The one that is needed.
        rest: Those that are not.
    """
    return {"first": first, "rest": repr(rest), **more}
