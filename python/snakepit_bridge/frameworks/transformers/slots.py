"""One caller at a time for something that serves one, in the order they came.

Owns the line in front of it and its limit: who comes when it is full is told so. A caller that
waits looks at its own end (cancel, deadline) many times a second. Must not know models.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable

from snakepit_bridge.errors import ResourceExhausted

__all__ = ["POLL_SECONDS", "Slot"]


class Slot:
    """Taken with `take`, given back with `release`, from any thread."""

    def __init__(self, what: str, waiting_max: int) -> None:
        self._what = what
        self._waiting_max = waiting_max
        self._changed = threading.Condition()
        self._taken = False
        self._line: collections.deque[object] = collections.deque()

    def take(self, check: Callable[[], None]) -> None:
        """Waits for its turn. `check` raises when the caller should give up. Raises
        `ResourceExhausted` when the line is full.
        """
        own = object()
        with self._changed:
            if self._taken and len(self._line) >= self._waiting_max:
                raise ResourceExhausted(
                    f"{self._what} has {len(self._line)} calls waiting, at most "
                    f"{self._waiting_max} are kept",
                    details={"waiting": len(self._line), "waiting_max": self._waiting_max},
                )
            self._line.append(own)
            try:
                while self._taken or self._line[0] is not own:
                    self._changed.wait(POLL_SECONDS)
                    check()
                self._taken = True
            finally:
                self._line.remove(own)
                self._changed.notify_all()

    def take_if_free(self) -> bool:
        """Takes it without waiting, where nobody has or wants it."""
        with self._changed:
            if self._taken or self._line:
                return False
            self._taken = True
            return True

    def release(self) -> None:
        """The next in line may go."""
        with self._changed:
            self._taken = False
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    @property
    def busy(self) -> bool:
        """Whether somebody has it."""
        return self._taken


# How late a waiting caller may learn that it was cancelled.
POLL_SECONDS = 0.02
