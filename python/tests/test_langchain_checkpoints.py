"""The checkpoint saver: LangGraph's own conformance tests over variables, what a graph finds there,
and what is kept. Must not know the framework's operations."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated, Any, TypedDict

import pytest

pytest.importorskip("langgraph")

from langchain_fakes import FakeContext, FakeSession  # noqa: E402
from snakepit_bridge.errors import InvalidArgument, TypeMismatch  # noqa: E402
from snakepit_bridge.frameworks.langchain import StateCheckpointSaver  # noqa: E402

# isort: split
from langgraph.checkpoint.base import empty_checkpoint  # noqa: E402
from langgraph.graph import END, START, StateGraph  # noqa: E402
from langgraph.graph.message import add_messages  # noqa: E402
from langgraph.types import Command, interrupt  # noqa: E402


@dataclasses.dataclass
class Place:
    """A type of the state's own."""

    name: str


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]
    place: Place
    count: int


@pytest.fixture
def session() -> FakeSession:
    return FakeContext().session


def graph() -> Any:
    def first(state: State) -> dict[str, Any]:
        return {"count": state["count"] + 1, "place": Place("Bern")}

    def ask(state: State) -> dict[str, Any]:
        return {"messages": [("assistant", f"{state['place'].name} {interrupt('which?')}")]}

    builder = StateGraph(State)
    builder.add_node("first", first)
    builder.add_node("ask", ask)
    builder.add_edge(START, "first")
    builder.add_edge("first", "ask")
    builder.add_edge("ask", END)
    return builder


def config(thread: str = "t") -> Any:
    return {"configurable": {"thread_id": thread}}


def test_langgraphs_own_conformance_tests_pass(session: FakeSession) -> None:
    conformance = pytest.importorskip("langgraph.checkpoint.conformance")

    @conformance.checkpointer_test(name="state")
    async def saver() -> Any:
        yield StateCheckpointSaver(FakeContext().session, keep=1000)

    report = asyncio.run(conformance.validate(saver))
    failures = {name: each.failures for name, each in report.results.items() if each.failures}
    assert not failures
    passed = {name: each.tests_passed for name, each in report.results.items()}
    assert all(passed.values()), passed
    assert sum(passed.values()) > 60


def test_another_saver_continues_a_thread_with_the_states_own_types(session: FakeSession) -> None:
    one = graph().compile(checkpointer=StateCheckpointSaver(session))
    asked = one.invoke({"messages": [("user", "hi")], "count": 1}, config())
    assert [each.value for each in asked["__interrupt__"]] == ["which?"]
    two = graph().compile(checkpointer=StateCheckpointSaver(session))
    values = asyncio.run(two.ainvoke(Command(resume="it is"), config()))
    assert values["count"] == 2
    assert values["place"] == Place("Bern")
    assert [each.content for each in values["messages"]] == ["hi", "Bern it is"]


def test_types_that_no_state_declares_are_not_rebuilt(session: FakeSession) -> None:
    made = graph().compile(checkpointer=StateCheckpointSaver(session))
    made.invoke({"messages": [], "count": 1}, config())
    raw = StateCheckpointSaver(session).get_tuple(config())
    assert raw is not None
    assert raw.checkpoint["channel_values"]["place"] == {"name": "Bern"}


def test_what_needs_pickle_is_refused(session: FakeSession) -> None:
    saver = StateCheckpointSaver(session)
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"odd": lambda: None}
    with pytest.raises(TypeMismatch, match="cannot be kept: .*function"):
        saver.put({"configurable": {"thread_id": "t", "checkpoint_ns": ""}}, checkpoint, {}, {})
    assert not session.kept


def test_a_type_of_value_that_could_run_code_is_refused(session: FakeSession) -> None:
    saver = StateCheckpointSaver(session)
    checkpoint = empty_checkpoint()
    at = saver.put({"configurable": {"thread_id": "t", "checkpoint_ns": ""}}, checkpoint, {}, {})
    name = next(name for name in session.kept if name.endswith(checkpoint["id"]))
    document = session.get(name)
    session.set(name, {**document, "checkpoint": {"type": "pickle", "data": b"x"}})
    with pytest.raises(InvalidArgument, match="checkpoint of type 'pickle', expected one of null"):
        saver.get_tuple(at)


def test_only_the_newest_checkpoints_are_kept(session: FakeSession) -> None:
    saver = StateCheckpointSaver(session, keep=3)
    at: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    ids = []
    for step in range(8):
        checkpoint = empty_checkpoint()
        ids.append(checkpoint["id"])
        at = saver.put(at, checkpoint, {"step": step}, {})
        saver.put_writes(at, [("a", step)], "task")
    found = [each.checkpoint["id"] for each in saver.list(config())]
    assert found == ids[:-4:-1]
    # Index, checkpoints and their writes, and nothing else.
    assert len(session.kept) == 1 + 3 + 3


def test_any_text_names_a_thread_and_none_sees_another(session: FakeSession) -> None:
    saver = StateCheckpointSaver(session)
    names = ["t", "t.1", "T ü/%*", "x-" + "0" * 32, "root", "a" * 300, "*"]
    for name in names:
        at = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
        saver.put(at, empty_checkpoint(), {"whose": name}, {})
    for name in names:
        found = list(saver.list(config(name)))
        assert [each.metadata["whose"] for each in found] == [name]
    saver.delete_thread("*")
    assert {each.metadata["whose"] for each in saver.list(None)} == {*names} - {"*"}


def test_a_thread_without_a_name_is_refused(session: FakeSession) -> None:
    with pytest.raises(InvalidArgument, match="thread missing"):
        StateCheckpointSaver(session).get_tuple({"configurable": {}})


def test_a_checkpoint_that_no_index_names_is_as_if_it_was_never_written(
    session: FakeSession,
) -> None:
    saver = StateCheckpointSaver(session)
    at: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    first = saver.put(at, empty_checkpoint(), {}, {})
    index = next(name for name in session.kept if name.endswith(".index"))
    before = session.get(index)
    saver.put(first, empty_checkpoint(), {}, {})
    session.set(index, before)
    assert saver.get_tuple(config()).config == first
