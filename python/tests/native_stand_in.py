"""A stand-in for `snakepit_bridge._native` in plain Python, for tests without the built extension.

Owns the exceptions, `scan` and `Encoder` by the rules of `_native.pyi`. The real extension is
preferred when it is there; conftest.py decides. Must not be imported by the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable


class LinkClosed(ConnectionError):
    """The link is gone."""


class CallCancelled(Exception):
    """The call was cancelled."""

    def __init__(self, reason: int) -> None:
        super().__init__(f"cancelled with reason {reason}")
        self.reason = reason


class ValueRefused(ValueError):
    """The object has no form as a value."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(fault)
        self.path = path


class Encoder:
    """Asks `scan` first."""

    def __init__(self, dumps: Callable[[object, None, int], bytes], options: int) -> None:
        self._dumps = dumps
        self._options = options

    def encode(self, value: object) -> bytes | None:
        """None for what is not plain."""
        try:
            return self._dumps(value, None, self._options) if scan(value) == 0 else None
        except (TypeError, ValueRefused):
            return None


def scan(obj: object, path: str = "$", depth: int = 1) -> int:
    """0 for a plain JSON tree, 1 for anything else."""
    kind = type(obj)
    if obj is None or kind in (bool, str):
        return 0
    if kind is int:
        if not -(2**63) <= obj < 2**64:
            raise ValueRefused(path, "integer does not fit 64 bits")
        return 0
    if kind is float:
        if not math.isfinite(obj):
            raise ValueRefused(path, "number is not finite")
        return 0
    if kind not in (list, dict):
        return 1
    if depth > 64:
        raise ValueRefused(path, "document is nested deeper than 64")
    if kind is list:
        steps = [(f"[{index}]", item) for index, item in enumerate(obj)]
    else:
        if any(type(key) is not str or key.endswith("$spb") for key in obj):
            return 1
        steps = [(f".{key}", item) for key, item in obj.items()]
    return max((scan(item, path + step, depth + 1) for step, item in steps), default=0)
