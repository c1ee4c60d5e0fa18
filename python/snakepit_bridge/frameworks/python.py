"""The framework `python`: plain functions of the user's own modules.

Owns its options and the import of the configured modules. Nothing is loaded by a name from the
wire: what is not registered with `@snakepit_bridge.function` by a configured module does not exist
for a caller.
"""

from __future__ import annotations

import importlib
import platform
from typing import Any, ClassVar

from ..functions import registered
from .base import Framework, Operation


class PythonFramework(Framework):
    """Plain Python functions, registered with `@snakepit_bridge.function`.

    Options: `modules`, a list of importable module names.
    """

    id: ClassVar[str] = "python"
    options_schema: ClassVar[dict[str, Any] | None] = {
        "type": "object",
        "properties": {
            "modules": {
                "type": "array",
                "items": {"type": "string"},
                "default": [],
                "description": "The modules to import; what they register can be called.",
            }
        },
        "additionalProperties": False,
    }

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

    def operations(self) -> dict[str, Operation]:
        """The registered functions."""
        return registered()
