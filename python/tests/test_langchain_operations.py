"""The LangChain operations with the real LangChain, a fake bridge and a rule-based chat model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain")

from langchain_fakes import HOST, WEATHER_SCHEMA, FakeContext, call, weather  # noqa: E402
from snakepit_bridge.errors import (  # noqa: E402
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ToolFailed,
    Unavailable,
    Unsupported,
)
from snakepit_bridge.frameworks import load  # noqa: E402
from snakepit_bridge.frameworks.langchain import built  # noqa: E402

ASK = {"kind": "prompt", "messages": [{"role": "user", "content": "{question}"}]}
SAY = {"kind": "sequence", "steps": [ASK, {"kind": "model"}, {"kind": "parser"}]}


@pytest.fixture(scope="module")
def framework() -> Any:
    framework = load("langchain")
    framework.start({})
    return framework


def run(framework: Any, operation: str, ctx: Any, **parameters: Any) -> Any:
    handler = framework.operations()[operation].handler
    if operation in ("invoke", "batch", "agent", "events", "describe"):
        parameters.setdefault("lm", HOST)

    async def main() -> Any:
        return await asyncio.wait_for(handler(ctx, **parameters), 20)

    return asyncio.run(main())


def pipe(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "sequence", "steps": list(steps)}


def context(stream: bool = False) -> FakeContext:
    ctx = FakeContext(stream)
    ctx.session.tools.add("weather", weather, "The sky over a city.", WEATHER_SCHEMA)
    return ctx


def test_a_pipeline_runs_with_the_hosts_model(framework: Any) -> None:
    ctx = context()
    result = run(framework, "invoke", ctx, pipeline=SAY, input={"question": "hi {you}"})
    assert result["output"] == "you said hi {you}"
    assert result["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert result["lm_calls"] == 1
    asked = ctx.model.requests[0]
    assert asked == {
        "model": "default",
        "stream": False,
        "messages": [{"role": "user", "content": "hi {you}"}],
    }


def test_tokens_come_in_order_and_join_to_the_output(framework: Any) -> None:
    ctx = context(stream=True)
    result = run(framework, "invoke", ctx, pipeline=SAY, input={"question": "a b c"})
    assert [each["text"] for each in ctx.chunks] == ["you ", "said ", "a ", "b ", "c"]
    assert result["output"] == "you said a b c"
    assert result["usage"]["total_tokens"] == 7


def test_parallel_parts_grow_each_on_its_own_when_streamed(framework: Any) -> None:
    document = {"kind": "parallel", "branches": {"a": SAY, "b": SAY}}
    ctx = context(stream=True)
    result = run(framework, "invoke", ctx, pipeline=document, input={"question": "x y"})
    assert result["output"] == {"a": "you said x y", "b": "you said x y"}
    assert {each["type"] for each in ctx.chunks} == {"output"}


def test_streamed_json_is_the_same_as_whole_json(framework: Any) -> None:
    document = pipe(ASK, {"kind": "model"}, {"kind": "parser", "format": "json"})
    for stream in (False, True):
        ctx = context(stream)
        ctx.model.script = ['[{"a": 1}, {"b": [1, 2, 3]}]']
        result = run(framework, "invoke", ctx, pipeline=document, input="x")
        assert result["output"] == [{"a": 1}, {"b": [1, 2, 3]}]


def test_a_message_comes_out_in_the_words_it_goes_in(framework: Any) -> None:
    history = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call("c", "weather", {"city": "B"})]},
        {"role": "tool", "tool_call_id": "c", "name": "weather", "content": "clear"},
    ]
    prompt = {"kind": "prompt", "messages": [{"placeholder": "history"}]}
    ctx = context()
    result = run(framework, "invoke", ctx, pipeline=pipe(prompt, {"kind": "model"}), input=history)
    output = result["output"]
    assert (output["role"], output["content"]) == ("assistant", "it says clear")
    assert output["usage"]["prompt_tokens"] == 5
    assert ctx.model.requests[0]["messages"] == history


def test_steps_choose_assign_pick_and_call_tools(framework: Any) -> None:
    document = pipe(
        {"kind": "assign", "values": {"sky": pipe({"kind": "pick", "keys": ["city"]}, TOOL)}},
        {
            "kind": "branch",
            "branches": [
                {
                    "if": {"field": "sky.sky", "equals": "clear"},
                    "then": {"kind": "constant", "value": "go out"},
                }
            ],
            "else": {"kind": "constant", "value": "stay"},
        },
    )
    result = run(framework, "invoke", context(), pipeline=document, input={"city": "Bern", "n": 1})
    assert result["output"] == "go out"


TOOL = {"kind": "tool", "tool": "weather"}


def test_a_router_takes_the_named_way(framework: Any) -> None:
    def constant(value: str) -> dict[str, Any]:
        return {"kind": "constant", "value": value}

    document = {
        "kind": "router",
        "key": "kind",
        "routes": {"a": constant("A"), "b": constant("B")},
    }
    assert run(framework, "invoke", context(), pipeline=document, input={"kind": "b"})[
        "output"
    ] == ("B")
    with pytest.raises(InvalidArgument, match="input of pipeline: kind 'c', expected one of a, b"):
        run(framework, "invoke", context(), pipeline=document, input={"kind": "c"})
    document["default"] = constant("other")
    assert (
        run(framework, "invoke", context(), pipeline=document, input={"kind": 3})["output"]
        == "other"
    )


def test_a_failing_step_is_tried_again_and_replaced(framework: Any) -> None:
    failing = {"kind": "retry", "step": SAY, "attempts": 2, "wait": False}
    ctx = context(stream=True)
    ctx.model.script = [ToolFailed("first"), "second"]
    assert (
        run(framework, "invoke", ctx, pipeline=failing, input={"question": "x"})["output"]
        == "second"
    )
    other = {
        "kind": "fallbacks",
        "step": failing,
        "fallbacks": [{"kind": "constant", "value": "fallback"}],
    }
    ctx = context()
    ctx.model.script = [ToolFailed("first"), ToolFailed("second")]
    assert (
        run(framework, "invoke", ctx, pipeline=other, input={"question": "x"})["output"]
        == "fallback"
    )
    ctx.model.script = [InvalidArgument("no such model")]
    with pytest.raises(InvalidArgument, match="no such model"):
        run(framework, "invoke", ctx, pipeline=other, input={"question": "x"})


def test_a_model_that_may_answer_later_is_asked_again(framework: Any) -> None:
    ctx = context()
    ctx.model.script = [
        Unavailable("busy", details={"retry_after_s": 0.01}),
        DeadlineExceeded("slow"),
        "now",
    ]
    assert run(framework, "invoke", ctx, pipeline=SAY, input="x")["output"] == "now"
    ctx.model.script = [Unavailable("busy", details={"retry_after_s": 0.01})] * 2
    with pytest.raises(Unavailable, match="busy"):
        run(framework, "invoke", ctx, pipeline=SAY, input="x", lm={**HOST, "retries": 1})


def test_a_structured_answer_is_asked_for_and_checked(framework: Any) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    document = pipe(ASK, {"kind": "model", "response_schema": schema})
    ctx = context()
    ctx.model.script = [{"content": None, "tool_calls": [call("c", "answer", {"age": 3})]}]
    assert run(framework, "invoke", ctx, pipeline=document, input="x")["output"] == {"age": 3}
    assert ctx.model.requests[0]["tool_choice"] == "required"
    native = {**HOST, "supports": ["response_format"]}
    ctx = context()
    ctx.model.script = ['{"age": 4}', '{"age": "old"}']
    result = run(framework, "invoke", ctx, pipeline=document, input="x", lm=native)
    assert result["output"] == {"age": 4}
    asked = ctx.model.requests[0]["response_format"]["json_schema"]
    assert asked["name"] == "answer" and asked["schema"]["properties"] == schema["properties"]
    with pytest.raises(ToolFailed, match=r'\$\.age, held against .*"old" is not of type "integer"'):
        run(framework, "invoke", ctx, pipeline=document, input="x", lm=native)


def test_an_answer_that_does_not_parse_is_the_models_fault(framework: Any) -> None:
    document = pipe(ASK, {"kind": "model"}, {"kind": "parser", "format": "json"})
    ctx = context()
    ctx.model.script = ["no json"]
    with pytest.raises(ToolFailed, match="does not parse") as caught:
        run(framework, "invoke", ctx, pipeline=document, input="x")
    assert caught.value.details["completion"] == "no json"


def test_a_list_is_parsed_from_lines_or_commas(framework: Any) -> None:
    document = pipe(ASK, {"kind": "model"}, {"kind": "parser", "format": "list"})
    ctx = context()
    ctx.model.script = ["1. one\n2) two, too\n- three\n", "a, b,c"]
    assert run(framework, "invoke", ctx, pipeline=document, input="x")["output"] == [
        "one",
        "two, too",
        "three",
    ]
    assert run(framework, "invoke", ctx, pipeline=document, input="x")["output"] == ["a", "b", "c"]


def test_documents_live_in_variables_with_versions_and_settings(framework: Any) -> None:
    ctx = context()
    lm = {**HOST, "temperature": {"variable": "heat"}}
    ctx.session.register("heat", "float", 0.25)
    ctx.session.register("ask", "json", ASK)
    ctx.session.register("say", "json", {"kind": "constant", "value": "old"})
    ctx.session.set("say", pipe({"variable": "ask"}, {"kind": "model", "lm": lm}))
    result = run(framework, "invoke", ctx, pipeline="say", input="x")
    assert result["output"]["content"] == "you said x"
    assert result["pipeline"] == {"variable": "say", "version": 2}
    assert ctx.model.requests[0]["temperature"] == 0.25
    old = run(framework, "invoke", ctx, pipeline={"variable": "say", "version": 1}, input=1)
    assert (old["output"], old["pipeline"]["version"]) == ("old", 1)
    with pytest.raises(NotFound, match="version 9 of variable 'say'"):
        run(framework, "invoke", ctx, pipeline={"variable": "say", "version": 9}, input=1)
    with pytest.raises(NotFound, match="nope"):
        run(framework, "invoke", ctx, pipeline=pipe({"variable": "nope"}), input=1)
    ctx.session.register("ring", "json", pipe({"variable": "ring"}))
    with pytest.raises(InvalidArgument, match="leads back to itself"):
        run(framework, "invoke", ctx, pipeline="ring", input=1)


def test_a_batch_keeps_the_order_and_collects_failures(framework: Any) -> None:
    ctx = context(stream=True)
    inputs = [{"city": name} for name in ("Bern", "Rome", "Bern")]
    result = run(
        framework, "batch", ctx, pipeline=TOOL, inputs=inputs, on_error="collect", max_concurrency=2
    )
    failure = {
        "status": "TOOL_FAILED",
        "type": "snakepit_bridge.errors.ToolFailed",
        "message": "no such city",
    }
    clear = {"output": {"sky": "clear"}}
    assert result["results"] == [clear, {"error": failure}, clear]
    assert result["failed"] == 1
    assert sorted(each["index"] for each in ctx.chunks) == [0, 1, 2]
    with pytest.raises(ToolFailed, match="no such city"):
        run(framework, "batch", context(), pipeline=TOOL, inputs=inputs)


def test_events_tell_what_happens_in_order(framework: Any) -> None:
    ctx = context(stream=True)
    named = {**SAY, "name": "whole"}
    result = run(framework, "events", ctx, pipeline=named, input={"question": "a b"})
    assert result["output"] == "you said a b"
    names = [each["event"] for each in ctx.chunks]
    assert names[0] == "on_chain_start" and names[-1] == "on_chain_end"
    kinds = [name for name in names if name.startswith("on_chat_model")]
    assert kinds[0] == "on_chat_model_start" and kinds[-1] == "on_chat_model_end"
    pieces = [
        each["data"]["chunk"]["content"]
        for each in ctx.chunks
        if each["event"] == "on_chat_model_stream"
    ]
    assert "".join(pieces) == "you said a b"
    ctx = context(stream=True)
    run(framework, "events", ctx, pipeline=named, input="x", include_types=["chat_model"])
    assert {each["event"].split("_")[1] for each in ctx.chunks} == {"chat"}


def test_a_pipeline_is_described_without_running(framework: Any) -> None:
    ctx = context()
    result = run(framework, "describe", ctx, pipeline=SAY)
    assert result["input_schema"]["properties"]["question"]["type"] == "string"
    assert result["output_schema"]["type"] == "string"
    assert not ctx.model.requests


BAD = [
    ({"kind": "promt"}, r"pipeline.kind 'promt', expected one of .*; did you mean 'prompt'\?"),
    (pipe({"kind": "prompt"}), r"pipeline.steps\[0\].messages missing, expected a list"),
    (
        pipe({"kind": "prompt", "messages": [{"role": "usr", "content": ""}]}),
        r"pipeline.steps\[0\].messages\[0\].role 'usr', expected one of system, user, assistant; "
        r"did you mean 'user'\?",
    ),
    (
        pipe({"kind": "prompt", "template": "{a.__class__}"}),
        r"pipeline.steps\[0\].template of kind string, expected variables as \{name\}",
    ),
    (pipe({"kind": "prompt", "template": "{a"}), r"steps\[0\].template is not a format string"),
    (
        pipe({"kind": "model", "lm": {"kind": "host"}}),
        r'steps\[0\].lm.kind \'host\', expected "host_tool"',
    ),
    (
        pipe({"kind": "model", "lm": {**HOST, "api_key": "k"}}),
        r"steps\[0\].lm.api_key for kind `host_tool`, expected one of",
    ),
    (pipe({"kind": "model", "tools": ["wether"]}), r"steps\[0\].tools\[0\]: no host tool 'wether'"),
    (
        pipe({"kind": "tool", "tool": "wether"}),
        r"pipeline.steps\[0\].tool: no host tool 'wether', .*did you mean 'weather'\?",
    ),
    (
        {"kind": "parallel", "branches": {"a": {"kind": "parser", "format": "yaml"}}},
        r"pipeline.branches.a.format 'yaml', expected one of text, json, list",
    ),
    (
        pipe({"kind": "parser", "format": "json", "schema": {"type": "objct"}}),
        r'steps\[0\].schema is not a JSON Schema: "objct" is not valid',
    ),
    (
        pipe({"kind": "parser", "format": "json", "schema": {"$ref": "http://127.0.0.1:1/a"}}),
        r"steps\[0\].schema is not a JSON Schema: .*http://127.0.0.1:1/a",
    ),
    (pipe({"kind": "passthrough", "x": 1}), r"steps\[0\].x, expected one of kind, name"),
    (
        {"kind": "branch", "branches": [{"if": {"field": "a"}, "then": SAY}], "else": SAY},
        r"pipeline.branches\[0\].if with 0 tests, expected one of equals, in",
    ),
    (pipe(), r"pipeline.steps is empty, expected steps"),
    ({"kind": "sequence", "steps": 3}, r"pipeline.steps of kind integer, expected a list of steps"),
    ({}, r"pipeline.kind missing, expected a text"),
]


@pytest.mark.parametrize(("document", "message"), BAD)
def test_a_bad_document_is_refused_at_its_place(
    framework: Any, document: Any, message: str
) -> None:
    ctx = context()
    with pytest.raises(InvalidArgument, match=message):
        run(framework, "invoke", ctx, pipeline=document, input={})
    assert not ctx.model.requests


def test_an_input_that_lacks_a_variable_is_refused_by_name(framework: Any) -> None:
    with pytest.raises(
        InvalidArgument,
        match=r"input of pipeline.steps\[0\]: 'question' missing, given qestion; did you mean",
    ):
        run(framework, "invoke", context(), pipeline=SAY, input={"qestion": "x"})


def test_what_was_built_is_used_again_for_equal_documents_and_tools_only(framework: Any) -> None:
    step = {"kind": "model", "tools": ["weather"]}
    asked = []
    for description in ("old", "old", "new"):
        ctx = context()
        ctx.session.tools.add("weather", weather, description, WEATHER_SCHEMA)
        run(framework, "invoke", ctx, pipeline=step, input="x")
        asked.append(ctx.model.requests[0]["tools"][0]["function"]["description"])
    assert asked == ["old", "old", "new"]
    for temperature in (0.1, 0.9):
        ctx = context()
        lm = {**HOST, "temperature": temperature}
        run(framework, "invoke", ctx, pipeline=SAY, input="x", lm=lm)
        assert ctx.model.requests[0]["temperature"] == temperature


def test_builds_are_bounded() -> None:
    cache = built.BuiltCache()
    things = [cache.get([number], object) for number in range(200)]
    assert cache.get([199], object) is things[199]
    assert cache.get([0], object) is not things[0]
    large = cache.get(["x" * 100_000], object)
    assert cache.get(["x" * 100_000], object) is not large


def test_providers_are_named_with_their_package_and_keys_by_their_name(framework: Any) -> None:
    def model(**lm: Any) -> Any:
        return {"kind": "model", "lm": {"kind": "provider", **lm}}

    with pytest.raises(Unsupported, match="pip install langchain-openai"):
        run(framework, "invoke", context(), pipeline=model(model="openai:gpt-4o-mini"), input="x")
    with pytest.raises(InvalidArgument, match="lm.api_key_env `NO_KEY` is not set"):
        document = model(model="openai:gpt-4o-mini", api_key_env="NO_KEY")
        run(framework, "invoke", context(), pipeline=document, input="x")
    with pytest.raises(InvalidArgument, match="expected provider:model"):
        run(framework, "invoke", context(), pipeline=model(model="gpt-4o-mini"), input="x")
    with pytest.raises(InvalidArgument, match="Unsupported provider='os'"):
        run(framework, "invoke", context(), pipeline=model(model="os:system"), input="x")


def test_an_agent_calls_the_hosts_tool_and_shows_its_steps(framework: Any) -> None:
    ctx = context(stream=True)
    document = {"tools": ["weather"], "system_prompt": "Be brief."}
    result = run(framework, "agent", ctx, agent=document, input="Bern")
    assert result["output"] == 'it says {"sky":"clear"}'
    assert [each["role"] for each in result["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert (result["lm_calls"], result["usage"]["total_tokens"]) == (2, 14)
    assert ctx.model.requests[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    function = ctx.model.requests[0]["tools"][0]["function"]
    assert function["parameters"]["properties"] == WEATHER_SCHEMA["properties"]
    assert function["description"] == "The sky over a city."
    nodes = [each["node"] for each in ctx.chunks if each["type"] == "update"]
    assert nodes == ["model", "tools", "model"]
    tokens = [each for each in ctx.chunks if each["type"] == "token"]
    assert "".join(each["text"] for each in tokens) == result["output"]


def test_an_agent_is_told_of_a_tool_that_fails(framework: Any) -> None:
    ctx = context()
    result = run(framework, "agent", ctx, agent={"tools": ["weather"]}, input="Rome")
    assert result["output"] == "it says TOOL_FAILED: no such city"
    assert result["messages"][2]["status"] == "error"


def test_an_agent_gives_a_structured_answer(framework: Any) -> None:
    schema = {"type": "object", "properties": {"sky": {"type": "string"}}, "required": ["sky"]}
    document = {"tools": ["weather"], "response_schema": schema}
    ctx = context()
    ctx.model.script = [
        {"content": None, "tool_calls": [call("c", "weather", {"city": "Bern"})]},
        {"content": None, "tool_calls": [call("d", "answer", {"sky": "clear"})]},
    ]
    assert run(framework, "agent", ctx, agent=document, input="x")["structured"] == {"sky": "clear"}
    native = {**HOST, "supports": ["tools", "response_format"]}
    ctx.model.script = ['{"sky": 3}']
    with pytest.raises(ToolFailed, match=r'\$\.sky, held against .*3 is not of type "string"'):
        run(framework, "agent", ctx, agent=document, input="x", lm=native)
    step = pipe(ASK, {"kind": "agent", **document})
    ctx.model.script = [{"content": None, "tool_calls": [call("d", "answer", {"sky": "blue"})]}]
    assert run(framework, "invoke", ctx, pipeline=step, input="x")["output"] == {"sky": "blue"}


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_agent_ends_after_its_last_step(framework: Any, steps: int) -> None:
    again = {"content": None, "tool_calls": [call("c", "weather", {"city": "Bern"})]}
    document = {"tools": ["weather"], "max_steps": steps}
    ctx = context()
    ctx.model.script = [again] * 10
    with pytest.raises(ResourceExhausted, match="did not end"):
        run(framework, "agent", ctx, agent=document, input="x")
    assert len(ctx.model.requests) == steps
    ctx = context()
    ctx.model.script = [again] * (steps - 1) + ["done"]
    assert run(framework, "agent", ctx, agent=document, input="x")["output"] == "done"


def test_a_model_without_tools_is_refused_for_an_agent_that_has_them(framework: Any) -> None:
    lm = {**HOST, "supports": []}
    with pytest.raises(Unsupported, match="lm.supports without `tools`"):
        run(framework, "agent", context(), agent={"tools": ["weather"]}, input="x", lm=lm)


def test_an_agents_thread_goes_on(framework: Any) -> None:
    ctx = context()
    run(framework, "agent", ctx, agent={}, input="one", thread="t")
    result = run(framework, "agent", ctx, agent={}, input="two", thread="t")
    texts = [each["content"] for each in result["messages"]]
    assert texts == ["one", "you said one", "two", "you said two"]
    assert run(framework, "threads", ctx)["threads"][0]["thread"] == "t"
    on = run(framework, "agent", ctx, agent={}, input=None, thread="t")
    assert on["messages"] == result["messages"] and on["lm_calls"] == 0
    with pytest.raises(InvalidArgument, match="input null without thread"):
        run(framework, "agent", ctx, agent={}, input=None)
    run(framework, "delete_thread", ctx, thread="t")
    assert run(framework, "threads", ctx) == {"threads": []}
    assert [name for name in ctx.session.kept if name.startswith("langgraph")] == []
