"""Agents as data: from a document to LangChain's own agent graph (`create_agent`).

It owns the document's keys, the form of an agent's input and output, and the choice how a
structured answer is asked for. It must not know how a graph is run or where its threads are kept.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.checkpoint.base import BaseCheckpointSaver

from snakepit_bridge.errors import InvalidArgument, ResourceExhausted

from .checks import Fields
from .forms import Form
from .messages import from_words
from .models import build_model
from .tools import Known, host_tools

__all__ = ["Agent", "agent_input", "build_agent", "build_agent_step"]


@dataclass(frozen=True, slots=True)
class Agent:
    """A built agent: its graph, how many supersteps it may take, and the form of its answer."""

    graph: Any
    recursion_limit: int
    form: Form | None
    place: str

    def with_saver(self, saver: BaseCheckpointSaver | None) -> Any:
        """The graph, with its threads kept by `saver`."""
        graph = copy.copy(self.graph)
        graph.checkpointer = saver
        return graph

    def structured(self, values: dict[str, Any]) -> Any:
        """The structured answer in the agent's state, checked; None where none was asked for."""
        if self.form is None:
            return None
        if "structured_response" not in values:
            raise ResourceExhausted(
                f"{self.place} ended without a structured answer", retryable=False
            )
        answer = values["structured_response"]
        self.form.check(answer)
        return answer


def build_agent(
    fields: Fields,
    known: Known,
    lm: dict[str, Any] | None,
) -> Agent:
    """The agent of a document. Raises `InvalidArgument` naming the place at fault."""
    settings = fields.take("lm", dict, "settings of a language model", lm)
    if settings is None:
        raise InvalidArgument(f"{fields.at('lm')} missing, expected it here or in the call")
    model = build_model(settings, fields.at("lm"))
    tools = host_tools(fields.texts("tools", []), known, fields.at("tools"))
    form = fields.form("response_schema", None)
    max_steps = fields.number("max_steps", 1, _STEPS_MAX, _STEPS)
    if tools:
        # Asked here, so that a model without tools is refused before anything runs.
        _ = model.bind_tools(tools)
    graph = create_agent(
        model,
        tools,
        system_prompt=fields.text("system_prompt", None),
        response_format=None if form is None else _strategy(form, settings),
    )
    # Each request to the model but the last is followed by a superstep of tools.
    return Agent(graph, 2 * max_steps, form, fields.place)


def build_agent_step(fields: Fields, known: Known, lm: dict[str, Any] | None) -> Runnable[Any, Any]:
    """An agent as a step: a text, messages or `{"messages"}` in, its last message or its
    structured answer out."""
    agent = build_agent(fields, known, lm)

    async def begin(given: Any) -> dict[str, Any]:
        words = given.get("messages") if isinstance(given, dict) else given
        if hasattr(words, "to_messages"):
            words = words.to_messages()
        return agent_input(words, f"input of {agent.place}")

    async def end(values: dict[str, Any]) -> Any:
        return values["messages"][-1] if agent.form is None else agent.structured(values)

    running = agent.graph.with_config(recursion_limit=agent.recursion_limit)
    return RunnableLambda(begin) | running | RunnableLambda(end)


def agent_input(words: Any, place: str) -> dict[str, Any]:
    """What an agent's graph is given: the messages of a text, of words, or as they are."""
    if isinstance(words, BaseMessage):
        words = [words]
    if isinstance(words, list) and words and all(isinstance(each, BaseMessage) for each in words):
        return {"messages": words}
    return {"messages": from_words(words, place)}


def _strategy(form: Form, settings: dict[str, Any]) -> Any:
    if "response_format" in (settings.get("supports") or ()):
        return ProviderStrategy(form.titled())
    return ToolStrategy(form.titled())


_STEPS = 20
_STEPS_MAX = 1000
