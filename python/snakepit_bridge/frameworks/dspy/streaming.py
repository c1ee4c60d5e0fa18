"""What a streaming call shows while it runs: tokens of text fields and status messages, in the
order they happen.

It owns the sink that DSPy's language model layer sends pieces to, and the chunk documents. DSPy's
`streamify` is not used: it runs the program in a second task which outlives a reader that goes
away, and its status callbacks block the event loop until the stream has room, which only that loop
could make. It must not know operations.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import anyio.from_thread
import dspy
from dspy.utils.callback import BaseCallback

from snakepit_bridge.context import CallContext

from .abort import ending
from .fields import FieldReader

__all__ = [
    "STATUS_KINDS",
    "numbered",
    "numbered_waiting",
    "report",
    "report_waiting",
    "streamed",
]


@contextmanager
def streamed(
    module: dspy.Module, adapter: str, ctx: CallContext, status: Collection[str] = ("tool",)
) -> Iterator[None]:
    """Shows what `module` does inside to the caller of `ctx`, who sets the pace: a model that is
    ahead of its reader waits. `status` says which of `STATUS_KINDS` send messages.
    """
    listeners = [
        _Listener(name, predictor)
        for name, predictor in module.named_predictors()
        if _text_fields(predictor)
    ]
    sink = _Sink(listeners, adapter, ctx, status)
    settings: dict[str, Any] = {_KEY: sink}
    if listeners:
        # DSPy streams the predictors that have a listener and asks for whole answers in the others.
        settings |= {"send_stream": sink, "stream_listeners": listeners}
    if "module" in status:
        settings["callbacks"] = [*dspy.settings.callbacks, _Modules(module, sink)]
    with dspy.context(**settings):
        yield


async def report(kind: str, message: str, **facts: Any) -> None:
    """Shows something that happened between tokens: `message` is for people, `facts` for programs.
    Nothing happens when the call is not streamed, or its caller does not want that `kind`.
    """
    sink = dspy.settings.get(_KEY)
    if sink is not None and kind in sink.status:
        await sink.show({"type": "status", "message": message, **facts})


def report_waiting(kind: str, message: str, **facts: Any) -> None:
    """As `report`, from any thread but that of the event loop."""
    sink = dspy.settings.get(_KEY)
    if sink is not None and kind in sink.status:
        sink.show_waiting({"type": "status", "message": message, **facts})


@contextmanager
def numbered() -> Iterator[None]:
    """Around one request to a language model on the event loop: its pieces are told from those of
    other requests that the same predictor has under way."""
    sink = dspy.settings.get(_KEY)
    if sink is None:
        yield
        return
    with dspy.context(**{_REQUEST: next(sink.numbers)}):
        yield


@contextmanager
def numbered_waiting() -> Iterator[None]:
    """As `numbered`, on a thread. DSPy can hand pieces over only from threads of `in_thread`: a
    request from another one, which a module of the user's own has started, is not streamed."""
    if dspy.settings.send_stream is None:
        yield
        return
    try:
        anyio.from_thread.check_cancelled()
    except RuntimeError:
        with dspy.context(send_stream=None):
            yield
        return
    with numbered():
        yield


class _Listener:
    """Tells DSPy which predictor to stream: that one, and the copies that DSPy makes of it for
    several attempts."""

    def __init__(self, name: str, predictor: Any) -> None:
        self.name, self.fields = name, _text_fields(predictor)
        self._predictor = predictor
        # DSPy asks `listener.predict == predictor`.
        self.predict = self

    def __eq__(self, other: object) -> bool:
        return other is self or self.hears(other)

    def __hash__(self) -> int:
        return id(self)

    def hears(self, predictor: Any) -> bool:
        """Whether it is that predictor, or a copy: DSPy copies the random `stage` with it."""
        own = self._predictor
        return predictor is own or getattr(predictor, "stage", None) == own.stage


class _Sink:
    """Where DSPy sends each piece of an answer."""

    def __init__(
        self,
        listeners: list[_Listener],
        adapter: str,
        ctx: CallContext,
        status: Collection[str],
    ) -> None:
        self.status = frozenset(status)
        self.numbers = itertools.count(1)
        self.pending: deque[dict[str, Any]] = deque()
        self._listeners, self._adapter, self._ctx = listeners, adapter, ctx
        self._readers: dict[int, tuple[_Listener, FieldReader]] = {}

    async def send(self, piece: Any) -> None:
        """Called by DSPy, in the settings of the predictor that asked."""
        if not piece.choices:
            return
        number = dspy.settings.get(_REQUEST, 0)
        heard = self._readers.get(number) or self._begun(number)
        if heard is None:
            return
        listener, reader = heard
        choice = piece.choices[0]
        done = choice.finish_reason is not None
        if done:
            self._readers.pop(number, None)
        for field, text in reader.feed(choice.delta.content or "", done):
            token = {"type": "token", "field": field, "text": text}
            await self.show({**token, "predictor": listener.name, "request": number})

    async def show(self, chunk: dict[str, Any]) -> None:
        """Emits a chunk behind the messages that could not wait for room when they came."""
        with ending(self._ctx):
            while self.pending:
                await self._ctx.aemit(self.pending.popleft())
            await self._ctx.aemit(chunk)

    def show_waiting(self, chunk: dict[str, Any]) -> None:
        """As `show`, from a thread."""
        with ending(self._ctx):
            while self.pending:
                self._ctx.emit(self.pending.popleft())
            self._ctx.emit(chunk)

    def _begun(self, number: int) -> tuple[_Listener, FieldReader] | None:
        predictor = dspy.settings.get("caller_predict")
        for listener in self._listeners:
            if listener.hears(predictor):
                made = self._readers[number] = listener, FieldReader(self._adapter, listener.fields)
                return made
        return None


class _Modules(BaseCallback):
    """Messages about modules that begin. DSPy calls it where nothing may wait, so they are shown
    with the next thing that may: the request or the tool call that every module is made for."""

    def __init__(self, module: dspy.Module, sink: _Sink) -> None:
        self._names = {
            id(each): name.removeprefix("self.") for name, each in module.named_sub_modules()
        }
        self._sink = sink

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """Called by DSPy."""
        kind = type(instance).__name__
        name = self._names.get(id(instance), kind)
        message = f"running {kind}" if name in ("self", kind) else f"running {kind} {name}"
        self._sink.pending.append({"type": "status", "message": message, "module": name})


def _text_fields(predictor: Any) -> list[str]:
    outputs = predictor.signature.output_fields
    return [name for name, info in outputs.items() if info.annotation is str]


STATUS_KINDS = ("tool", "module", "lm")
_KEY = "snakepit_bridge_sink"
_REQUEST = "snakepit_bridge_request"
