"""DSPy language model engines that ask a model of framework `transformers` in this very worker.

They are the engines of host tools with another one behind them, so that a request, an answer and a
failure look the same. torch is not imported here: where the framework is not in the pool, the call
is told so. They must not know signatures or modules.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from typing import Any

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument, Unsupported
from snakepit_bridge.host_lm import Answer

from .engines import AsyncHostEngine, HostEngine

__all__ = ["AsyncLocalEngine", "LocalEngine", "check_local"]


def check_local() -> Any:
    """The package of the framework. Raises `Unsupported` where this worker does not serve it."""
    package = sys.modules.get("snakepit_bridge.frameworks.transformers")
    if package is None:
        raise Unsupported(
            "lm of kind `transformers` needs framework `transformers` in the same pool"
        )
    package.running()
    return package


class LocalEngine(HostEngine):
    """The synchronous engine: blocks its thread while the model computes."""

    def __init__(self, ctx: CallContext, model: str) -> None:
        super().__init__(ctx, model, model)
        self._lm: Any = _LocalModel(ctx, model)


class AsyncLocalEngine(AsyncHostEngine):
    """The asynchronous engine: the model is waited for on threads."""

    def __init__(self, ctx: CallContext, model: str) -> None:
        super().__init__(ctx, model, model)
        self._lm: Any = _LocalModel(ctx, model)


class _LocalModel:
    """What `HostLM` is for a tool; `tool` is what messages call it."""

    def __init__(self, ctx: CallContext, model: str) -> None:
        self._ctx = ctx
        self.tool = model

    def complete(self, chat: dict[str, Any]) -> Answer:
        """The whole answer."""
        *_, answer = self.stream(chat)
        assert isinstance(answer, Answer)
        return answer

    async def acomplete(self, chat: dict[str, Any]) -> Answer:
        """As `complete`, off the event loop."""
        return await asyncio.to_thread(self.complete, chat)

    def stream(self, chat: dict[str, Any]) -> Generator[str | Answer, None, None]:
        """Pieces of text, then the answer, whose content is what the pieces are together."""
        pieces = check_local().generated(_parameters(chat), self._ctx.check_cancelled)
        text: list[str] = []
        with closing(pieces):
            for item in pieces:
                if isinstance(item, str):
                    text.append(item)
                    yield item
                else:
                    yield _answer("".join(text), item)

    async def astream(self, chat: dict[str, Any]) -> AsyncIterator[str | Answer]:
        """As `stream`, off the event loop."""
        pieces = self.stream(chat)
        try:
            while (item := await asyncio.to_thread(next, pieces, None)) is not None:
                yield item
        finally:
            # Not while a thread is in it: a generation that nobody reads ends with its call.
            if not pieces.gi_running:
                pieces.close()


def _parameters(chat: dict[str, Any]) -> dict[str, Any]:
    """The parameters of `generate` for a request in the words of host language models."""
    given = {name: chat.get(name) for name in ("model", "temperature", "top_p", "seed", "stop")}
    given["messages"] = [_message(each) for each in chat["messages"]]
    given["max_new_tokens"] = chat.get("max_tokens")
    return given


def _message(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str):
        return {"role": message["role"], "content": content}
    if isinstance(content, list) and all(part.get("type") == "text" for part in content):
        return {"role": message["role"], "content": "".join(part["text"] for part in content)}
    raise InvalidArgument("lm of kind `transformers` was given more than text, expected text only")


def _answer(text: str, result: dict[str, Any]) -> Answer:
    usage = result["usage"]
    return Answer(
        content=text,
        finish_reason=result["finish_reason"],
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        total_tokens=usage["total_tokens"],
        model=result["model"],
    )
