"""What a streaming call shows while it runs: tokens of text fields and status messages, in the
order they happen.

It owns the sink that DSPy's language model layer sends pieces to, and the chunk documents. DSPy's
`streamify` is not used: it runs the program in a second task which outlives a reader that goes
away, and its status callbacks block the event loop until the stream has room, which only that loop
could make. It must not know operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio.from_thread
import dspy

from snakepit_bridge.context import CallContext

from .abort import ending
from .fields import FieldReader

__all__ = ["report", "report_waiting", "streamed"]


@contextmanager
def streamed(module: dspy.Module, adapter: str, ctx: CallContext) -> Iterator[None]:
    """Shows what `module` does inside to the caller of `ctx`, who sets the pace: a model that is
    ahead of its reader waits.
    """
    readers = [_Reader(predictor, adapter) for predictor in module.predictors()]
    heard = [reader for reader in readers if reader.fields]
    if not heard:
        yield
        return
    # DSPy streams the predictors that have a listener and asks for whole answers in the others.
    with dspy.context(send_stream=_Sink(heard, ctx), stream_listeners=heard):
        yield


async def report(message: str, **facts: Any) -> None:
    """Shows something that happened between tokens: `message` is for people, `facts` for programs.
    Nothing happens when the call is not streamed.
    """
    sink = dspy.settings.send_stream
    if sink is not None:
        await sink.show({"type": "status", "message": message, **facts})


def report_waiting(message: str, **facts: Any) -> None:
    """As `report`, from a thread that `in_thread` started."""
    sink = dspy.settings.send_stream
    if sink is not None:
        anyio.from_thread.run(sink.show, {"type": "status", "message": message, **facts})


class _Reader:
    """Follows the answers to one predictor, however often it runs (an agent's runs for each
    step).
    """

    def __init__(self, predictor: Any, adapter: str) -> None:
        self.predict = predictor
        outputs = predictor.signature.output_fields
        self.fields = [name for name, info in outputs.items() if info.annotation is str]
        self._reader = FieldReader(adapter, self.fields)

    def read(self, choice: Any) -> list[tuple[str, str]]:
        return self._reader.feed(choice.delta.content or "", choice.finish_reason is not None)


class _Sink:
    """Where DSPy sends each piece of an answer."""

    def __init__(self, readers: list[_Reader], ctx: CallContext) -> None:
        self._readers = {id(reader.predict): reader for reader in readers}
        self._ctx = ctx

    async def send(self, piece: Any) -> None:
        """Called by DSPy. `predict_id` names the predictor that asked."""
        reader = self._readers.get(piece.predict_id)
        if reader is None or not piece.choices:
            return
        for field, text in reader.read(piece.choices[0]):
            await self.show({"type": "token", "field": field, "text": text})

    async def show(self, chunk: dict[str, Any]) -> None:
        with ending(self._ctx):
            await self._ctx.aemit(chunk)
