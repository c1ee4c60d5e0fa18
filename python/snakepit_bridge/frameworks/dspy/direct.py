"""The operation `lm`: a language model asked directly, without a program.

It owns the form of an answer and how its tokens are shown. Whom it asks, and how, is the business
of `lm` and `engines`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import dspy
from dspy import lm15

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument

from .abort import ending
from .faults import faults
from .lm import SAMPLING, build_lm
from .records import Record, recording, told_name

__all__ = ["ask"]


async def ask(ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """One request, or `n` equal ones; the tokens of a single one are streamed."""
    with faults():
        settings = parameters["lm"]
        model = build_lm(settings, ctx)
        request = _request(model, settings, parameters)
        record = Record(history=bool(parameters.get("history")))
        with recording(record):
            choices = await _choices(ctx, model, request, parameters.get("n") or 1)
        return {"choices": choices, **record.report()}


async def _choices(
    ctx: CallContext, model: dspy.LM, request: lm15.Request, count: int
) -> list[dict[str, Any]]:
    if not ctx.streaming:
        answers = await asyncio.gather(*(model.acall(request) for _ in range(count)))
        return [_choice(answer) for answer in answers]
    choices = []
    for index in range(count):
        with dspy.context(send_stream=_Sink(ctx, index)):
            choices.append(_choice(await model.acall(request)))
    return choices


def _request(model: dspy.LM, settings: dict[str, Any], parameters: dict[str, Any]) -> lm15.Request:
    messages = parameters.get("messages")
    if (messages is None) == (parameters.get("prompt") is None):
        raise InvalidArgument("expected exactly one of `prompt` and `messages`")
    body: dict[str, Any] = {"model": model.model}
    body["messages"] = messages or [{"role": "user", "content": parameters["prompt"]}]
    given = {**settings, **(parameters.get("config") or {})}
    body.update({name: given[name] for name in SAMPLING if given.get(name) is not None})
    for name, needed in _NEEDED.items():
        if parameters.get(name) is None:
            continue
        if settings["kind"] == "host_tool" and needed not in (settings.get("supports") or ()):
            raise InvalidArgument(f'{name}, expected none: lm.supports is without "{needed}"')
        body[name] = parameters[name]
    try:
        return lm15.request_from_openai_chat(body)
    except (lm15.LM15Error, TypeError, ValueError, KeyError) as fault:
        place = "prompt" if messages is None else "messages"
        raise InvalidArgument(f"{place}: {fault}") from fault


def _choice(answer: lm15.Response) -> dict[str, Any]:
    parts = answer.message.parts
    texts = [part.text for part in parts if part.type == "text"]
    calls = [
        {"id": part.id, "name": part.name, "arguments": part.input}
        for part in parts
        if part.type == "tool_call"
    ]
    choice: dict[str, Any] = {
        "content": "".join(texts) if texts else None,
        "finish_reason": _FINISH.get(answer.finish_reason, answer.finish_reason),
        "model": told_name(answer.model or ""),
    }
    if calls:
        choice["tool_calls"] = calls
    return choice


class _Sink:
    """Where DSPy sends each piece of an answer."""

    def __init__(self, ctx: CallContext, index: int) -> None:
        self._ctx, self._index = ctx, index

    async def send(self, piece: Any) -> None:
        """Called by DSPy."""
        text = piece.choices[0].delta.content if piece.choices else None
        if text:
            with ending(self._ctx):
                await self._ctx.aemit({"type": "token", "index": self._index, "text": text})


_NEEDED = {"tools": "tools", "tool_choice": "tools", "response_format": "response_format"}
_FINISH = {"tool_call": "tool_calls"}
