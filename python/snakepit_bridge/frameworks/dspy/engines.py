"""DSPy language model engines that ask a host tool: one for the event loop, one for DSPy's
synchronous paths.

They own one attempt each; retries, fan-out and history belong to `dspy.LM`. They must not know
signatures or modules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any

from dspy import lm15

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError
from snakepit_bridge.host_lm import Answer, HostLM, MalformedAnswer

from . import wire
from .abort import ending

__all__ = ["AsyncHostEngine", "HostEngine"]


class _Engine:
    """What both engines share: whom they ask, and what the model behind the tool can do."""

    def __init__(
        self,
        ctx: CallContext,
        tool: str,
        model: str = "default",
        *,
        timeout: float | None = None,
        extra: dict[str, Any] | None = None,
        supports: frozenset[str] = frozenset(),
    ) -> None:
        self._ctx = ctx
        self._lm = HostLM(ctx.session, tool, timeout)
        self._model = model
        self._extra = extra
        self.supports_function_calling = "tools" in supports
        self.supports_response_schema = "response_format" in supports
        self.supports_reasoning = False
        self.supported_params = frozenset({"response_format"} & supports)

    def __deepcopy__(self, memo: Any) -> Any:
        # DSPy copies programs with their language models; the call that this one asks for is one.
        return self

    def _ask(self, request: lm15.Request) -> dict[str, Any]:
        return wire.chat_request(request, self._model, self._extra)


class HostEngine(_Engine):
    """The synchronous engine: blocks its thread while the host thinks."""

    def complete(self, request: lm15.Request) -> lm15.Response:
        try:
            with ending(self._ctx):
                return wire.response(self._lm.complete(self._ask(request)), self._model)
        except BridgeError as error:
            raise wire.failure(error) from error

    def stream(self, request: lm15.Request) -> Iterator[Any]:
        yield lm15.StreamStartEvent(model=self._model)
        try:
            with ending(self._ctx), closing(self._lm.stream(self._ask(request))) as items:
                for item in items:
                    yield from _events(item)
        except BridgeError as error:
            raise wire.failure(error) from error

    def close(self) -> None:
        """Nothing is held open: each request is a tool call of its own."""


class AsyncHostEngine(_Engine):
    """The asynchronous engine: many requests may be under way at once on the event loop."""

    async def ask_plainly(self, chat: dict[str, Any]) -> Answer:
        """Asks once with a request in the words of the contract, without tools; errors are the
        bridge's own."""
        asked = {"model": self._model, **chat}
        if self._extra:
            asked["extra"] = self._extra
        with ending(self._ctx):
            answer = await self._lm.acomplete(asked)
        if answer.content is None:
            raise MalformedAnswer(
                f"language model tool `{self._lm.tool}` answered tool_calls, expected content: no "
                "tools were offered"
            )
        return answer

    async def complete(self, request: lm15.Request) -> lm15.Response:
        try:
            with ending(self._ctx):
                return wire.response(await self._lm.acomplete(self._ask(request)), self._model)
        except BridgeError as error:
            raise wire.failure(error) from error

    async def stream(self, request: lm15.Request) -> AsyncIterator[Any]:
        yield lm15.StreamStartEvent(model=self._model)
        try:
            with ending(self._ctx):
                async with aclosing(self._lm.astream(self._ask(request))) as items:
                    async for item in items:
                        for event in _events(item):
                            yield event
        except BridgeError as error:
            raise wire.failure(error) from error

    async def aclose(self) -> None:
        """Nothing is held open: each request is a tool call of its own."""


def _events(item: str | Answer) -> Iterator[Any]:
    if isinstance(item, Answer):
        yield from wire.answer_events(item)
    else:
        yield wire.text_event(item)
