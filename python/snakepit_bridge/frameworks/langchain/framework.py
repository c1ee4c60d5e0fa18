"""The `langchain` framework: its operations, each one run of a pipeline, an agent or a graph.

It owns the order of a call: find the document, ask the host for its tools, build, run, report.
Nothing that a later call needs is kept: threads are in the session's variables, so any worker goes
on with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import langchain
from langchain_core.runnables import Runnable, RunnableConfig

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument
from snakepit_bridge.frameworks.base import Framework, operation

from . import checkpoint_store, threads
from .agents import Agent, agent_input, build_agent
from .built import BuiltCache, relevant, tool_names
from .checkpoints import CHECKPOINTS_KEPT, StateCheckpointSaver
from .checks import Fields
from .documents import Resolved, resolve
from .faults import faults
from .graphs import Graphs
from .pipeline import Needs, build_pipeline
from .running import Usage, run_events, run_graph, run_pipeline
from .schemas import OPTIONS, schema
from .tools import known_tools
from .wire import failure, plain, schema_of

__all__ = ["LangChainFramework"]

Thing = TypeVar("Thing")


class LangChainFramework(Framework):
    """LangChain and LangGraph: pipelines and agents from documents, graphs of configured modules,
    with the host as language model and tools.

    Options: `graphs`, `{"name": "module:attribute"}`; `checkpoints_kept`, of each thread.
    """

    id = "langchain"
    options_schema = OPTIONS

    def version(self) -> str:
        return langchain.__version__

    def start(self, options: dict[str, Any]) -> None:
        fields = Fields(options, "options")
        graphs = fields.take("graphs", dict, '{"name": "module:attribute"}', {})
        for name, place in graphs.items():
            if not isinstance(place, str):
                raise InvalidArgument(f"option graphs.{name}, expected module:attribute")
        self._kept = fields.number("checkpoints_kept", 1, _KEPT_MAX, CHECKPOINTS_KEPT)
        fields.end()
        self._graphs = Graphs(graphs)
        self._cache = BuiltCache()

    @operation(**schema("invoke"))
    async def invoke(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Runs a pipeline. In a stream, pieces of its output come first: `token`, `tool_call` and
        `output` chunks."""
        with faults():
            found, runnable = await self._pipeline(ctx, parameters)
            usage = Usage()
            config = RunnableConfig(callbacks=[usage])
            output = await run_pipeline(runnable, parameters["input"], config, ctx)
            return {"output": plain(output), "pipeline": found.origin(), **usage.totals()}

    @operation(**schema("batch"))
    async def batch(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Runs a pipeline over many inputs, several at a time. In a stream, each result is an
        `item` chunk as soon as it is there."""
        with faults():
            found, runnable = await self._pipeline(ctx, parameters)
            usage = Usage()
            limit = parameters.get("max_concurrency", _CONCURRENCY)
            config = RunnableConfig(callbacks=[usage], max_concurrency=limit)
            collect = parameters.get("on_error") == "collect"
            results = await _batch(runnable, parameters["inputs"], config, ctx, collect)
            failed = sum("error" in each for each in results)
            origin = found.origin()
            return {"results": results, "failed": failed, "pipeline": origin, **usage.totals()}

    @operation(**schema("events"))
    async def events(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Runs a pipeline and shows everything that happens in it, as LangChain's events (version
        2), each an `event` chunk."""
        with faults():
            found, runnable = await self._pipeline(ctx, parameters)
            usage = Usage()
            chosen = {
                name: value
                for name, value in parameters.items()
                if name.startswith(("include_", "exclude_"))
            }
            config = RunnableConfig(callbacks=[usage])
            output = await run_events(runnable, parameters["input"], config, ctx, **chosen)
            return {"output": plain(output), "pipeline": found.origin(), **usage.totals()}

    @operation(**schema("describe"), idempotent=True)
    async def describe(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Builds a pipeline without running it, and tells what goes in and what comes out."""
        with faults():
            found, runnable = await self._pipeline(ctx, parameters)
            drawn = runnable.get_graph()
            return {
                "input_schema": schema_of(runnable.get_input_jsonschema),
                "output_schema": schema_of(runnable.get_output_jsonschema),
                "steps": [node.name for node in drawn.nodes.values()],
                "pipeline": found.origin(),
            }

    @operation(**schema("agent"))
    async def agent(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Runs an agent that calls host tools until it has an answer. With a thread it goes on
        where the thread is."""
        with faults():
            found = await resolve(parameters["agent"], ctx.session, "agent")
            made = await self._built(ctx, found, parameters, _agent)
            thread = parameters.get("thread")
            graph = made.with_saver(self._saver(ctx, thread))
            usage = Usage()
            config = threads.config(thread, usage, made.recursion_limit)
            given = parameters["input"]
            if given is not None:
                given = agent_input(given, "input")
            elif thread is None:
                raise InvalidArgument("input null without thread, expected a text or messages")
            modes = parameters.get("modes", _MODES)
            more = threads.durability(thread, parameters)
            values, _ = await run_graph(graph, given, config, ctx, modes, **more)
            messages = values["messages"]
            return {
                "output": str(messages[-1].text),
                "structured": plain(made.structured(values)),
                "messages": plain(messages),
                "agent": found.origin(),
                **usage.totals(),
            }

    @operation(**schema("graphs"), idempotent=True)
    async def graphs(self, ctx: CallContext) -> dict[str, Any]:
        """The configured graphs, with their nodes and schemas."""
        return {"graphs": self._graphs.describe()}

    @operation(**schema("graph_invoke"))
    async def graph_invoke(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Runs a configured graph. With a thread its checkpoints are kept, and it goes on where the
        thread is, or at a checkpoint of it."""
        with faults():
            return await self._run(ctx, parameters, parameters["input"])

    @operation(**schema("graph_resume"))
    async def graph_resume(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Answers what a graph waits for, and goes on with it."""
        with faults():
            graph, config = self._at(ctx, parameters, None)
            waiting = list((await graph.aget_state(config)).interrupts)
            return await self._run(ctx, parameters, threads.command(parameters, waiting))

    @operation(**schema("graph_state"), idempotent=True)
    async def graph_state(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """The state of a thread: its values, what comes next, and what it waits for."""
        with faults():
            graph, config = self._at(ctx, parameters, parameters.get("checkpoint"))
            return threads.state(await graph.aget_state(config))

    @operation(**schema("graph_history"), idempotent=True)
    async def graph_history(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """The states that a thread has had, newest first."""
        with faults():
            graph, config = self._at(ctx, parameters, None)
            before = parameters.get("before")
            until = None if before is None else threads.config(parameters["thread"], at=before)
            limit = parameters.get("limit", _HISTORY)
            found = graph.aget_state_history(config, before=until, limit=limit)
            return {"states": [threads.state(each) async for each in found]}

    @operation(**schema("graph_update"))
    async def graph_update(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Writes into the state of a thread, as one of its nodes would."""
        with faults():
            graph, config = self._at(ctx, parameters, parameters.get("checkpoint"))
            as_node = parameters.get("as_node")
            made = await graph.aupdate_state(config, parameters["values"], as_node=as_node)
            return {"checkpoint": made["configurable"]["checkpoint_id"]}

    @operation(**schema("threads"), idempotent=True)
    async def threads(self, ctx: CallContext) -> dict[str, Any]:
        """The threads that the session keeps, with their newest checkpoints."""
        return {"threads": await checkpoint_store.arun(checkpoint_store.threads(), ctx.session)}

    @operation(**schema("delete_thread"), idempotent=True)
    async def delete_thread(self, ctx: CallContext, thread: str) -> None:
        """Drops a thread with all its checkpoints."""
        await StateCheckpointSaver(ctx.session).adelete_thread(thread)

    async def _pipeline(
        self, ctx: CallContext, parameters: dict[str, Any]
    ) -> tuple[Resolved, Runnable[Any, Any]]:
        found = await resolve(parameters["pipeline"], ctx.session, "pipeline")
        return found, await self._built(ctx, found, parameters, build_pipeline)

    async def _built(
        self,
        ctx: CallContext,
        found: Resolved,
        parameters: dict[str, Any],
        build: Callable[[dict[str, Any], Needs], Thing],
    ) -> Thing:
        """What `build` makes of a document, or has made of an equal one with equal tools."""
        names, lm = tool_names(found.document), parameters.get("lm")
        known = await known_tools(ctx.session.tools) if names else {}
        parts = [build.__name__, found.document, lm, relevant(names, known)]
        return self._cache.get(parts, lambda: build(found.document, Needs(known, lm)))

    async def _run(
        self, ctx: CallContext, parameters: dict[str, Any], given: Any
    ) -> dict[str, Any]:
        thread = parameters.get("thread")
        if thread is None and parameters.get("checkpoint") is not None:
            raise InvalidArgument("checkpoint without thread, expected the thread it belongs to")
        graph = self._graphs.with_saver(parameters["graph"], self._saver(ctx, thread))
        usage = Usage()
        limit = parameters.get("recursion_limit", _LIMIT)
        config = threads.config(thread, usage, limit, at=parameters.get("checkpoint"))
        modes = parameters.get("modes", _MODES)
        more = threads.durability(thread, parameters)
        values, interrupts = await run_graph(graph, given, config, ctx, modes, **more)
        return {"output": plain(values), "interrupts": plain(interrupts), **usage.totals()}

    def _at(self, ctx: CallContext, parameters: dict[str, Any], at: str | None) -> tuple[Any, Any]:
        thread = parameters["thread"]
        graph = self._graphs.with_saver(parameters["graph"], self._saver(ctx, thread))
        return graph, threads.config(thread, at=at)

    def _saver(self, ctx: CallContext, thread: str | None) -> StateCheckpointSaver | None:
        return None if thread is None else StateCheckpointSaver(ctx.session, keep=self._kept)


def _agent(document: dict[str, Any], needs: Needs) -> Agent:
    fields = Fields(document, "agent")
    fields.choice("kind", ("agent",), "agent")
    made = build_agent(fields, needs.tools, needs.lm)
    fields.end()
    return made


async def _batch(
    runnable: Runnable[Any, Any],
    inputs: list[Any],
    config: RunnableConfig,
    ctx: CallContext,
    collect: bool,
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = [{} for _ in inputs]
    done = runnable.abatch_as_completed(inputs, config, return_exceptions=collect)
    async for index, output in done:
        failed = isinstance(output, BaseException)
        result = {"error": failure(output)} if failed else {"output": plain(output)}
        results[index] = result
        await ctx.aemit({"type": "item", "index": index, **result})
    return results


_KEPT_MAX = 10_000
_CONCURRENCY = 16
_HISTORY = 20
_LIMIT = 25
_MODES = ["messages", "updates"]
