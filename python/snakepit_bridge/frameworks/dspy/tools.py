"""Host tools as an agent's tools: found by name, described by the host, called through the session.

It owns the translation of a host tool's description and schema to `dspy.Tool`, and the status
messages around a call. A tool that fails is told to the agent (DSPy does that); the end of the
whole call is not.
"""

from __future__ import annotations

from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, InvalidArgument
from snakepit_bridge.tools import ToolInfo

from .abort import ending
from .streaming import report

__all__ = ["agent_tools"]


async def agent_tools(ctx: CallContext, names: list[str]) -> list[dspy.Tool]:
    """The `dspy.Tool`s for host tools `names`, in that order. Raises `InvalidArgument` for an
    unknown name."""
    known = {tool.name: tool for tool in await ctx.session.tools.alist()}
    for name in names:
        if name not in known:
            raise InvalidArgument(f"tools: no host tool `{name}`, expected one of {_listed(known)}")
        if name == _FINISH:
            raise InvalidArgument(
                f"tools: host tool name `{name}`, expected another: the agent ends its work with it"
            )
    if len(set(names)) != len(names):
        raise InvalidArgument("tools: a name given twice, expected distinct names")
    return [_tool(ctx, known[name]) for name in names]


def _tool(ctx: CallContext, info: ToolInfo) -> dspy.Tool:
    name = info.name

    async def call(**arguments: Any) -> Any:
        await report(f"calling {name}", tool=name)
        try:
            with ending(ctx):
                result = await ctx.session.tools.acall(name, arguments)
        except BridgeError as error:
            await report(f"{name} failed: {error}", tool=name)
            # DSPy's own words for it, but without the traceback: its frames are the bridge's, not
            # the tool's.
            return f"Execution error in {name}: {error}"
        await report(f"{name} answered", tool=name)
        return result

    arguments = _arguments(info.input_schema or {})
    return dspy.Tool(func=call, name=name, desc=info.description, args=arguments, arg_types={})


def _arguments(schema: dict[str, Any]) -> dict[str, Any]:
    """Each argument's own schema. An optional one says so in its description, for DSPy has no other
    word for it."""
    required = set(schema.get("required") or ())
    arguments = {}
    for name, argument in (schema.get("properties") or {}).items():
        shown = dict(argument) if isinstance(argument, dict) else {}
        if name not in required and "default" not in shown:
            shown["description"] = f"{shown.get('description', '')} (optional)".strip()
        arguments[name] = shown
    return arguments


def _listed(known: dict[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(known)) or "none registered"


_FINISH = "finish"
