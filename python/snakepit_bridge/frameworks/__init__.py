"""Framework adapters: the base class, the built-in ones, and the way to third-party ones.

Owns the lookup from a configured id to its class. Built-in ids are fixed; every other id comes from
the entry point group `snakepit_bridge.frameworks`. Nothing here is driven by the wire.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from .base import Framework, Operation, operation


class FrameworkLoadError(Exception):
    """A configured framework cannot be loaded; the message says which and why, the cause has the
    details.
    """


def load(framework_id: str) -> Framework:
    """A new adapter of that id, not started. Raises `FrameworkLoadError`."""
    try:
        kind = _class_of(framework_id)
        framework = kind()
    except FrameworkLoadError:
        raise
    except Exception as fault:
        raise FrameworkLoadError(f"framework {framework_id!r} cannot be loaded: {fault}") from fault
    if not isinstance(framework, Framework):
        raise FrameworkLoadError(f"framework {framework_id!r} is not a subclass of Framework")
    if framework.id != framework_id:
        message = f"framework {framework_id!r} calls itself {framework.id!r}, expected the same id"
        raise FrameworkLoadError(message)
    return framework


def _class_of(framework_id: str) -> Any:
    if framework_id in BUILT_IN:
        module, name = BUILT_IN[framework_id]
        return getattr(importlib.import_module(module), name)
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=framework_id)
    if not found:
        known = ", ".join(sorted({*BUILT_IN, *_installed()}))
        raise FrameworkLoadError(f"framework {framework_id!r} is not installed; known are {known}")
    if len(found) > 1:
        places = ", ".join(sorted(point.value for point in found))
        raise FrameworkLoadError(f"framework {framework_id!r} is installed twice: {places}")
    return next(iter(found)).load()


def _installed() -> set[str]:
    return {point.name for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}


ENTRY_POINT_GROUP = "snakepit_bridge.frameworks"

BUILT_IN = {
    "python": ("snakepit_bridge.frameworks.python", "PythonFramework"),
    "tools": ("snakepit_bridge.frameworks.tools", "ToolsFramework"),
    "dspy": ("snakepit_bridge.frameworks.dspy", "DSPyFramework"),
    "langchain": ("snakepit_bridge.frameworks.langchain", "LangChainFramework"),
    "transformers": ("snakepit_bridge.frameworks.transformers", "TransformersFramework"),
}

__all__ = ["Framework", "FrameworkLoadError", "Operation", "load", "operation"]
