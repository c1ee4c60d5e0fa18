"""Host tools as an agent's tools: found by name, described by the host, called through the session
of the call that is running.

It owns the translation of a host tool's description and schema to `dspy.Tool`, and the status
messages around a call. A tool that fails is told to the agent (DSPy does that); the end of the
whole call is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dspy
from dspy.utils.callback import with_callbacks

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError
from snakepit_bridge.tools import ToolInfo

from .abort import ending
from .calls import current_call
from .checks import at, listed, refused
from .streaming import report, report_waiting

__all__ = ["HostTool", "host_tools", "known_tools"]


class HostTool(dspy.Tool):
    """A tool of the host, for agents on the event loop and on threads alike. `strict`: what fails
    is raised, not told to a language model as an observation.
    """

    strict: bool = False

    @classmethod
    def of(cls, info: ToolInfo, strict: bool = False) -> HostTool:
        """The tool that `info` describes. It holds nothing of a call."""
        name = info.name

        def call(**arguments: Any) -> Any:
            ctx = current_call()
            with ending(ctx):
                return ctx.session.tools.call(name, arguments)

        arguments = _arguments(info.input_schema or {})
        made = cls(func=call, name=name, desc=info.description, args=arguments, arg_types={})
        made.strict = strict
        return made

    @with_callbacks
    def __call__(self, **arguments: Any) -> Any:
        """Calls it and waits."""
        report_waiting("tool", f"calling {self.name}", tool=self.name)
        try:
            result = self.func(**self._validate_and_parse_args(**arguments))
        except BridgeError as error:
            report_waiting("tool", f"{self.name} failed: {error}", tool=self.name)
            return self._told(error)
        report_waiting("tool", f"{self.name} answered", tool=self.name)
        return result

    @with_callbacks
    async def acall(self, **arguments: Any) -> Any:
        """Calls it."""
        await report("tool", f"calling {self.name}", tool=self.name)
        try:
            parsed = self._validate_and_parse_args(**arguments)
            ctx = current_call()
            with ending(ctx):
                result = await ctx.session.tools.acall(str(self.name), parsed)
        except BridgeError as error:
            await report("tool", f"{self.name} failed: {error}", tool=self.name)
            return self._told(error)
        await report("tool", f"{self.name} answered", tool=self.name)
        return result

    def _told(self, error: BridgeError) -> str:
        if self.strict:
            raise error
        # DSPy's own words for it, but without the traceback: its frames are the bridge's, not the
        # tool's.
        return f"Execution error in {self.name}: {error}"


async def known_tools(ctx: CallContext) -> dict[str, ToolInfo]:
    """The tools that the host offers to this call, by name."""
    return {tool.name: tool for tool in await ctx.session.tools.alist()}


def host_tools(
    known: Mapping[str, ToolInfo], names: Iterable[str], place: str, strict: bool = False
) -> list[dspy.Tool]:
    """The `dspy.Tool`s for host tools `names`, in that order; `place` is where the names stand.
    Raises `Refused` for an unknown name."""
    made: dict[str, dspy.Tool] = {}
    for number, name in enumerate(names):
        if name not in known:
            expected = listed(sorted(known)) if known else "none registered"
            raise refused(place, f"no host tool `{name}`, expected one of {expected}")
        if name in _RESERVED and not strict:
            raise refused(
                at(place, number), f"host tool name `{name}`, expected another: agents end with it"
            )
        if name in made:
            raise refused(place, f"`{name}` given twice, expected distinct names")
        made[name] = HostTool.of(known[name], strict)
    return list(made.values())


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


_RESERVED = ("finish", "submit")
