"""Graphs of configured modules with the real LangGraph, a fake bridge and a rule-based model."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langgraph")

from langchain_fakes import FakeContext  # noqa: E402
from snakepit_bridge.errors import InvalidArgument, ResourceExhausted, StateError  # noqa: E402
from snakepit_bridge.frameworks import load  # noqa: E402

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests/python"))

GRAPHS = {"survey": "spb_graphs:survey", "doomed": "spb_graphs:DOOMED", "pair": "spb_graphs:PAIR"}


@pytest.fixture(scope="module")
def framework() -> Any:
    framework = load("langchain")
    framework.start({"graphs": GRAPHS, "checkpoints_kept": 10})
    return framework


def run(framework: Any, operation: str, ctx: Any, **parameters: Any) -> Any:
    handler = framework.operations()[operation].handler

    async def main() -> Any:
        return await asyncio.wait_for(handler(ctx, **parameters), 20)

    return asyncio.run(main())


def context(stream: bool = False) -> FakeContext:
    ctx = FakeContext(stream)

    async def note(args: dict[str, Any], emit: Any) -> Any:
        return None

    ctx.session.tools.add("note", note)
    ctx.session.tools.add("doom", note)
    return ctx


def test_a_graph_stops_is_looked_at_and_goes_on(framework: Any) -> None:
    ctx = context(stream=True)
    at = {"graph": "survey", "thread": "t"}
    first = run(framework, "graph_invoke", ctx, **at, input={"question": "sky"})
    assert [each["value"] for each in first["interrupts"]] == [{"ask": "which sky?"}]
    assert first["output"]["place"] == {"name": "Bern"}
    kinds = [(each["type"], each.get("node")) for each in ctx.chunks]
    assert kinds == [("update", "begin"), ("interrupt", None)]
    state = run(framework, "graph_state", ctx, **at)
    assert (state["next"], state["interrupts"]) == (["ask"], first["interrupts"])
    assert state["values"]["steps"] == ["begin"]
    done = run(framework, "graph_resume", ctx, **at, value="the blue one")
    assert done["output"]["answer"] == "you said Bern: the blue one"
    assert done["output"]["steps"] == ["begin", "ask", "answer"]
    assert done["lm_calls"] == 1 and done["usage"]["total_tokens"] == 7
    history = run(framework, "graph_history", ctx, **at)["states"]
    assert [each["next"] for each in history] == [[], ["answer"], ["ask"], ["begin"], ["__start__"]]
    assert history[1]["checkpoint"] == history[0]["parent"]
    some = run(framework, "graph_history", ctx, **at, limit=1, before=history[1]["checkpoint"])[
        "states"
    ]
    assert [each["checkpoint"] for each in some] == [history[2]["checkpoint"]]


def test_an_earlier_checkpoint_can_be_gone_on_from_and_changed(framework: Any) -> None:
    ctx = context()
    at = {"graph": "survey", "thread": "t"}
    run(framework, "graph_invoke", ctx, **at, input={"question": "sky"})
    run(framework, "graph_resume", ctx, **at, value="blue")
    earlier = run(framework, "graph_history", ctx, **at)["states"][1]["checkpoint"]
    again = run(framework, "graph_invoke", ctx, **at, checkpoint=earlier, input=None)
    assert again["output"]["answer"] == "you said Bern: blue"
    made = run(framework, "graph_update", ctx, **at, checkpoint=earlier, values={"question": "red"})
    changed = run(framework, "graph_state", ctx, **at)
    assert changed["checkpoint"] == made["checkpoint"]
    assert run(framework, "graph_invoke", ctx, **at, input=None)["output"]["answer"] == (
        "you said Bern: red"
    )


def test_what_streams_is_chosen(framework: Any) -> None:
    ctx = context(stream=True)
    at = {"graph": "survey", "thread": "t"}
    modes = ["messages", "custom", "values"]
    run(framework, "graph_invoke", ctx, **at, input={"question": "sky"}, modes=modes)
    assert {"type": "custom", "value": {"began": "sky"}} in ctx.chunks
    assert [each["values"]["question"] for each in ctx.chunks if each["type"] == "values"]
    ctx.chunks.clear()
    run(framework, "graph_resume", ctx, **at, value="a b", modes=modes)
    tokens = [each["text"] for each in ctx.chunks if each["type"] == "token"]
    assert tokens == ["you ", "said ", "Bern: ", "a ", "b"]
    assert {each["node"] for each in ctx.chunks if each["type"] == "token"} == {"answer"}


def test_two_interrupts_are_answered_by_their_ids(framework: Any) -> None:
    ctx = context()
    at = {"graph": "pair", "thread": "t"}
    first = run(framework, "graph_invoke", ctx, **at, input={"steps": []})
    ids = {each["value"]: each["id"] for each in first["interrupts"]}
    assert set(ids) == {"left?", "right?"}
    with pytest.raises(InvalidArgument, match="value for 2 interrupts"):
        run(framework, "graph_resume", ctx, **at, value="L")
    with pytest.raises(InvalidArgument, match="values.other, expected one of"):
        run(framework, "graph_resume", ctx, **at, values={"other": 1})
    answers = {ids["left?"]: "L", ids["right?"]: "R"}
    done = run(framework, "graph_resume", ctx, **at, values=answers)
    assert (sorted(done["output"]["steps"]), done["interrupts"]) == (["L", "R"], [])
    with pytest.raises(StateError, match="thread 't' waits for no answer"):
        run(framework, "graph_resume", ctx, **at, value="more")


def test_without_a_thread_nothing_is_kept(framework: Any) -> None:
    ctx = context()
    result = run(framework, "graph_invoke", ctx, graph="doomed", input={"question": "x"})
    assert result["output"]["pids"] == [os.getpid()] * 2
    assert not ctx.session.kept


def test_what_cannot_be_run_is_named(framework: Any) -> None:
    ctx = context()
    with pytest.raises(InvalidArgument, match=r"graph 'survei', expected one of .*'survey'\?"):
        run(framework, "graph_invoke", ctx, graph="survei", input={})
    with pytest.raises(InvalidArgument, match="checkpoint without thread"):
        run(framework, "graph_invoke", ctx, graph="survey", input={}, checkpoint="x")
    with pytest.raises(InvalidArgument, match="0 of value and values, expected one"):
        run(framework, "graph_resume", ctx, graph="survey", thread="t")
    with pytest.raises(InvalidArgument, match="graph was given what it cannot take"):
        run(framework, "graph_invoke", ctx, graph="doomed", input=None)
    with pytest.raises(ResourceExhausted, match="Recursion limit of 1"):
        run(
            framework,
            "graph_invoke",
            ctx,
            graph="doomed",
            input={"question": "x"},
            recursion_limit=1,
        )


def test_the_configured_graphs_are_listed_with_their_schemas(framework: Any) -> None:
    listed = run(framework, "graphs", context())["graphs"]
    assert [each["name"] for each in listed] == ["doomed", "pair", "survey"]
    assert listed[2]["nodes"] == ["begin", "ask", "answer"]
    assert "question" in str(listed[2]["input_schema"])


BAD = [
    ({"graphs": {"a": "spb_graphs"}}, "option graphs.a 'spb_graphs', expected module:attribute"),
    ({"graphs": {"a": "spb_graphs:Place"}}, "missing 1 required positional argument"),
    ({"graphs": {"a": "spb_graphs:MODEL"}}, "is a HostChatModel, expected a graph of LangGraph"),
    ({"graphs": {"a": 3}}, "option graphs.a, expected module:attribute"),
    ({"graph": {}}, r"options.graph, expected one of checkpoints_kept, graphs; did you mean"),
    ({"checkpoints_kept": 0}, "options.checkpoints_kept 0, expected 1 to 10000"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidArgument, TypeError), match=message):
        load("langchain").start(options)
