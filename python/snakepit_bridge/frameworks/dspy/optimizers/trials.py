"""What an optimizer has tried: the candidates with their scores, and how far the current evaluation
is.

It owns the list that the result carries, and its limits. It must not know who evaluates.
"""

from __future__ import annotations

import threading
from typing import Any

import dspy

__all__ = ["Trials"]


class Trials:
    """The trials of one run. May be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: list[dict[str, Any]] = []
        self._count = 0
        self._best: float | None = None
        self._last: float | None = None
        self._done = 0
        self._total: int | None = None

    def begins(self, examples: int) -> None:
        """An evaluation of so many examples begins."""
        with self._lock:
            self._done, self._total = 0, examples

    def judged(self) -> None:
        """One example has its score."""
        with self._lock:
            self._done += 1

    def add(self, program: dspy.Module, score: float | None, examples: int) -> None:
        """A candidate and its score in percent."""
        with self._lock:
            self._count += 1
            self._last = score
            if score is not None and (self._best is None or score > self._best):
                self._best = score
            if len(self._told) < _TRIALS_MAX:
                self._told.append(
                    {
                        "trial": self._count,
                        "score": score,
                        "examples": examples,
                        "predictors": _described(program),
                    }
                )

    def told(self) -> list[dict[str, Any]]:
        """The trials as the result carries them, in order."""
        with self._lock:
            return list(self._told)

    def state(self) -> dict[str, Any]:
        """Where it stands: `done` of `total` examples of the current evaluation."""
        with self._lock:
            total = self._total
            # Some optimizers judge outside of an evaluation; what is done is then of no total.
            known = total is not None and self._done <= total
            return {
                "trial": self._count,
                "score": self._last,
                "best": self._best,
                "done": self._done,
                "total": total if known else None,
            }


def _described(program: dspy.Module) -> dict[str, dict[str, Any]]:
    """What sets a candidate apart from others: instructions, and how many demonstrations."""
    return {
        name: {
            "instructions": predictor.signature.instructions[:_INSTRUCTIONS_CHARS_MAX],
            "demos": len(predictor.demos),
        }
        for name, predictor in program.named_predictors()
    }


_TRIALS_MAX = 1000
_INSTRUCTIONS_CHARS_MAX = 2000
