"""`@tool`: what is registered, what is announced of it, and the hooks around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator

import pytest

import snakepit_bridge as sb
from snakepit_bridge import tool_functions
from snakepit_bridge.frameworks import load


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(tool_functions, "_REGISTRY", {})


def announced(name):
    framework = load("tools")
    framework.start({"modules": []})
    return framework.schema()["operations"][name]


def handler(name):
    framework = load("tools")
    framework.start({})
    return framework.operations()[name].handler


def test_a_tool_is_announced_with_schemas_and_rules():
    @sb.tool(timeout=0.0015, max_in_flight=3, idempotent=True)
    def add(a: int, b: int = 1) -> int:
        """Adds two numbers."""
        return a + b

    told = announced("add")
    assert told["doc"] == "Adds two numbers."
    assert (told["parameters"]["required"], told["result"]["type"]) == (["a"], "integer")
    assert (told["streaming"], told["idempotent"]) == (False, True)
    assert told["tool"] == {"timeout_ms": 2, "max_in_flight": 3}
    assert handler("add")(a=1, b=2) == 3


def test_what_is_given_replaces_what_the_function_says():
    given = {"type": "object", "properties": {"x": {"type": "string"}}}

    @sb.tool(
        name="told",
        description="Given.",
        input_schema=given,
        output_schema={"type": "string"},
        chunk_schema={"type": "boolean"},
        streaming=True,
    )
    def anything(ctx: sb.CallContext, x: int) -> int:
        """Hinted."""
        return x

    told = announced("told")
    assert told["doc"] == "Given."
    assert told["parameters"]["properties"] == given["properties"]
    assert (told["result"]["type"], told["chunk"]["type"]) == ("string", "boolean")
    assert told["streaming"]
    assert told["tool"] == {"timeout_ms": None, "max_in_flight": None}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"timeout": 0}, "timeout of tool 'bad' is 0, expected a finite number"),
        ({"timeout": float("inf")}, "timeout of tool 'bad' is inf"),
        ({"max_in_flight": 0}, "max_in_flight of tool 'bad' is 0, expected an int of at least 1"),
        ({"max_in_flight": True}, "max_in_flight of tool 'bad' is True"),
        ({"hooks": [object()]}, "hooks of tool 'bad' hold a object, expected ToolHooks"),
        ({"nmae": "x"}, "nmae"),
    ],
)
def test_options_that_cannot_be_are_refused_where_they_stand(options, fault):
    with pytest.raises(TypeError, match=fault):

        @sb.tool(**options)
        def bad():
            pass


def test_a_name_is_taken_once():
    @sb.tool(name="one")
    def first():
        pass

    with pytest.raises(TypeError, match=r"tool 'one' of .*second is taken by .*first"):

        @sb.tool(name="one")
        def second():
            pass

    with pytest.raises(TypeError, match="is not a function"):
        sb.tool(len)


class Note(sb.ToolHooks):
    """Writes down what it is asked."""

    def __init__(self, mark, seen):
        self.mark, self.seen = mark, seen

    def before(self, name, arguments):
        self.seen.append(f"{self.mark} before {name} {arguments['x']}")
        if arguments["x"] == f"refuse {self.mark}":
            raise PermissionError("no")

    def transform_arguments(self, name, arguments):
        return arguments if "refuse" in arguments["x"] else {"x": self.mark + arguments["x"]}

    def transform_result(self, name, result):
        return f"{result}{self.mark}"

    def after(self, name, result, fault):
        self.seen.append(f"{self.mark} after {result} {type(fault).__name__}")


def layers(seen):
    return [Note("a", seen), Note("b", seen)]


ENTERED = ["a before t x", "b before t ax"]


def test_hooks_around_a_plain_function():
    seen: list[str] = []

    @sb.tool(name="t", hooks=layers(seen))
    def plain(x: str) -> str:
        return f"<{x}>"

    assert handler("t")(x="x") == "<bax>ba"
    assert seen == [*ENTERED, "b after <bax>b NoneType", "a after <bax>ba NoneType"]
    seen.clear()
    with pytest.raises(PermissionError):
        handler("t")(x="refuse b")
    expected = ["a before t refuse b", "b before t refuse b"]
    assert seen == [*expected, "b after None PermissionError", "a after None PermissionError"]


def test_hooks_around_a_coroutine_that_fails():
    seen: list[str] = []

    @sb.tool(name="t", hooks=layers(seen))
    async def fails(x: str) -> str:
        raise KeyError(x)

    with pytest.raises(KeyError):
        asyncio.run(handler("t")(x="x"))
    assert seen == [*ENTERED, "b after None KeyError", "a after None KeyError"]


def test_hooks_around_a_generator_see_its_return_value():
    seen: list[str] = []

    @sb.tool(name="t", hooks=layers(seen))
    def pieces(x: str) -> Generator[str, None, str]:
        yield x
        return f"<{x}>"

    running = handler("t")(x="x")
    assert next(running) == "bax"
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == "<bax>ba"
    assert seen == [*ENTERED, "b after <bax>b NoneType", "a after <bax>ba NoneType"]
    seen.clear()
    left = handler("t")(x="x")
    next(left)
    left.close()
    assert seen == [*ENTERED, "b after None GeneratorExit", "a after None GeneratorExit"]


def test_hooks_around_an_async_generator():
    seen: list[str] = []

    @sb.tool(name="t", hooks=layers(seen))
    async def pieces(x: str) -> AsyncIterator[str]:
        yield x

    async def collect():
        return [piece async for piece in handler("t")(x="x")]

    assert asyncio.run(collect()) == ["bax"]
    assert seen == [*ENTERED, "b after None NoneType", "a after None NoneType"]
    assert announced("t")["streaming"]
