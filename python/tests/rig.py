"""A dispatcher on a fake link, with the operations that a test declares.

Owns starting and ending it. Must not contain assertions about behaviour.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from fake_link import WAIT, FakeLink
from snakepit_bridge.dispatch import Dispatcher
from snakepit_bridge.frameworks.base import OperationOptions, build_operation


class Rig:
    """The running dispatcher. `drained` is its verdict once `ended` is set."""

    def __init__(self, handlers: tuple[Any, ...], threads_max: int) -> None:
        self.link = FakeLink()
        self.ended = threading.Event()
        self.drained: bool | None = None
        made = [_operation(handler) for handler in handlers]
        operations = {"t": {each.name: each for each in made}}
        self.dispatcher = Dispatcher(self.link, operations, threads_max)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self, operation: str, call_id: int = 1, **more: Any) -> tuple[Any, ...]:
        """Delivers one call and waits for the next answer."""
        self.link.call(call_id, operation, **more)
        return self.link.answer()

    def request(self) -> Any:
        """The next request that a handler opens."""
        return self.link.opened.get(timeout=WAIT)

    def _run(self) -> None:
        self.drained = self.dispatcher.run()
        self.ended.set()


def inline(handler: Callable[..., Any]) -> tuple[Callable[..., Any], OperationOptions]:
    """Declares a handler as inline."""
    return handler, OperationOptions(inline=True, parameters={}, result={})


@contextlib.contextmanager
def rig(*handlers: Any, threads_max: int = 64) -> Iterator[Rig]:
    """A dispatcher for `handlers`, cut off at the end."""
    made = Rig(handlers, threads_max)
    try:
        yield made
    finally:
        made.link.cut()
        assert made.ended.wait(WAIT), "the dispatcher does not end"


def _operation(declared: Any) -> Any:
    handler, options = (
        declared
        if isinstance(declared, tuple)
        else (declared, OperationOptions(parameters={}, result={}))
    )
    return build_operation(handler, options, skip=1)
