"""snakepit-bridge in Python: what adapter authors and authors of plain functions import.

Owns the list of public names. Each is imported when it is first used, so that importing the package
costs next to nothing: a worker imports it before it knows what it will run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import Batch
    from .context import CallContext, current
    from .errors import (
        AlreadyExists,
        BridgeError,
        Busy,
        ConnectionClosed,
        ConstraintViolation,
        DeadlineExceeded,
        InvalidArgument,
        NotFound,
        OperationCancelled,
        RemotePythonError,
        ResourceExhausted,
        StateError,
        Status,
        ToolFailed,
        TypeMismatch,
        Unavailable,
        Unsupported,
        ValueRefused,
        VersionConflict,
        WouldDeadlock,
    )
    from .frameworks.base import Framework, operation
    from .functions import function
    from .hooks import ToolHooks
    from .locks import VariableLock
    from .session import Session
    from .tensor_hints import Tensor
    from .tool_functions import tool
    from .tools import AsyncToolStream, ToolInfo, Tools, ToolStream
    from .variables import Change, Lock, Past, Variable
    from .watches import Changes

_HOMES = {
    "context": ("CallContext", "current"),
    "errors": (
        "AlreadyExists",
        "BridgeError",
        "Busy",
        "ConnectionClosed",
        "ConstraintViolation",
        "DeadlineExceeded",
        "InvalidArgument",
        "NotFound",
        "OperationCancelled",
        "RemotePythonError",
        "ResourceExhausted",
        "StateError",
        "Status",
        "ToolFailed",
        "TypeMismatch",
        "Unavailable",
        "Unsupported",
        "ValueRefused",
        "VersionConflict",
        "WouldDeadlock",
    ),
    "frameworks.base": ("Framework", "operation"),
    "functions": ("function",),
    "hooks": ("ToolHooks",),
    "tool_functions": ("tool",),
    "batch": ("Batch",),
    "locks": ("VariableLock",),
    "session": ("Session",),
    "tensor_hints": ("Tensor",),
    "variables": ("Change", "Lock", "Past", "Variable"),
    "watches": ("Changes",),
    "tools": ("AsyncToolStream", "ToolInfo", "ToolStream", "Tools"),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AlreadyExists",
    "AsyncToolStream",
    "Batch",
    "BridgeError",
    "Busy",
    "CallContext",
    "Change",
    "Changes",
    "ConnectionClosed",
    "ConstraintViolation",
    "DeadlineExceeded",
    "Framework",
    "InvalidArgument",
    "Lock",
    "NotFound",
    "OperationCancelled",
    "Past",
    "RemotePythonError",
    "ResourceExhausted",
    "Session",
    "StateError",
    "Status",
    "Tensor",
    "ToolFailed",
    "ToolHooks",
    "ToolInfo",
    "ToolStream",
    "Tools",
    "TypeMismatch",
    "Unavailable",
    "Unsupported",
    "ValueRefused",
    "Variable",
    "VariableLock",
    "VersionConflict",
    "WouldDeadlock",
    "current",
    "function",
    "operation",
    "tool",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
