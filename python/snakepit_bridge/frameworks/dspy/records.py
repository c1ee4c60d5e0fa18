"""What a call's language models did: how many requests, their tokens, and what was said.

It owns the record of one call, which DSPy's settings carry into every thread that DSPy starts, and
its limits. It must not know operations, or how a language model is asked.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dspy
import orjson
from dspy.utils.usage_tracker import UsageTracker

__all__ = [
    "HISTORY_ENTRIES_MAX",
    "Record",
    "current_record",
    "model_name",
    "plain_counts",
    "recording",
    "told_name",
]


class Record:
    """Requests of one call; safe to be used by several threads at once."""

    def __init__(self, history: bool = False) -> None:
        self.lm_calls = 0
        self.keeps_history = history
        self.usage_tracker = _Usage()
        self._lock = threading.Lock()
        self._history: deque[bytes] = deque()
        self._history_bytes = 0
        self._dropped = 0

    def asked(self) -> None:
        """One more request to a language model; retries of one are not among them."""
        with self._lock:
            self.lm_calls += 1

    def told(self, entry: dict[str, Any]) -> None:
        """Keeps what was asked and answered, the newest within the limits."""
        # As it is now, and as a result can have it: DSPy goes on with these objects.
        kept = orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS)
        with self._lock:
            self._history.append(kept)
            self._history_bytes += len(kept)
            while (
                len(self._history) > HISTORY_ENTRIES_MAX or self._history_bytes > HISTORY_BYTES_MAX
            ):
                self._history_bytes -= len(self._history.popleft())
                self._dropped += 1

    def report(self) -> dict[str, Any]:
        """The keys that a result has of it: tokens together and for each model, requests, and the
        history if it was asked for."""
        by_model = self.usage_tracker.counts()
        report: dict[str, Any] = {
            "usage": plain_counts(by_model.values()),
            "usage_by_model": by_model,
            "lm_calls": self.lm_calls,
        }
        if self.keeps_history:
            report["history"] = [orjson.loads(entry) for entry in self._history]
            report["history_dropped"] = self._dropped
        return report


@contextmanager
def recording(record: Record) -> Iterator[Record]:
    """Everything that language models do inside goes to `record`."""
    settings = {
        _KEY: record,
        "usage_tracker": record.usage_tracker,
        # DSPy would keep the last ten thousand requests for the whole process; a model of ours
        # takes its history from DSPy by `update_history` instead.
        "disable_history": not record.keeps_history,
    }
    with dspy.context(**settings):
        yield record


def current_record() -> Record | None:
    """The record of the call that DSPy runs for here."""
    record: Record | None = dspy.settings.get(_KEY)
    return record


def model_name(name: str) -> str:
    """What DSPy is to call a model of the host. It reads rules of particular providers out of
    names; the host's own names are not its business."""
    return f"{_PREFIX}{name.replace('/', _SLASH)}"


def told_name(model: str) -> str:
    """The name that the caller gave to what DSPy calls `model`."""
    if not model.startswith(_PREFIX):
        return model
    return model.removeprefix(_PREFIX).replace(_SLASH, "/")


class _Usage(UsageTracker):
    """DSPy's, but one for all threads: DSPy gives each a copy, whose counts would be lost."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: Any) -> _Usage:
        return self

    def add_usage(self, lm: str, usage_entry: dict[str, Any]) -> None:
        """Called by DSPy for each answer."""
        with self._lock:
            super().add_usage(lm, usage_entry)

    def counts(self) -> dict[str, dict[str, int]]:
        """The token counts of each model; a count that nobody reported is left out, not zero."""
        with self._lock:
            return {
                told_name(model): counts
                for model, entries in self.usage_data.items()
                if (counts := plain_counts(entries))
            }


def plain_counts(entries: Iterable[dict[str, Any]]) -> dict[str, int]:
    """The token counts of several answers together."""
    totals: dict[str, int] = {}
    for entry in entries:
        for name in _COUNTS:
            if (count := entry.get(name)) is not None:
                totals[name] = totals.get(name, 0) + count
    return totals


_KEY = "snakepit_bridge_record"
_PREFIX = "host_tool/lm:"
# DSPy takes what stands behind the last slash for the family of a model.
_SLASH = "\u2215"
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
HISTORY_ENTRIES_MAX = 1000
HISTORY_BYTES_MAX = 8 * 1024 * 1024
