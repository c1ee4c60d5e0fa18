"""Runs: one pipeline or graph from its input to its result, with chunks on the way and what its
models have used.

It owns the form of chunks, the sum of usage, and that a run ends with its reader. It must not know
how what it runs was built.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.utils import AddableDict

from snakepit_bridge.context import CallContext

from .wire import plain, shown

__all__ = ["Usage", "run_events", "run_graph", "run_pipeline"]


class Usage(BaseCallbackHandler):
    """Counts requests to models and the tokens that they told of, for the run whose configuration
    holds it."""

    # On the thread that runs the model: a count is no work for another one.
    run_inline = True

    def __init__(self) -> None:
        self.calls = 0
        self._tokens: dict[str, int] = {}

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """LangChain's word that a model has answered."""
        self.calls += 1
        for generations in response.generations:
            for generation in generations:
                message = getattr(generation, "message", None)
                if isinstance(message, AIMessage):
                    self._add(message)

    def totals(self) -> dict[str, Any]:
        """For results. A count that no model told is left out, not zero."""
        return {"usage": dict(self._tokens), "lm_calls": self.calls}

    def _add(self, message: AIMessage) -> None:
        counts = message.response_metadata.get("usage")
        if not isinstance(counts, dict):
            told: Any = message.usage_metadata or {}
            counts = {mine: told[theirs] for mine, theirs in _COUNTS.items() if theirs in told}
        for name in _COUNTS:
            if isinstance(count := counts.get(name), int):
                self._tokens[name] = self._tokens.get(name, 0) + count


async def run_pipeline(
    runnable: Runnable[Any, Any], given: Any, config: RunnableConfig, ctx: CallContext
) -> Any:
    """The output of a pipeline; pieces of it are shown as they come."""
    if not ctx.streaming:
        return await runnable.ainvoke(given, config)
    output: Any = None
    async with aclosing(runnable.astream(given, config)) as pieces:
        async for piece in pieces:
            output = _joined(output, piece)
            for chunk in _chunks(piece):
                await ctx.aemit(chunk)
    return output


async def run_events(
    runnable: Runnable[Any, Any],
    given: Any,
    config: RunnableConfig,
    ctx: CallContext,
    **chosen: Any,
) -> Any:
    """The output of a run; everything that happens in it is shown as LangChain's events."""
    output: Any = None
    async with aclosing(runnable.astream_events(given, config, version="v2", **chosen)) as events:
        async for event in events:
            if event["event"] == "on_chain_end" and not event["parent_ids"]:
                output = event["data"].get("output")
            await ctx.aemit({"type": "event", **shown(_told(event))})
    return output


async def run_graph(
    graph: Any, given: Any, config: RunnableConfig, ctx: CallContext, modes: list[str], **more: Any
) -> tuple[Any, list[Any]]:
    """The last values of a graph and the interrupts it stopped at. `modes` says what is shown."""
    shows = set(modes) if ctx.streaming else set()
    values: Any = None
    interrupts: list[Any] = []
    wanted = sorted(shows | {"updates", "values"})
    async with aclosing(graph.astream(given, config, stream_mode=wanted, **more)) as parts:
        async for mode, part in parts:
            if mode == "values":
                values = part
            if mode == "updates" and "__interrupt__" in part:
                interrupts += part["__interrupt__"]
            if mode in shows:
                for chunk in _graph_chunks(mode, part):
                    await ctx.aemit(chunk)
    if isinstance(values, dict):
        values = {name: value for name, value in values.items() if name != "__interrupt__"}
    return values, interrupts


def _joined(output: Any, piece: Any) -> Any:
    """What the pieces so far come to: text and messages grow, and so do the parts of objects that
    several steps make at once; anything else is the newest state of a value that grows itself."""
    if isinstance(output, str) and isinstance(piece, str):
        return output + piece
    if isinstance(output, AIMessageChunk) and isinstance(piece, AIMessageChunk):
        return output + piece
    if isinstance(piece, AddableDict):
        before = output if isinstance(output, dict) else {}
        fresh = {key: _joined(before.get(key), value) for key, value in piece.items()}
        return AddableDict({**before, **fresh})
    return piece


def _chunks(piece: Any) -> list[dict[str, Any]]:
    """A text is a token; of a message also the calls that it begins or goes on with."""
    if isinstance(piece, str):
        return [{"type": "token", "text": piece}] if piece else []
    if not isinstance(piece, AIMessageChunk):
        return [{"type": "output", "value": plain(piece)}]
    return _message_chunks(piece, {})


def _message_chunks(piece: AIMessageChunk, more: dict[str, Any]) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    if piece.text:
        chunks.append({"type": "token", **more, "text": str(piece.text)})
    for call in piece.tool_call_chunks:
        told = {name: call.get(name) for name in ("index", "id", "name")}
        chunks.append({"type": "tool_call", **more, **told, "arguments": call.get("args")})
    return chunks


def _graph_chunks(mode: str, part: Any) -> list[dict[str, Any]]:
    if mode == "messages":
        message, metadata = part
        node = {"node": metadata.get("langgraph_node")}
        if isinstance(message, AIMessageChunk):
            return _message_chunks(message, node)
        return [{"type": "message", **node, "message": plain(message)}]
    if mode == "updates":
        return [_update(node, update) for node, update in part.items()]
    if mode == "values":
        return [{"type": "values", "values": plain(part)}]
    return [{"type": mode, "value": shown(part)}]


def _update(node: str, update: Any) -> dict[str, Any]:
    if node == "__interrupt__":
        return {"type": "interrupt", "interrupts": plain(list(update))}
    return {"type": "update", "node": node, "values": plain(update)}


def _told(event: Any) -> dict[str, Any]:
    """An event without what LangGraph keeps in its metadata for itself."""
    metadata = {
        name: value
        for name, value in event.get("metadata", {}).items()
        if not name.startswith("__") and (value is None or isinstance(value, (str, int, float)))
    }
    data = {name: _final(value) for name, value in event.get("data", {}).items()}
    return {**event, "metadata": metadata, "data": data}


def _final(value: Any) -> Any:
    return dict(value) if isinstance(value, AddableDict) else value


_COUNTS = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
}
