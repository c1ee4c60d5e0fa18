"""The host language model contract: answers, chunks, failures and retries, and both of DSPy's
engines.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from xml.sax.saxutils import escape

import pytest

dspy = pytest.importorskip("dspy")

from dspy import lm15  # noqa: E402

from dspy_fakes import FakeContext  # noqa: E402
from snakepit_bridge.errors import (  # noqa: E402
    DeadlineExceeded,
    ResourceExhausted,
    ToolFailed,
)
from snakepit_bridge.frameworks.dspy import fields, wire  # noqa: E402
from snakepit_bridge.frameworks.dspy.engines import AsyncHostEngine, HostEngine  # noqa: E402
from snakepit_bridge.frameworks.dspy.lm import build_lm  # noqa: E402
from snakepit_bridge.host_lm import (  # noqa: E402
    Answer,
    HostLM,
    MalformedAnswer,
    ToolCall,
    parse_answer,
)

CALL = {"function": {"name": "add", "arguments": '{"a": 1}'}}
HOST = {"kind": "host_tool", "tool": "lm"}


def test_a_string_and_an_object_are_answers():
    assert parse_answer("hi", "lm") == Answer(content="hi")
    assert parse_answer("", "lm") == Answer(content="")
    answer = parse_answer(
        {"content": "hi", "finish_reason": "length", "usage": {"prompt_tokens": 0}, "model": "m"},
        "lm",
    )
    assert (answer.finish_reason, answer.prompt_tokens, answer.model) == ("length", 0, "m")
    assert answer.completion_tokens is None


def test_tool_calls_may_stand_alone_and_carry_text_or_objects():
    answer = parse_answer({"tool_calls": [CALL]}, "lm")
    assert answer.content is None and answer.finish_reason == "tool_calls"
    assert answer.tool_calls == (ToolCall("call_0", "add", {"a": 1}),)
    call = {"id": "x", "function": {"name": "add", "arguments": {"a": 1}}}
    assert parse_answer({"tool_calls": [call]}, "lm").tool_calls[0].id == "x"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "null, expected a string or an object"),
        (7, "int, expected"),
        (["hi"], "list, expected"),
        ({}, "without content and without tool_calls"),
        ({"content": 7}, "content of kind int, expected a string"),
        ({"content": "x", "finish_reason": "tired"}, "finish_reason 'tired', expected one of stop"),
        ({"content": "x", "usage": {"prompt_tokens": 1.5}}, "usage.prompt_tokens 1.5"),
        ({"content": "x", "usage": {"prompt_tokens": True}}, "usage.prompt_tokens True"),
        ({"content": "x", "usage": 3}, "usage of kind int"),
        ({"tool_calls": "add"}, "tool_calls of kind str"),
        ({"tool_calls": [{"function": {}}]}, "tool_calls.0. without a name"),
        ({"tool_calls": [{"function": {"name": "a", "arguments": "{"}}]}, "arguments, expected"),
    ],
)
def test_a_malformed_answer_names_what_was_expected(value, message):
    with pytest.raises(MalformedAnswer, match=f"tool `lm` answered .*{message}") as caught:
        parse_answer(value, "lm")
    assert caught.value.status == 21


def host(answer: Any, chunks: tuple[Any, ...] = ()) -> FakeContext:
    async def tool(request: dict[str, Any], emit: Any) -> Any:
        for chunk in chunks:
            await emit(chunk)
        return answer() if callable(answer) else answer

    ctx = FakeContext()
    ctx.session.tools.add("lm", tool)
    return ctx


async def stream(ctx: FakeContext) -> list[str | Answer]:
    return [item async for item in HostLM(ctx.session, "lm").astream({"messages": []})]


def test_chunks_are_the_answer_when_it_ends_with_null():
    assert asyncio.run(stream(host(None, ("a", {"content": "b"}, {"content": None})))) == [
        "a",
        "b",
        Answer(content="ab"),
    ]


def test_a_final_answer_adds_what_chunks_cannot_say():
    *texts, answer = asyncio.run(stream(host({"content": "ab\n", "model": "m"}, ("a", "b"))))
    assert texts == ["a", "b"] and answer == Answer(content="ab", model="m")
    assert asyncio.run(stream(host("abc", ("a",)))) == ["a", "bc", Answer(content="abc")]
    assert asyncio.run(stream(host("abc"))) == ["abc", Answer(content="abc")]


def test_a_final_answer_may_not_take_chunks_back():
    with pytest.raises(MalformedAnswer, match="differs from the streamed chunks"):
        asyncio.run(stream(host("xyz", ("a", "b"))))
    with pytest.raises(MalformedAnswer, match="chunk of kind int"):
        asyncio.run(stream(host(None, (7,))))


def ask(ctx: FakeContext, lm: dict[str, Any], **context: Any) -> Any:
    async def scenario() -> Any:
        with dspy.context(lm=build_lm(lm, ctx), adapter=dspy.ChatAdapter(), **context):
            return await dspy.Predict("q -> a").acall(q="?")

    return asyncio.run(asyncio.wait_for(scenario(), 20))


def failing(times: int, error: Exception) -> tuple[FakeContext, list[int]]:
    tries: list[int] = []

    def answer() -> Any:
        tries.append(1)
        if len(tries) <= times:
            raise error
        return "[[ ## a ## ]]\nyes\n\n[[ ## completed ## ]]"

    return host(answer), tries


def test_a_retryable_failure_is_tried_again_after_the_time_the_host_names():
    details = {"retry_after_s": 0.01}
    ctx, tries = failing(2, ToolFailed("slow down", retryable=True, details=details))
    assert ask(ctx, HOST).a == "yes" and len(tries) == 3


def test_a_failure_that_is_not_retryable_is_not_tried_again():
    ctx, tries = failing(1, ToolFailed("no such key"))
    with pytest.raises(dspy.LMProviderError, match="no such key"):
        ask(ctx, HOST)
    assert len(tries) == 1


def test_retries_end_and_can_be_switched_off():
    error = ResourceExhausted("too many", details={"retry_after_s": 0.01})
    ctx, tries = failing(9, error)
    with pytest.raises(dspy.LMRateLimitError):
        ask(ctx, {**HOST, "retries": 1})
    assert len(tries) == 2
    ctx, tries = failing(9, error)
    with pytest.raises(dspy.LMRateLimitError):
        ask(ctx, {**HOST, "retries": 0})
    assert len(tries) == 1


def test_failures_map_to_what_dspy_knows_of_them():
    assert isinstance(wire.failure(DeadlineExceeded("late")), lm15.TimeoutError)
    assert isinstance(wire.failure(ToolFailed("x", retryable=True)), lm15.ServerError)
    after = wire.failure(ToolFailed("x", retryable=True, details={"retry_after_s": 2}))
    assert isinstance(after, lm15.RateLimitError) and after.retry_after == 2.0
    assert type(wire.failure(ToolFailed("x"))) is lm15.ProviderError


def request(**more: Any) -> lm15.Request:
    return lm15.Request(model="host_tool/lm", messages=(lm15.Message.user("hi"),), **more)


def test_a_request_is_told_in_chat_words():
    tool = lm15.FunctionTool(name="add", description="Adds.", parameters={"type": "object"})
    messages = (
        lm15.Message.user([lm15.TextPart("see"), lm15.ImagePart(url="http://h/i.png")]),
        lm15.Message.assistant([lm15.ToolCallPart(id="c1", name="add", input={"a": 1})]),
        lm15.Message.tool("c1", "2"),
    )
    config = lm15.Config(
        temperature=0.5,
        stop=("x",),
        tool_choice=lm15.ToolChoice(mode="required", allowed=("add",)),
        response_format={"type": "json_schema", "schema": {"type": "object"}},
    )
    asked = lm15.Request(
        model="m", system="be brief", messages=messages, tools=(tool,), config=config
    )
    chat = wire.chat_request(asked, "mine", None)
    assert chat["model"] == "mine" and chat["temperature"] == 0.5 and chat["stop"] == ["x"]
    system, user, assistant, result = chat["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert user["content"][1] == {"type": "image_url", "image_url": {"url": "http://h/i.png"}}
    assert assistant["content"] is None
    assert assistant["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a":1}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "2"}
    assert chat["tools"][0]["function"]["name"] == "add"
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert chat["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_a_request_satisfies_the_published_schema():
    jsonschema = pytest.importorskip("jsonschema")
    from snakepit_bridge.host_lm import ANSWER_SCHEMA, REQUEST_SCHEMA

    chat = wire.chat_request(request(), "m", {"x": 1})
    jsonschema.validate({**chat, "stream": False}, REQUEST_SCHEMA)
    jsonschema.validate({"content": "x", "usage": {"prompt_tokens": 1}}, ANSWER_SCHEMA)


def test_both_engines_give_the_same_answer():
    answer = {"content": "hi", "tool_calls": [CALL], "usage": {"prompt_tokens": 2}}
    ctx = host(answer)
    told = HostEngine(ctx, "lm").complete(request())
    awaited = asyncio.run(AsyncHostEngine(ctx, "lm").complete(request()))
    assert told == awaited
    assert told.message.parts[0].text == "hi" and told.message.parts[1].input == {"a": 1}
    assert told.finish_reason == "tool_call" and told.usage.input_tokens == 2


def test_both_engines_stream_the_same_events():
    async def events() -> list[Any]:
        ctx = host(None, ("a", "b"))
        return [event async for event in AsyncHostEngine(ctx, "lm").stream(request())]

    awaited = asyncio.run(events())
    told = list(HostEngine(host(None, ("a", "b")), "lm").stream(request()))
    assert told == awaited
    assert [e.type for e in told] == ["start", "delta", "delta", "end"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
def test_fields_are_read_whole_whatever_the_pieces(adapter, size):
    first, second = 'two\n\nlines [x] [[ "q" </b> é', "end."
    text = {
        "chat": f"[[ ## one ## ]]\n{first}\n\n[[ ## two ## ]]\n{second}\n\n[[ ## completed ## ]]\n",
        "xml": f"<one>\n{escape(first)}\n</one>\n<two>{second}</two>",
        "json": json.dumps({"one": first, "two": second}),
    }[adapter]
    reader = fields.FieldReader(adapter, ["one", "two"])
    for _ in range(2):  # a reader follows one answer after the other
        shown = {"one": "", "two": ""}
        for start in range(0, len(text), size):
            for name, news in reader.feed(text[start : start + size], False):
                shown[name] += news
        for name, news in reader.feed("", True):
            shown[name] += news
        assert shown == {"one": first, "two": second}
