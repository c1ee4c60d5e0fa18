"""Graphs for the tests of the framework `langchain`, as a user's own module has them: built when it
is imported, with the host as model and tools of whichever call runs them.

It owns the graphs `survey`, `DOOMED`, `CHAT` and `PAIR`. Must not know who calls them.
"""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from snakepit_bridge.frameworks.langchain import HostChatModel, host_tool

MODEL = HostChatModel(tool="lm", model="small")
NOTE = host_tool("note", "Takes a note.")


@dataclass
class Place:
    """A type of the state's own."""

    name: str


class State(TypedDict, total=False):
    """What the graphs share."""

    question: str
    answer: str
    place: Place
    pids: Annotated[list[int], operator.add]
    steps: Annotated[list[str], operator.add]


def begin(state: State) -> dict[str, Any]:
    """A plain node: it runs on a thread, and blocks while the host takes the note."""
    NOTE.invoke({"text": "began"})
    get_stream_writer()({"began": state["question"]})
    return {"steps": ["begin"], "pids": [os.getpid()], "place": Place("Bern")}


def ask(state: State) -> dict[str, Any]:
    """Stops until somebody has answered."""
    which = interrupt({"ask": f"which {state['question']}?"})
    return {"steps": ["ask"], "question": which, "pids": [os.getpid()]}


async def answer(state: State) -> dict[str, Any]:
    """Asks the host's model."""
    message = await MODEL.ainvoke(f"{state['place'].name}: {state['question']}")
    return {"steps": ["answer"], "answer": message.text, "pids": [os.getpid()]}


async def doom(state: State) -> dict[str, Any]:
    """Tells the host which process it is, which may be the end of it."""
    await host_tool("doom").ainvoke({"pid": os.getpid()})
    return {"steps": ["doom"], "pids": [os.getpid()]}


def survey() -> StateGraph:
    """begin, ask, answer."""
    graph = StateGraph(State)
    for node in (begin, ask, answer):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "ask")
    graph.add_edge("ask", "answer")
    graph.add_edge("answer", END)
    return graph


def _doomed() -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("begin", begin)
    graph.add_node("doom", doom)
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "doom")
    graph.add_edge("doom", END)
    return graph


@tool
async def whereabouts() -> str:
    """Tells the host which process it is, which may be the end of it."""
    return await host_tool("doom").ainvoke({"pid": os.getpid()})


async def _left(state: State) -> dict[str, Any]:
    return {"steps": [interrupt("left?")]}


async def _right(state: State) -> dict[str, Any]:
    return {"steps": [interrupt("right?")]}


def _pair() -> Any:
    graph = StateGraph(State)
    graph.add_node("left", _left)
    graph.add_node("right", _right)
    graph.add_edge(START, "left")
    graph.add_edge(START, "right")
    return graph.compile().with_config(tags=["pair"])


CHAT = create_agent(MODEL, [whereabouts])
DOOMED = _doomed()
PAIR = _pair()
