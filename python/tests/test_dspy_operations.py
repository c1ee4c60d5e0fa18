"""The DSPy operations with the real DSPy, a fake bridge and a rule-based host language model."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from typing import Any

import pytest

dspy = pytest.importorskip("dspy")

from dspy_fakes import (  # noqa: E402
    COUNTRIES,
    LOOKUP_SCHEMA,
    FakeContext,
    RuleModel,
    lookup,
)
from snakepit_bridge.errors import (  # noqa: E402
    InvalidArgument,
    NotFound,
    OperationCancelled,
    ToolFailed,
)
from snakepit_bridge.frameworks import load  # noqa: E402

HOST = {"kind": "host_tool", "tool": "lm"}


@pytest.fixture
def framework() -> Any:
    framework = load("dspy")
    framework.start({})
    return framework


@pytest.fixture
def ctx() -> FakeContext:
    return context(stream=False)


def context(stream: bool) -> FakeContext:
    ctx = FakeContext(stream)
    ctx.model = RuleModel()
    ctx.session.tools.add("lm", ctx.model)
    ctx.session.tools.add("lookup", lookup, "Facts about a country.", LOOKUP_SCHEMA)
    return ctx


def run(framework: Any, operation: str, ctx: FakeContext, **parameters: Any) -> dict[str, Any]:
    parameters.setdefault("lm", HOST)
    handler = framework.operations()[operation].handler
    return asyncio.run(asyncio.wait_for(handler(ctx, **parameters), 20))


def joined(ctx: FakeContext, field: str) -> str:
    return "".join(c["text"] for c in ctx.chunks if c["type"] == "token" and c["field"] == field)


@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
def test_predict_answers_with_typed_outputs(framework, ctx, adapter):
    result = run(
        framework,
        "predict",
        ctx,
        signature="question -> answer, score: float, tags: list[str], sure: bool, n: int",
        inputs={"question": "What is the capital of Peru?"},
        adapter=adapter,
    )
    assert result["outputs"] == {
        "answer": "Lima",
        "score": 0.5,
        "tags": ["a", "b"],
        "sure": True,
        "n": 42,
    }
    assert type(result["outputs"]["sure"]) is bool and type(result["outputs"]["n"]) is int
    assert result["lm_calls"] == 1
    assert result["usage"]["total_tokens"] == 10 + result["usage"]["completion_tokens"] > 10


def test_the_host_sees_messages_and_settings(framework, ctx):
    run(
        framework,
        "predict",
        ctx,
        signature="question -> answer",
        inputs={"question": "capital of Japan?"},
        # A name for which DSPy itself would insist on other settings.
        lm={**HOST, "model": "gpt-5", "temperature": 0.25, "max_tokens": 77, "extra": {"k": [1]}},
        config={"stop": ["END"], "max_tokens": 99},
        demos=[{"question": "capital of Norway?", "answer": "Oslo"}],
    )
    (request,) = ctx.model.requests
    assert request["model"] == "gpt-5"
    assert (request["temperature"], request["max_tokens"], request["stop"]) == (0.25, 99, ["END"])
    assert request["stream"] is False and request["extra"] == {"k": [1]}
    assert [m["role"] for m in request["messages"]] == ["system", "user", "assistant", "user"]
    assert "Oslo" in request["messages"][2]["content"]
    assert "capital of Japan?" in request["messages"][3]["content"]


def test_a_document_signature_carries_instructions_descriptions_and_choices(framework, ctx):
    ctx.model.overrides["mood"] = "glad"
    result = run(
        framework,
        "predict",
        ctx,
        signature={
            "instructions": "Judge the mood of the text.",
            "fields": [
                {"name": "text", "kind": "input", "description": "what somebody wrote"},
                {"name": "mood", "kind": "output", "choices": ["glad", "sad"]},
            ],
        },
        inputs={"text": "What a day!"},
    )
    assert result["outputs"] == {"mood": "glad"}
    system = ctx.model.requests[0]["messages"][0]["content"]
    assert "Judge the mood" in system and "what somebody wrote" in system and "'sad'" in system


def test_chain_of_thought_returns_its_reasoning(framework, ctx):
    result = run(
        framework,
        "chain_of_thought",
        ctx,
        signature="question -> answer",
        inputs={"question": "capital of Japan?"},
    )
    assert result["outputs"]["answer"] == "Tokyo"
    assert "japan" in result["outputs"]["reasoning"]


@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
def test_react_uses_host_tools_and_tells_its_steps(framework, ctx, adapter):
    result = run(
        framework,
        "react",
        ctx,
        signature="question -> answer",
        inputs={"question": "capital of Peru?"},
        tools=["lookup"],
        adapter=adapter,
    )
    assert result["outputs"]["answer"] == "Lima"
    first, last = result["trajectory"]
    assert first["tool"] == "lookup" and first["arguments"] == {"country": "peru"}
    assert first["observation"] == COUNTRIES["peru"]
    assert last["tool"] == "finish"
    assert result["lm_calls"] == 3 == len(ctx.model.requests)
    assert ("lookup", {"country": "peru"}) in ctx.session.tools.calls
    system = ctx.model.requests[0]["messages"][0]["content"]
    assert "Facts about a country." in system and "A country's name." in system


def test_a_failing_tool_is_told_to_the_agent(framework, ctx):
    async def broken(args, emit):
        raise ToolFailed("the atlas is closed today")

    ctx.session.tools.add("lookup", broken, "Facts.", LOOKUP_SCHEMA)
    result = run(
        framework,
        "react",
        ctx,
        signature="question -> answer",
        inputs={"question": "capital of Peru?"},
        tools=["lookup"],
    )
    observation = result["trajectory"][0]["observation"]
    assert observation == "Execution error in lookup: the atlas is closed today"
    assert result["trajectory"][-1]["tool"] == "finish"


@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
def test_a_stream_shows_exactly_the_text_of_each_field(framework, adapter):
    ctx = context(stream=True)
    ctx.model.overrides["reasoning"] = 'First: a [[ bracket, a < sign.\n\nThen "quotes" and é.'
    result = run(
        framework,
        "chain_of_thought",
        ctx,
        signature="question -> answer, score: float",
        inputs={"question": "capital of Peru?"},
        adapter=adapter,
    )
    assert joined(ctx, "reasoning") == result["outputs"]["reasoning"]
    assert joined(ctx, "answer") == result["outputs"]["answer"] == "Lima"
    assert joined(ctx, "score") == ""
    assert len(ctx.chunks) > 5, "tokens come one by one, not all at the end"
    assert ctx.model.requests[0]["stream"] is True


def test_an_agents_stream_is_in_the_order_of_events(framework):
    ctx = context(stream=True)
    result = run(
        framework,
        "react",
        ctx,
        signature="question -> answer",
        inputs={"question": "capital of Peru?"},
        tools=["lookup"],
    )
    shown = [c.get("field") or c["message"] for c in ctx.chunks]
    order = [shown[0]] + [b for a, b in itertools.pairwise(shown) if a != b]
    assert order == [
        "next_thought",
        "calling lookup",
        "lookup answered",
        "next_thought",
        "reasoning",
        "answer",
    ]
    thoughts = "".join(step["thought"] for step in result["trajectory"])
    assert joined(ctx, "next_thought") == thoughts


def test_a_host_that_answers_a_stream_at_once_is_shown_whole(framework):
    ctx = context(stream=True)

    async def at_once(request, emit):
        return ctx.model.text(request)

    ctx.session.tools.add("lm", at_once)
    result = run(
        framework,
        "predict",
        ctx,
        signature="question -> answer",
        inputs={"question": "capital of Peru?"},
    )
    told = {"field": "answer", "predictor": "self", "request": 1}
    assert ctx.chunks == [{"type": "token", "text": "Lima", **told}]
    assert result["outputs"] == {"answer": "Lima"} and result["usage"] == {}


def test_a_slow_reader_holds_the_model_back(framework):
    ctx = context(stream=True)
    emitted = 0

    async def endless(request, emit):
        nonlocal emitted
        await emit("[[ ## answer ## ]]\n")
        for _ in range(10_000):
            await emit("word ")
            emitted += 1
        return None

    async def scenario() -> None:
        first, gate = asyncio.Event(), asyncio.Event()

        async def aemit(chunk: Any) -> None:
            first.set()
            await gate.wait()

        ctx.aemit = aemit
        ctx.session.tools.add("lm", endless)
        handler = framework.operations()["predict"].handler
        parameters = {"signature": "q -> answer", "inputs": {"q": "?"}, "lm": HOST}
        call = asyncio.ensure_future(handler(ctx, **parameters))
        await asyncio.wait_for(first.wait(), 10)
        for _ in range(2000):  # give the model every chance to run ahead
            await asyncio.sleep(0)
        assert emitted < 200
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(scenario())


def test_two_hundred_calls_share_one_loop(framework):
    async def slow(request, emit):
        await asyncio.sleep(0.05)
        return RuleModel().text(request)

    async def scenario() -> float:
        handler = framework.operations()["predict"].handler
        calls = []
        for _ in range(200):
            ctx = context(stream=False)
            ctx.session.tools.add("lm", slow)
            inputs = {"question": "capital of Peru?"}
            calls.append(handler(ctx, signature="question -> answer", inputs=inputs, lm=HOST))
        begin = time.monotonic()
        results = await asyncio.gather(*calls)
        assert all(r["outputs"] == {"answer": "Lima"} for r in results)
        assert all(r["lm_calls"] == 1 for r in results)
        return time.monotonic() - begin

    # One after the other they would sleep for ten seconds.
    assert asyncio.run(scenario()) < 8


def test_a_cancelled_call_ends_and_is_not_told_to_the_agent(framework, ctx):
    async def cancels(args, emit):
        ctx.cancelled = True
        raise OperationCancelled("operation was cancelled")

    ctx.session.tools.add("lookup", cancels, "Facts.", LOOKUP_SCHEMA)
    with pytest.raises(OperationCancelled):
        run(
            framework,
            "react",
            ctx,
            signature="question -> answer",
            inputs={"question": "capital of Peru?"},
            tools=["lookup"],
        )
    assert len(ctx.model.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_cancel_while_the_model_thinks(framework, stream):
    ctx = context(stream)

    async def cancels(request, emit):
        ctx.cancelled = True
        raise OperationCancelled("operation was cancelled")

    ctx.session.tools.add("lm", cancels)
    with pytest.raises(OperationCancelled):
        run(framework, "predict", ctx, signature="q -> a", inputs={"q": "?"})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"signature": "question"}, "exactly one `->`"),
        ({"signature": "question -> answer: antigravity"}, "unknown type `antigravity`"),
        ({"signature": "question -> answer: os.stat_result"}, "unknown type"),
        ({"signature": "question -> question"}, "named twice"),
        ({"inputs": {"question": "?", "quest": 1}}, "field `quest`"),
        ({"inputs": {}}, "field `question` missing"),
        ({"demos": [{"queston": "?"}]}, "field `queston`"),
        ({"lm": {"kind": "telepathy"}}, "lm.kind"),
        ({"lm": {**HOST, "api_base": "http://x"}}, "lm.api_base"),
        ({"lm": {"kind": "litellm", "model": "gpt"}}, "provider/model"),
        ({"lm": {"kind": "litellm", "model": "openai/x", "api_key_env": "NO_SUCH"}}, "NO_SUCH"),
    ],
)
def test_bad_parameters_are_refused_by_name(framework, ctx, parameters, message):
    defaults = {"signature": "question -> answer", "inputs": {"question": "?"}}
    with pytest.raises(InvalidArgument, match=message.replace(".", r"\.")):
        run(framework, "predict", ctx, **{**defaults, **parameters})
    assert "antigravity" not in sys.modules
    assert ctx.model.requests == []


def test_an_unknown_tool_is_refused_before_the_model_is_asked(framework, ctx):
    with pytest.raises(
        InvalidArgument, match="no host tool `atlas`, expected one of `lm`, `lookup`"
    ):
        run(framework, "react", ctx, signature="q -> a", inputs={"q": "?"}, tools=["atlas"])
    assert ctx.model.requests == []


def test_an_unknown_language_model_tool_is_not_found(framework, ctx):
    with pytest.raises(NotFound, match="oracle"):
        lm = {"kind": "host_tool", "tool": "oracle"}
        run(framework, "predict", ctx, signature="q -> a", inputs={"q": "?"}, lm=lm)


def test_nothing_of_a_call_stays_behind(framework, ctx):
    parameters = {"signature": "question -> answer", "inputs": {"question": "capital of Peru?"}}
    from dspy.clients.base_lm import GLOBAL_HISTORY

    kept = len(dspy.settings.trace or []), len(GLOBAL_HISTORY)
    run(framework, "predict", ctx, **parameters)
    assert dspy.settings.lm is None
    assert (len(dspy.settings.trace or []), len(GLOBAL_HISTORY)) == kept
    run(framework, "predict", ctx, **parameters)
    assert len(ctx.model.requests) == 2, "the host is asked each time: it owns caching"


def test_litellm_is_not_loaded(framework, ctx):
    run(framework, "predict", ctx, signature="q -> a", inputs={"q": "?"})
    assert not {"litellm", "openai"} & set(sys.modules)
