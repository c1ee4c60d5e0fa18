"""The framework `tools`: functions that are offered with `@snakepit_bridge.tool`.

Owns what is announced of a tool beside an operation; options and imports are those of the framework
`python`. Nothing is loaded by a name from the wire. Must not know who calls a tool: the host does,
by name, and so does Python through the host.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..tool_functions import RegisteredTool, registered
from .base import Operation
from .python import PythonFramework


class ToolsFramework(PythonFramework):
    """Python tools, registered with `@snakepit_bridge.tool`.

    Options: `modules`, a list of importable module names. Tools of modules that other frameworks
    of the worker have imported before are served as well.
    """

    id: ClassVar[str] = "tools"

    def __init__(self) -> None:
        self._tools: dict[str, RegisteredTool] = {}

    def start(self, options: dict[str, Any]) -> None:
        """Imports the configured modules."""
        super().start(options)
        self._tools = registered()

    def operations(self) -> dict[str, Operation]:
        """The registered tools."""
        return {name: made.operation for name, made in self._tools.items()}

    def schema(self, operations: dict[str, Operation] | None = None) -> dict[str, Any]:
        """As of every framework; each operation also says, under `tool`, what it is held to."""
        document = super().schema(operations)
        for name, described in document["operations"].items():
            described["tool"] = self._tools[name].rules
        return document
