"""Sessions and tools as handlers see them, blocking and awaitable."""

from __future__ import annotations

import asyncio
import json

import pytest

import snakepit_bridge as sb
from rig import rig

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def variable(name="x", value=1, version=3, constraints=b'{"min":0}', metadata=b""):
    return (
        "variable",
        name,
        "json",
        json.dumps(value).encode(),
        [],
        version,
        constraints,
        metadata,
        1,
        "",
        0,
    )


def both(verb):
    """The same use of a session as a plain handler and as a coroutine."""

    def plain(ctx):
        return verb(ctx.session, "")

    async def coroutine(ctx):
        return await verb(ctx.session, "a")

    return plain, coroutine


def run(verb, play):
    """Runs `verb` both ways against `play`, which answers the request; returns both answers."""
    answers = []
    with rig(*both(verb)) as made:
        for call_id, name in enumerate(("plain", "coroutine"), 1):
            made.link.call(call_id, name, traceparent=TRACE)
            play(made.request())
            answers.append(made.link.answer())
    assert answers[0][0] == answers[1][0]
    return answers


def results(verb, play):
    first, second = run(verb, play)
    assert first[2] == second[2]
    return first[2]


def failures(verb, play):
    first, second = run(verb, play)
    assert first[2]["status"] == second[2]["status"]
    return first[2]


def call(session, prefix, name, *arguments, **more):
    return getattr(session, prefix + name)(*arguments, **more)


def test_get_returns_the_value():
    def play(request):
        assert request.told == {"verb": "get", "name": "x"}
        request.give(*variable(value={"a": [1, None]}))

    assert results(lambda s, a: call(s, a, "get", "x"), play) == {"a": [1, None]}


def test_get_of_nothing_is_not_found_or_the_default():
    def play(request):
        request.give("error", 11, "no variable 'x'", False, b'{"name":"x"}', "", "")

    failure = failures(lambda s, a: call(s, a, "get", "x"), play)
    assert failure["status"] == sb.Status.NOT_FOUND
    assert failure["details"] == {"name": "x"}
    assert failure["retryable"] is False
    assert results(lambda s, a: call(s, a, "get", "x", None), play) is None


def test_set_sends_value_and_expected_version():
    def play(request):
        assert request.told["verb"] == "set"
        assert (request.told["value"], request.told["expected_version"]) == ([1, 2], 7)
        request.give(*variable(version=8))

    assert results(lambda s, a: call(s, a, "set", "x", (1, 2), expected_version=7), play) == 8


def test_register_sends_everything():
    def play(request):
        told = {**request.told}
        assert told.pop("verb") == "register"
        assert told == {
            "name": "x",
            "type": "integer",
            "value": 1,
            "constraints": {"min": 0},
            "metadata": {},
        }
        request.give(*variable(version=1))

    def verb(session, prefix):
        made = call(session, prefix, "register", "x", "integer", 1, {"min": 0})
        if not prefix:
            assert made == sb.Variable("x", "json", 1, 1, {"min": 0}, {}, 1)
            return made.version

        async def version():
            return (await made).version

        return version()

    assert results(verb, play) == 1


def test_delete_and_list():
    def deleted(request):
        assert request.told == {
            "verb": "delete",
            "name": "x",
            "expected_version": None,
            "owner": "",
        }
        request.give("deleted")

    assert results(lambda s, a: call(s, a, "delete", "x"), deleted) is None

    def listed(request):
        assert request.told == {"verb": "list", "pattern": "a*", "after": "", "limit": 0}
        request.give("variables", [variable("a1"), variable("a2")])

    def verb(session, prefix):
        made = call(session, prefix, "list", "a*")
        if not prefix:
            return [each.name for each in made]

        async def names():
            return [each.name for each in await made]

        return names()

    assert results(verb, listed) == ["a1", "a2"]


def test_items_read_and_write():
    def use(ctx):
        ctx.session["x"] = ctx.session["x"] + 1
        with pytest.raises(KeyError):
            del ctx.session["y"]

    with rig(use) as made:
        made.link.call(1, "use")
        made.request().give(*variable(value=41))
        request = made.request()
        assert request.told["value"] == 42
        request.give(*variable(value=42))
        made.request().give("error", 11, "no variable 'y'", False, b"", "", "")
        assert made.link.answer()[0] == "result"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (14, sb.VersionConflict),
        (15, sb.TypeMismatch),
        (16, sb.ConstraintViolation),
        (17, sb.ResourceExhausted),
        (10, sb.DeadlineExceeded),
        (21, sb.ToolFailed),
        (20, sb.RemotePythonError),
        (29, sb.BridgeError),
        (9999, sb.BridgeError),
    ],
)
def test_failures_have_classes(status, kind):
    def play(request):
        request.give("error", status, "no", True, b'{"why":1}', "a.B", "Traceback")

    seen = []

    def verb(session, prefix):
        if prefix:
            return call(session, prefix, "set", "x", 1)
        try:
            return call(session, prefix, "set", "x", 1)
        except sb.BridgeError as fault:
            seen.append(fault)
            raise

    failure = failures(verb, play)
    (fault,) = seen
    assert type(fault) is kind
    assert fault.details == {"why": 1}
    assert fault.retryable
    assert (fault.remote_type, fault.remote_traceback) == ("a.B", "Traceback")
    assert failure["status"] == (status if status < 32 else sb.Status.INTERNAL)
    assert failure["details"]["why"] == 1
    assert failure["retryable"] is True


