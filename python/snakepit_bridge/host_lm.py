"""The language model that is a host tool: what is asked, what may be answered, and the call itself.

It owns the contract in OpenAI chat-completions words (documented in docs/host_lm.md, as JSON
Schemas below) and its checks. Frameworks translate their own requests into these words; this file
must not know any of them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from .errors import ToolFailed
from .session import Session

__all__ = [
    "ANSWER_SCHEMA",
    "CHUNK_SCHEMA",
    "REQUEST_SCHEMA",
    "Answer",
    "HostLM",
    "MalformedAnswer",
    "ToolCall",
    "parse_answer",
    "parse_chunk",
]


class MalformedAnswer(ToolFailed):
    """The host tool answered something that is not a language model's answer."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer. `content` is None only when there are tool calls."""

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    model: str | None = None


class HostLM:
    """A host tool called as a language model, on behalf of the call that `session` belongs to.

    Failures of the tool come as the bridge raises them; an answer of the wrong shape raises
    `MalformedAnswer`.
    """

    def __init__(self, session: Session, tool: str, timeout: float | None = None) -> None:
        self._tools = session.tools
        self.tool = tool
        self._timeout = timeout

    def complete(self, request: dict[str, Any]) -> Answer:
        """Asks once and waits for the whole answer. `request` is in the words of
        `REQUEST_SCHEMA`."""
        arguments = {**request, "stream": False}
        return parse_answer(
            self._tools.call(self.tool, arguments, timeout=self._timeout), self.tool
        )

    async def acomplete(self, request: dict[str, Any]) -> Answer:
        """`complete` for the event loop."""
        arguments = {**request, "stream": False}
        result = await self._tools.acall(self.tool, arguments, timeout=self._timeout)
        return parse_answer(result, self.tool)

    def stream(self, request: dict[str, Any]) -> Generator[str | Answer, None, None]:
        """Yields text as it comes and, last, the whole `Answer`."""
        stream = self._tools.stream(self.tool, {**request, "stream": True}, timeout=self._timeout)
        seen = _Seen(self.tool)
        try:
            for chunk in stream:
                if text := seen.chunk(chunk):
                    yield text
        finally:
            stream.close()
        yield from seen.end(stream.result)

    async def astream(self, request: dict[str, Any]) -> AsyncGenerator[str | Answer, None]:
        """`stream` for the event loop."""
        stream = self._tools.astream(self.tool, {**request, "stream": True}, timeout=self._timeout)
        seen = _Seen(self.tool)
        try:
            async for chunk in stream:
                if text := seen.chunk(chunk):
                    yield text
        finally:
            await stream.aclose()
        for item in seen.end(stream.result):
            yield item


def parse_answer(value: Any, tool: str) -> Answer:
    """Checks what host tool `tool` answered. Raises `MalformedAnswer` naming the place and what was
    expected."""
    if isinstance(value, str):
        return Answer(content=value)
    if not isinstance(value, dict):
        raise _refused(tool, f"{_kind(value)}, expected a string or an object with `content`")
    content = _typed(value, "content", (str,), "a string or null", tool)
    calls = _tool_calls(value.get("tool_calls"), tool)
    if content is None and not calls:
        raise _refused(tool, "object without content and without tool_calls, expected one of them")
    usage = _typed(value, "usage", (dict,), "an object", tool) or {}
    counts = {name: _count(usage, name, tool) for name in _COUNTS}
    return Answer(
        content=content,
        tool_calls=calls,
        finish_reason=_finish_reason(value, calls, tool),
        model=_typed(value, "model", (str,), "a string", tool) or None,
        **counts,
    )


