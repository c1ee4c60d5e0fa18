"""Host tools as LangChain's tools: described by the host, called through the session.

It owns the translation of a host tool's description and schema, and what an agent is told of a tool
that fails. The end of the whole call is not told to an agent: it ends it. It must not know agents
or graphs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from langchain_core.tools import BaseTool, StructuredTool, ToolException

from snakepit_bridge.context import current
from snakepit_bridge.ending import is_over
from snakepit_bridge.errors import BridgeError, InvalidArgument
from snakepit_bridge.tools import ToolInfo, Tools

__all__ = ["Known", "call_tool", "host_tool", "host_tools", "known_tools"]

Known = dict[str, ToolInfo]


async def known_tools(tools: Tools) -> Known:
    """The host tools that the running call may use, by name."""
    return {info.name: info for info in await tools.alist()}


def host_tools(names: Iterable[str], known: Known, place: str) -> list[BaseTool]:
    """LangChain's tools for those of the host, in that order. Raises `InvalidArgument` naming one
    that the host does not have, or that is named twice."""
    tools: list[BaseTool] = []
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name not in known:
            raise InvalidArgument(
                f"{place}[{index}]: no host tool {name!r}, expected one of {_listed(known)}"
            )
        if name in seen:
            raise InvalidArgument(f"{place}[{index}]: {name!r} given twice, expected names once")
        seen.add(name)
        info = known[name]
        tools.append(host_tool(name, info.description, info.input_schema))
    return tools


def host_tool(
    name: str,
    description: str = "",
    input_schema: dict[str, Any] | None = None,
    timeout_s: float | None = None,
) -> StructuredTool:
    """A LangChain tool that calls host tool `name` of the session whose call is running, for graphs
    that a module builds when it is imported."""

    async def acall(**arguments: Any) -> str:
        return _shown(await call_tool(name, arguments, timeout_s))

    def call(**arguments: Any) -> str:
        ctx = current()
        try:
            return _shown(ctx.session.tools.call(name, arguments, timeout=timeout_s))
        except BridgeError as error:
            raise _told(ctx, error) from error

    return StructuredTool.from_function(
        func=call,
        coroutine=acall,
        name=name,
        # A tool without a word about itself is refused by LangChain.
        description=description or f"The tool {name}.",
        args_schema=input_schema or {"type": "object", "properties": {}},
        infer_schema=False,
        handle_tool_error=True,
    )


async def call_tool(name: str, arguments: dict[str, Any], timeout_s: float | None) -> Any:
    """Calls a host tool for an agent, which is told of a failure; the end of the call is raised."""
    ctx = current()
    try:
        return await ctx.session.tools.acall(name, arguments, timeout=timeout_s)
    except BridgeError as error:
        raise _told(ctx, error) from error


def _told(ctx: Any, error: BridgeError) -> Exception:
    """What an agent gets to see of a failed tool, or the failure itself where it ends the call."""
    if is_over(ctx, error):
        return error
    return ToolException(f"{error.status.name}: {error.message}")


def _shown(result: Any) -> str:
    """A result as a model reads it: text as it is, everything else as JSON."""
    if isinstance(result, str):
        return result
    try:
        return orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except orjson.JSONEncodeError as error:
        raise ToolException(f"the tool's result has no form that can be read: {error}") from error


def _listed(known: Known) -> str:
    return ", ".join(repr(name) for name in sorted(known)) or "none registered"
