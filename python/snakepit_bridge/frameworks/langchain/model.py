"""`HostChatModel`: LangChain's chat model whose answers come from a host tool.

It owns one request with its retries, on the event loop and on threads, whole and streamed. Which
call it belongs to it finds out when it is asked, so one object may stand in a graph that a module
builds when it is imported. It must not know pipelines, agents or graphs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from snakepit_bridge.context import CallContext, current
from snakepit_bridge.ending import is_over
from snakepit_bridge.errors import BridgeError, DeadlineExceeded, Unsupported
from snakepit_bridge.host_lm import Answer, HostLM

from .messages import answer_chunk, answer_message, to_words, token

__all__ = ["HostChatModel"]


class HostChatModel(BaseChatModel):
    """A chat model that the host serves as tool `tool` (docs/host_lm.md).

    `supports` says what the model behind the tool can do besides text: `tools`, `response_format`.
    Failures that may pass are tried again `retries` times, unless something was shown already.
    """

    tool: str
    model: str = "default"
    timeout_s: float | None = None
    retries: int = 3
    supports: tuple[str, ...] = ("tools",)
    sampling: dict[str, Any] = {}
    extra: dict[str, Any] | None = None

    @property
    def _llm_type(self) -> str:
        return "host_tool"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"tool": self.tool, "model": self.model, **self.sampling}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[Any, Any]:
        """The model with tools that it may call. Raises `Unsupported` where it has no `tools`."""
        if tools and "tools" not in self.supports:
            raise Unsupported(
                "lm.supports without `tools`, expected it for a model that is given tools"
            )
        if tools:
            kwargs["tools"] = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
            if tool_choice is not None:
                kwargs["tool_choice"] = _tool_choice(tool_choice)
        return self.bind(**kwargs)

    def with_structured_output(
        self, schema: Any, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[Any, Any]:
        """The model with answers of the form `schema`: by its own means where it `supports`
        `response_format`, else by a tool call."""
        if "response_format" not in self.supports or include_raw or not isinstance(schema, dict):
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        wanted = {"name": schema.get("title", "answer"), "schema": schema}
        form = {"type": "json_schema", "json_schema": wanted}
        return self.bind(response_format=form) | JsonOutputParser()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        ctx, request = current(), self._request(messages, stop, kwargs)
        attempts = _Attempts(ctx, self.retries)
        while True:
            try:
                return self._result(self._lm(ctx).complete(request))
            except BridgeError as error:
                _sleep(ctx, attempts.wait_s(error))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        ctx, request = current(), self._request(messages, stop, kwargs)
        attempts = _Attempts(ctx, self.retries)
        while True:
            try:
                return self._result(await self._lm(ctx).acomplete(request))
            except BridgeError as error:
                await asyncio.sleep(attempts.wait_s(error))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        ctx, request = current(), self._request(messages, stop, kwargs)
        attempts = _Attempts(ctx, self.retries)
        while True:
            try:
                with closing(self._lm(ctx).stream(request)) as items:
                    for item in items:
                        attempts.shown = True
                        chunk = self._chunk(item)
                        if run_manager is not None:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
                return
            except BridgeError as error:
                _sleep(ctx, attempts.wait_s(error))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        ctx, request = current(), self._request(messages, stop, kwargs)
        attempts = _Attempts(ctx, self.retries)
        while True:
            try:
                async with aclosing(self._lm(ctx).astream(request)) as items:
                    async for item in items:
                        attempts.shown = True
                        chunk = self._chunk(item)
                        if run_manager is not None:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
                return
            except BridgeError as error:
                await asyncio.sleep(attempts.wait_s(error))

    def _lm(self, ctx: CallContext) -> HostLM:
        return HostLM(ctx.session, self.tool, self.timeout_s)

    def _result(self, answer: Answer) -> ChatResult:
        message = answer_message(answer, self.model)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _chunk(self, item: str | Answer) -> ChatGenerationChunk:
        message: AIMessageChunk = (
            token(item) if isinstance(item, str) else answer_chunk(item, self.model)
        )
        return ChatGenerationChunk(message=message)

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        asked = {**self.sampling, **kwargs}
        request: dict[str, Any] = {"model": self.model, "messages": to_words(messages)}
        request |= {name: asked[name] for name in _WORDS if asked.get(name) is not None}
        if stop is not None:
            request["stop"] = list(stop)
        if self.extra:
            request["extra"] = self.extra
        return request


class _Attempts:
    """What is left to try of one request."""

    def __init__(self, ctx: CallContext, retries: int) -> None:
        self._ctx = ctx
        self._left = retries
        self._pause_s = _PAUSE_FIRST_S
        self.shown = False

    def wait_s(self, error: BridgeError) -> float:
        """How long to wait before the next attempt. Raises `error` where there is none."""
        passes = error.retryable or isinstance(error, DeadlineExceeded)
        if self._left == 0 or self.shown or not passes or is_over(self._ctx, error):
            raise error
        self._left -= 1
        pause, self._pause_s = self._pause_s, self._pause_s * 2
        told = error.details.get("retry_after_s")
        if isinstance(told, (int, float)) and not isinstance(told, bool):
            return max(0.0, float(told))
        return 0.0 if isinstance(error, DeadlineExceeded) else pause


def _sleep(ctx: CallContext, seconds: float) -> None:
    """Sleeps on a thread; the end of the call ends it."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        ctx.check_cancelled()
        time.sleep(min(left, _LOOK_S))


def _tool_choice(choice: str | dict[str, Any] | bool) -> str | dict[str, Any]:
    if choice is True or choice == "any":
        return "required"
    if choice is False:
        return "none"
    if isinstance(choice, dict) or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


# What a request may carry besides messages, as in `host_lm.REQUEST_SCHEMA`.
_WORDS = (
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "tools",
    "tool_choice",
    "response_format",
)
_PAUSE_FIRST_S = 1.0
# How often a sleeping thread looks whether its call is over.
_LOOK_S = 0.1