def parse_chunk(value: Any, tool: str) -> str:
    """The text of one streamed chunk. Raises `MalformedAnswer`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise _refused(
            tool, f"chunk of kind {_kind(value)}, expected a string or an object with `content`"
        )
    return _typed(value, "content", (str,), "a string", tool) or ""


class _Seen:
    """The text streamed so far, to be reconciled with the final answer."""

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._parts: list[str] = []

    def chunk(self, value: Any) -> str:
        text = parse_chunk(value, self._tool)
        self._parts.append(text)
        return text

    def end(self, final: Any) -> Iterator[str | Answer]:
        joined = "".join(self._parts)
        if final is None:
            yield Answer(content=joined)
            return
        if joined and isinstance(final, dict) and final.get("content") is None:
            final = {**final, "content": joined}
        answer = parse_answer(final, self._tool)
        if answer.content is None or answer.content.rstrip() == joined.rstrip():
            yield _with_content(answer, joined or answer.content)
        elif answer.content.startswith(joined):
            yield answer.content[len(joined) :]
            yield answer
        else:
            # What was streamed has been shown already: it cannot be taken back.
            raise _refused(
                self._tool,
                "final content that differs from the streamed chunks, expected them joined or null",
            )


def _with_content(answer: Answer, content: str | None) -> Answer:
    fields = {name: getattr(answer, name) for name in Answer.__slots__}
    return Answer(**{**fields, "content": content})


def _tool_calls(value: Any, tool: str) -> tuple[ToolCall, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _refused(tool, f"tool_calls of kind {_kind(value)}, expected a list")
    return tuple(_tool_call(item, index, tool) for index, item in enumerate(value))


def _tool_call(value: Any, index: int, tool: str) -> ToolCall:
    where = f"tool_calls[{index}]"
    function = value.get("function") if isinstance(value, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise _refused(
            tool, f'{where} without a name, expected {{"function": {{"name", "arguments"}}}}'
        )
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError:
            arguments = None
    if not isinstance(arguments, dict):
        raise _refused(tool, f"{where}.function.arguments, expected an object or its JSON text")
    call_id = value.get("id")
    return ToolCall(
        call_id if isinstance(call_id, str) and call_id else f"call_{index}", name, arguments
    )


def _finish_reason(value: dict[str, Any], calls: tuple[ToolCall, ...], tool: str) -> str:
    reason = value.get("finish_reason")
    if reason is None:
        return "tool_calls" if calls else "stop"
    if reason not in FINISH_REASONS:
        raise _refused(
            tool, f"finish_reason {reason!r}, expected one of {', '.join(FINISH_REASONS)}"
        )
    return reason


def _count(usage: dict[str, Any], name: str, tool: str) -> int | None:
    value = usage.get(name)
    if value is None or (type(value) is int and value >= 0):
        return value
    raise _refused(tool, f"usage.{name} {value!r}, expected a whole number of tokens")


def _typed(
    value: dict[str, Any], key: str, kinds: tuple[type, ...], expected: str, tool: str
) -> Any:
    item = value.get(key)
    if item is None or isinstance(item, kinds):
        return item
    raise _refused(tool, f"{key} of kind {_kind(item)}, expected {expected}")


def _refused(tool: str, message: str) -> MalformedAnswer:
    return MalformedAnswer(f"language model tool `{tool}` answered {message}")


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter")
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")

_TOOL_CALL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["function"],
    "properties": {
        "id": {"type": "string"},
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name", "arguments"],
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "arguments": {
                    "type": ["string", "object"],
                    "description": "An object, or its JSON text.",
                },
            },
        },
    },
}

REQUEST_SCHEMA: dict[str, Any] = {
    "title": "What a host language model is asked",
    "type": "object",
    "required": ["model", "messages", "stream"],
    "properties": {
        "model": {
            "type": "string",
            "description": 'As the caller named it; "default" if it did not.',
        },
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "role": {"enum": ["system", "user", "assistant", "tool"]},
                    "content": {
                        "description": "Text; parts when there are images; null beside tool_calls.",
                        "type": ["string", "array", "null"],
                    },
                    "tool_calls": {"type": "array", "items": _TOOL_CALL_SCHEMA},
                    "tool_call_id": {"type": "string"},
                    "name": {"type": "string"},
                },
            },
        },
        "stream": {
            "type": "boolean",
            "description": "Chunks are wanted; answering at once is allowed.",
        },
        "tools": {"type": "array", "items": {"type": "object"}},
        "tool_choice": {"type": ["string", "object"]},
        "temperature": {"type": "number"},
        "max_tokens": {"type": "integer", "minimum": 1},
        "top_p": {"type": "number"},
        "stop": {"type": "array", "items": {"type": "string"}},
        "seed": {"type": "integer"},
        "presence_penalty": {"type": "number"},
        "frequency_penalty": {"type": "number"},
        "n": {
            "type": "integer",
            "minimum": 1,
            "description": "Absent means 1; DSPy asks one at a time.",
        },
        "response_format": {"type": "object"},
        "extra": {"type": "object", "description": "The caller's `lm.extra`, unchanged."},
    },
}

ANSWER_SCHEMA: dict[str, Any] = {
    "title": "What a host language model answers",
    "oneOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "content": {"type": ["string", "null"]},
                "tool_calls": {"type": ["array", "null"], "items": _TOOL_CALL_SCHEMA},
                "finish_reason": {"enum": [*FINISH_REASONS, None]},
                "usage": {
                    "type": ["object", "null"],
                    "properties": {
                        name: {"type": ["integer", "null"], "minimum": 0} for name in _COUNTS
                    },
                },
                "model": {"type": ["string", "null"]},
            },
        },
    ],
}

CHUNK_SCHEMA: dict[str, Any] = {
    "title": "One chunk of a streamed answer",
    "oneOf": [
        {"type": "string"},
        {"type": "object", "properties": {"content": {"type": ["string", "null"]}}},
    ],
}
