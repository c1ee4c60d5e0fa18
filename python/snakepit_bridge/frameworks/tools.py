"""The framework `tools`: functions that are offered with `@snakepit_bridge.tool`.

Owns its options, the import of the configured modules and what is announced of a tool beside an
operation. Nothing is loaded by a name from the wire. Must not know who calls a tool: the host does,
by name, and so does Python through the host.
"""

from __future__ import annotations

import importlib
import platform
from typing import Any, ClassVar

from ..tool_functions import RegisteredTool, registered
from .base import Framework, Operation
from .python import PythonFramework


class ToolsFramework(Framework):
    """Python tools, registered with `@snakepit_bridge.tool`.

    Options: `modules`, a list of importable module names. Tools of modules that other frameworks
    of the worker have imported before are served as well.
    """

    id: ClassVar[str] = "tools"
    options_schema: ClassVar[dict[str, Any] | None] = PythonFramework.options_schema

    def __init__(self) -> None:
        self._tools: dict[str, RegisteredTool] = {}

    def version(self) -> str:
        """The version of Python itself."""
        return platform.python_version()

    def start(self, options: dict[str, Any]) -> None:
        """Imports the configured modules."""
        unknown = sorted(set(options) - {"modules"})
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}, expected modules")
        modules = options.get("modules", [])
        if not isinstance(modules, list) or not all(isinstance(name, str) for name in modules):
            raise ValueError("modules is not a list of module names")
        for name in modules:
            importlib.import_module(name)
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
