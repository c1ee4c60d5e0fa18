"""Messages: LangChain's own to and from the words of the host language model contract.

It owns the mapping of messages, tools, settings and answers, both ways, and what of a request the
contract has no word for. It must not call anything: the model does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolCallChunk,
    convert_to_messages,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.utils import convert_to_openai_messages

from snakepit_bridge.errors import InvalidArgument
from snakepit_bridge.host_lm import Answer

__all__ = ["answer_chunk", "answer_message", "from_words", "message_words", "to_words", "token"]


def to_words(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """The messages as the contract has them."""
    words = convert_to_openai_messages(list(messages))
    for message in words:
        if message["role"] == "developer":
            message["role"] = "system"
        if message.get("tool_calls") and not message["content"]:
            message["content"] = None
    return words


def from_words(words: Any, place: str) -> list[BaseMessage]:
    """The messages of a document: a text, or a list of objects in the contract's words. Raises
    `InvalidArgument` naming the one at fault."""
    if isinstance(words, str):
        words = [{"role": "user", "content": words}]
    if not isinstance(words, list):
        raise InvalidArgument(f"{place} of kind {_kind(words)}, expected a text or a list")
    return [_message(each, f"{place}[{index}]") for index, each in enumerate(words)]


def message_words(message: BaseMessage) -> dict[str, Any]:
    """One message with what a reader wants beyond the contract: its id, and what it cost."""
    if message.type == "remove":
        return {"role": "remove", "id": message.id}
    words = _plain_words(message)
    if message.id is not None:
        words["id"] = message.id
    if isinstance(message, AIMessage):
        if usage := message.response_metadata.get("usage"):
            words["usage"] = usage
        if reason := message.response_metadata.get("finish_reason"):
            words["finish_reason"] = reason
    if getattr(message, "status", "success") == "error":
        words["status"] = "error"
    return words


def answer_message(answer: Answer, model: str) -> AIMessage:
    """LangChain's message for a checked answer."""
    calls = [
        {"type": "tool_call", "id": call.id, "name": call.name, "args": call.arguments}
        for call in answer.tool_calls
    ]
    return AIMessage(
        content=answer.content or "",
        tool_calls=calls,
        usage_metadata=_usage(answer),
        response_metadata=_metadata(answer, model),
    )


def token(text: str) -> AIMessageChunk:
    """One piece of streamed text."""
    return AIMessageChunk(content=text)


def answer_chunk(answer: Answer, model: str) -> AIMessageChunk:
    """What follows the streamed text: tool calls, usage and the reason of the end."""
    return AIMessageChunk(
        content="",
        tool_call_chunks=[
            ToolCallChunk(
                type="tool_call_chunk",
                index=index,
                id=call.id,
                name=call.name,
                args=orjson.dumps(call.arguments).decode(),
            )
            for index, call in enumerate(answer.tool_calls)
        ],
        usage_metadata=_usage(answer),
        response_metadata=_metadata(answer, model),
        chunk_position="last",
    )


def _message(words: Any, place: str) -> BaseMessage:
    if not isinstance(words, dict) or not isinstance(words.get("role"), str):
        raise InvalidArgument(f'{place} of kind {_kind(words)}, expected {{"role", "content"}}')
    role = words["role"]
    if role not in _ROLES:
        raise InvalidArgument(f"{place}.role {role!r}, expected one of {', '.join(_ROLES)}")
    if role == "tool" and not isinstance(words.get("tool_call_id"), str):
        raise InvalidArgument(f"{place}.tool_call_id missing, expected the id of the call")
    try:
        return convert_to_messages([{"content": "", **_without_null(words)}])[0]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(f"{place} is not a message: {error}") from error


def _without_null(words: dict[str, Any]) -> dict[str, Any]:
    extra = ("usage", "finish_reason")
    return {name: value for name, value in words.items() if value is not None and name not in extra}


def _plain_words(message: BaseMessage) -> dict[str, Any]:
    try:
        return to_words([message])[0]
    except ValueError:
        # Roles of a user's own have no word in the contract.
        return {"role": message.type, "content": message.content}


def _metadata(answer: Answer, model: str) -> dict[str, Any]:
    counts = {name: getattr(answer, name) for name in _COUNTS}
    told = {name: count for name, count in counts.items() if count is not None}
    metadata: dict[str, Any] = {
        "model_name": answer.model or model,
        "finish_reason": answer.finish_reason,
    }
    # LangChain's own form has no word for a count that nobody told.
    return {**metadata, "usage": told} if told else metadata


def _usage(answer: Answer) -> UsageMetadata | None:
    if answer.prompt_tokens is None or answer.completion_tokens is None:
        return None
    both = answer.prompt_tokens + answer.completion_tokens
    return UsageMetadata(
        input_tokens=answer.prompt_tokens,
        output_tokens=answer.completion_tokens,
        total_tokens=both if answer.total_tokens is None else answer.total_tokens,
    )


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


_ROLES = ("system", "user", "assistant", "tool")
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