def test_tool_calls_carry_arguments_timeout_and_a_child_span():
    def play(request):
        told = request.told
        assert (told["name"], told["arguments"]) == ("lookup", {"q": "x"})
        assert (told["stream"], told["timeout_ms"]) == (False, 1500)
        version, trace, span, flags = told["traceparent"].split("-")
        assert (version, trace, flags) == ("00", TRACE.split("-")[1], "01")
        assert span != TRACE.split("-")[2]
        assert len(span) == 16
        request.give_value({"answer": None})

    def verb(session, prefix):
        return getattr(session.tools, prefix + "call")("lookup", {"q": "x"}, timeout=1.5)

    assert results(verb, play) == {"answer": None}


def test_tools_are_listed():
    def play(request):
        tools = [{"name": "a", "description": "A.", "scope": "session", "input_schema": {}}]
        request.give("tools", json.dumps(tools).encode())

    def plain(ctx):
        return [vars_of(tool) for tool in ctx.session.tools.list()]

    async def coroutine(ctx):
        return [vars_of(tool) for tool in await ctx.session.tools.alist()]

    def vars_of(tool):
        return [tool.name, tool.description, tool.scope, tool.input_schema, tool.output_schema]

    with rig(plain, coroutine) as made:
        for name in ("plain", "coroutine"):
            made.link.call(1, name)
            play(made.request())
            assert made.link.answer()[2] == [["a", "A.", "session", {}, None]]


def test_a_tool_of_several_pools_is_listed_once_as_a_call_means_it():
    def tools(ctx):
        [only] = ctx.session.tools.list()
        return [getattr(only, name) for name in ("side", "pool", "streaming", "timeout")]

    told = {"name": "a", "side": "python", "streaming": True, "timeout_ms": 1500}
    with rig(tools) as made:
        made.link.call(1, "tools")
        both = [{**told, "pool": "default"}, {**told, "pool": "other"}]
        made.request().give("tools", json.dumps(both).encode())
        assert made.link.answer()[2] == ["python", "default", True, 1.5]


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_a_time(wrong):
    def use(ctx):
        ctx.session.tools.call("x", timeout=wrong)

    with rig(use) as made:
        assert made.ask("use")[2]["status"] == sb.Status.INVALID_ARGUMENT


def test_arguments_are_a_dict():
    def use(ctx):
        ctx.session.tools.call("x", ["a"])

    with rig(use) as made:
        failure = made.ask("use")[2]
        assert failure["status"] == sb.Status.INVALID_ARGUMENT
        assert failure["message"] == "arguments of tool 'x' are a list, expected a dict"


def test_tool_streams_give_chunks_and_then_a_result():
    def plain(ctx):
        stream = ctx.session.tools.stream("count", {"to": 3})
        return [list(stream), stream.result]

    async def coroutine(ctx):
        stream = ctx.session.tools.astream("count", {"to": 3})
        return [[chunk async for chunk in stream], stream.result]

    with rig(plain, coroutine) as made:
        for name in ("plain", "coroutine"):
            made.link.call(1, name)
            request = made.request()
            assert request.told["stream"] is True
            for number in range(3):
                request.give("chunk", number, json.dumps(number).encode(), [])
            request.give_value("done")
            assert made.link.answer()[2] == [[0, 1, 2], "done"]
            assert not request.cancelled.is_set()


def test_a_stream_left_early_is_cancelled():
    def plain(ctx):
        with ctx.session.tools.stream("count") as stream:
            return next(stream)

    async def coroutine(ctx):
        async with ctx.session.tools.astream("count") as stream:
            async for chunk in stream:
                return chunk

    with rig(plain, coroutine) as made:
        for name in ("plain", "coroutine"):
            made.link.call(1, name)
            request = made.request()
            request.give("chunk", 0, b"5", [])
            assert made.link.answer()[2] == 5
            assert request.cancelled.is_set()


def test_a_failing_stream_raises_after_its_chunks():
    def plain(ctx):
        seen = []
        with pytest.raises(sb.ToolFailed, match="broke"):
            for chunk in ctx.session.tools.stream("count"):
                seen.append(chunk)
        return seen

    with rig(plain) as made:
        made.link.call(1, "plain")
        request = made.request()
        request.give("chunk", 0, b"1", [])
        request.give("error", 21, "it broke", False, b"", "", "")
        assert made.link.answer()[2] == [1]


def test_many_coroutines_wait_for_tools_at_once():
    async def fan(ctx):
        return await asyncio.gather(
            *(ctx.session.tools.acall("square", {"n": n}) for n in range(50))
        )

    with rig(fan) as made:
        made.link.call(1, "fan")
        requests = [made.request() for _ in range(50)]
        for request in reversed(requests):
            request.give_value(request.told["arguments"]["n"] ** 2)
        assert made.link.answer()[2] == [n * n for n in range(50)]


def test_a_coroutine_that_stops_waiting_cancels_the_tool():
    async def impatient(ctx):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ctx.session.tools.acall("slow"), 0.01)
        return "went on"

    with rig(impatient) as made:
        made.link.call(1, "impatient")
        request = made.request()
        assert made.link.answer()[2] == "went on"
        assert request.cancelled.is_set()


def test_without_a_trace_there_is_none_for_tools():
    def use(ctx):
        ctx.session.tools.call("x")

    with rig(use) as made:
        for trace in ("", "nonsense", "00-12-34-01"):
            made.link.call(1, "use", traceparent=trace)
            request = made.request()
            assert request.told["traceparent"] == ""
            request.give_value(None)
            made.link.answer()
