"""Schemas from type hints, the decorators, and the document announced at hello."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import AsyncIterator, Generator
from typing import Any, ClassVar, Literal

import numpy as np
import pydantic
import pytest

import snakepit_bridge as sb
from rig import rig
from snakepit_bridge import functions
from snakepit_bridge.frameworks import FrameworkLoadError, load
from snakepit_bridge.frameworks.base import DIALECT, OperationOptions, build_operation


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Model(pydantic.BaseModel):
    name: str
    points: list[Point] = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def operation_of(handler, **options):
    return build_operation(handler, OperationOptions(**options), skip=1)


def test_hints_become_a_schema():
    def handler(
        ctx, a: int, b: list[str], c: float = 1.5, d: Literal["x", "y"] | None = None
    ) -> dict[str, int]:
        """Adds.

        More words.
        """

    made = operation_of(handler)
    assert made.parameters == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "array", "items": {"type": "string"}},
            "c": {"type": "number", "default": 1.5},
            "d": {
                "anyOf": [{"enum": ["x", "y"], "type": "string"}, {"type": "null"}],
                "default": None,
            },
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    assert made.result == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert made.doc == "Adds.\n\nMore words."


def test_unhinted_parameters_take_anything():
    def handler(ctx, a, b=None, **more):
        pass

    made = operation_of(handler)
    assert made.parameters["properties"] == {"a": {}, "b": {"default": None}}
    assert made.parameters["required"] == ["a"]
    assert made.parameters["additionalProperties"] is True
    assert made.result is None


def test_parameter_names_of_any_kind_are_possible():
    def handler(ctx, json: str, copy: int, model_name: str, _private: int, schema: Any):
        pass

    names = set(operation_of(handler).parameters["properties"])
    assert names == {"json", "copy", "model_name", "_private", "schema"}


def test_arrays_and_bytes_are_tags_in_the_document():
    def handler(ctx, a: np.ndarray, b: bytes, c: list[bytes], d: bytes | None = None) -> np.ndarray:
        pass

    made = operation_of(handler)
    tag = made.parameters["properties"]["a"]
    assert tag["required"] == ["$spb"]
    blob = {**tag, "x-spb-attachment": {"kind": "blob"}}
    assert made.parameters["properties"]["b"] == blob
    assert made.parameters["properties"]["c"] == {"type": "array", "items": blob}
    assert made.parameters["properties"]["d"]["anyOf"] == [blob, {"type": "null"}]
    assert made.result == tag
    assert tag["x-spb-attachment"] == {"kind": "tensor"}


def test_models_dataclasses_and_enums_arrive_as_such():
    def handler(ctx, model: Model, colour: Colour, point: Point | None = None, plain: int = 1):
        assert isinstance(model, Model)
        assert model.points[0] == Point(1)
        assert colour is Colour.BLUE
        assert point is None
        return model

    parameters = {"model": {"name": "n", "points": [{"x": 1}]}, "colour": "blue"}
    declared = (handler, OperationOptions())
    with rig(declared) as made:
        answer = made.ask("handler", parameters=parameters)
        assert answer[2] == {"name": "n", "points": [{"x": 1, "y": 0}]}
        broken = {**parameters, "colour": "green"}
        refused = made.ask("handler", parameters=broken)[2]
        assert refused["status"] == sb.Status.INVALID_ARGUMENT
        assert refused["message"].startswith("parameter at $.colour: Input should be 'red' or")


def test_generators_have_the_schema_of_what_they_return():
    def plain(ctx) -> Generator[int, None, str]:
        yield 1
        return "x"

    async def coroutine(ctx) -> AsyncIterator[int]:
        yield 1

    assert operation_of(plain).result == {"type": "string"}
    assert operation_of(coroutine).result == {"type": "null"}
    for handler in (plain, coroutine):
        assert operation_of(handler).streaming
        assert operation_of(handler).chunk == {"type": "integer"}
    assert operation_of(coroutine).asynchronous


def test_hints_of_the_context_need_not_be_importable():
    def handler(ctx: OnlyForTypeCheckers, a: int):  # noqa: F821 - that is the case under test
        pass

    def broken(ctx, a: NoSuchName):  # noqa: F821 - that is the case under test
        pass

    assert operation_of(handler).parameters["required"] == ["a"]
    with pytest.raises(TypeError, match=r"'broken'.*NoSuchName"):
        operation_of(broken)


def test_given_schemas_are_taken_as_they_are():
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}

    def handler(ctx, **parameters):
        pass

    made = operation_of(handler, parameters=schema, result={"type": "null"}, idempotent=True)
    assert made.parameters is schema
    assert made.describe() == {
        "doc": "",
        "parameters": {"$schema": DIALECT, **schema},
        "result": {"$schema": DIALECT, "type": "null"},
        "chunk": None,
        "streaming": False,
        "idempotent": True,
        "asynchronous": False,
    }


def test_declarations_that_cannot_work_are_refused():
    def positional(ctx, a, /):
        pass

    def variadic(ctx, *args):
        pass

    async def coroutine(ctx):
        pass

    def generator(ctx):
        yield

    for handler, options in (
        (positional, {}),
        (variadic, {}),
        (coroutine, {"inline": True}),
        (generator, {"inline": True}),
        (coroutine, {"name": "not a name"}),
        (coroutine, {"name": "x" * 65}),
    ):
        with pytest.raises(TypeError):
            operation_of(handler, **options)


class Adapter(sb.Framework):
    """An adapter for tests."""

    id: ClassVar[str] = "adapter"

    def version(self) -> str:
        return "1.2"

    @sb.operation()
    def add(self, ctx, a: int, b: int = 2) -> int:
        """Adds two numbers."""
        return a + b

    @sb.operation(name="later", streaming=True, idempotent=True)
    async def _later(self, ctx) -> None:
        """Takes its time."""

    def helper(self):
        """Not an operation."""


def test_the_announced_document():
    schema = json.loads(json.dumps(Adapter().schema()))
    assert {key: schema[key] for key in ("id", "version", "doc")} == {
        "id": "adapter",
        "version": "1.2",
        "doc": "An adapter for tests.",
    }
    assert list(schema["operations"]) == ["add", "later"]
    assert schema["operations"]["add"]["doc"] == "Adds two numbers."
    assert schema["operations"]["later"]["asynchronous"] is True
    assert schema["operations"]["later"]["idempotent"] is True
    made = Adapter().operations()
    assert made["add"].handler(None, a=1) == 3


def test_two_operations_of_one_name_are_refused():
    class Twice(Adapter):
        @sb.operation(name="add")
        def other(self, ctx):
            pass

    with pytest.raises(TypeError, match="'add' twice"):
        Twice().operations()


@pytest.fixture
def registry(monkeypatch):
    entries: dict = {}
    monkeypatch.setattr(functions, "_REGISTRY", entries)
    return entries


def test_functions_are_served_under_their_names(registry):
    @sb.function
    def plain(a: int) -> int:
        return a + 1

    @sb.function(name="told", idempotent=True, inline=True)
    def with_context(ctx: sb.CallContext, a: int = 1) -> list[Any]:
        return [ctx.operation, a]

    made = load("python").operations()
    assert set(made) == {"plain", "told"}
    assert made["plain"].parameters["required"] == ["a"]
    assert list(made["told"].parameters["properties"]) == ["a"]
    assert (made["told"].inline, made["told"].idempotent) == (True, True)
    assert (made["plain"].takes_context, made["told"].takes_context) == (False, True)
    with pytest.raises(TypeError, match="taken by"):
        sb.function(name="plain")(with_context)


def test_a_user_module_is_imported_and_nothing_else(registry, tmp_path, monkeypatch):
    (tmp_path / "user_functions.py").write_text(
        "import snakepit_bridge\n@snakepit_bridge.function\ndef hello(name: str) -> str:\n"
        "    return f'hello {name}'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    framework = load("python")
    framework.start({"modules": ["user_functions"]})
    assert framework.operations()["hello"].handler(name="you") == "hello you"


@pytest.mark.parametrize("options", [{"module": []}, {"modules": "x"}, {"modules": [1]}])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match="module"):
        load("python").start(options)


def test_frameworks_that_cannot_be_loaded_say_why(monkeypatch):
    with pytest.raises(FrameworkLoadError, match="known are .*dspy.*python"):
        load("nope")
    from snakepit_bridge import frameworks

    monkeypatch.setitem(frameworks.BUILT_IN, "broken", ("no_such_module", "X"))
    with pytest.raises(FrameworkLoadError, match="no_such_module"):
        load("broken")
    monkeypatch.setitem(frameworks.BUILT_IN, "other", (__name__, "Adapter"))
    with pytest.raises(FrameworkLoadError, match="calls itself 'adapter'"):
        load("other")


def test_every_public_name_is_there():
    assert all(getattr(sb, name) is not None for name in sb.__all__)
    assert set(sb.__all__) <= set(dir(sb))
    with pytest.raises(AttributeError):
        sb.nothing  # noqa: B018 - the access is the test
