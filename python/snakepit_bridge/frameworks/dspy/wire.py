"""Translation between DSPy's canonical requests (dspy.lm15) and the words of the host language
model contract.

It owns the mapping of messages, tools, settings, answers and failures, both ways. It uses only
names that `dspy.lm15` publishes. It must not call anything: the engines do that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dspy
import orjson
from dspy import lm15

from snakepit_bridge.errors import BridgeError, DeadlineExceeded
from snakepit_bridge.host_lm import Answer

__all__ = [
    "TOO_LONG",
    "answer_events",
    "chat_request",
    "counts",
    "failure",
    "may_pass",
    "pause_seconds",
    "public_failure",
    "response",
    "text_event",
]


def chat_request(request: lm15.Request, model: str, extra: dict[str, Any] | None) -> dict[str, Any]:
    """What the host is asked for `request`. Raises lm15's `UnsupportedFeatureError` for a part of a
    message that the contract has no word for."""
    chat: dict[str, Any] = {"model": model, "messages": _messages(request)}
    if request.tools:
        chat["tools"] = [_tool(tool) for tool in request.tools]
    config = request.config
    for name in _SETTINGS:
        if (value := getattr(config, name)) is not None:
            chat[name] = value
    if config.stop:
        chat["stop"] = list(config.stop)
    if config.tool_choice is not None:
        chat["tool_choice"] = _tool_choice(config.tool_choice)
    if config.response_format is not None:
        chat["response_format"] = _response_format(config.response_format)
    if rest := {**(config.extensions or {}), **(extra or {})}:
        chat["extra"] = rest
    return chat


def response(answer: Answer, model: str) -> lm15.Response:
    """DSPy's response for a checked answer."""
    parts: list[Any] = []
    if answer.content is not None:
        parts.append(lm15.TextPart(answer.content))
    for call in answer.tool_calls:
        parts.append(lm15.ToolCallPart(id=call.id, name=call.name, input=call.arguments))
    return lm15.Response(
        id=None,
        model=answer.model or model,
        message=lm15.Message(role="assistant", parts=tuple(parts)),
        finish_reason=_FINISH_REASONS[answer.finish_reason],
        usage=_usage(answer),
    )


def text_event(text: str) -> lm15.StreamDeltaEvent:
    """One piece of streamed text."""
    return lm15.StreamDeltaEvent(lm15.TextDelta(text))


def answer_events(answer: Answer) -> Iterator[Any]:
    """What follows the streamed text: tool calls, then the end."""
    for index, call in enumerate(answer.tool_calls, start=1):
        text = orjson.dumps(call.arguments).decode()
        delta = lm15.ToolCallDelta(input=text, part_index=index, id=call.id, name=call.name)
        yield lm15.StreamDeltaEvent(delta)
    reason = _FINISH_REASONS[answer.finish_reason]
    yield lm15.StreamEndEvent(finish_reason=reason, usage=_usage(answer))


def failure(error: BridgeError) -> lm15.LM15Error:
    """The engine error for a failed host tool: DSPy retries the ones that the host called
    retryable, and some of its modules know what to do about a prompt that is too long."""
    if isinstance(error, DeadlineExceeded):
        return lm15.TimeoutError(str(error), provider="host")
    if error.details.get("reason") == TOO_LONG:
        return lm15.ContextLengthError(str(error), provider="host")
    if not error.retryable:
        return lm15.ProviderError(str(error), provider="host")
    if (after := _retry_after(error)) is not None:
        return lm15.RateLimitError(str(error), provider="host", retry_after=after)
    return lm15.ServerError(str(error), provider="host")


def public_failure(error: BridgeError, model: str) -> dspy.LMError:
    """What DSPy makes of `failure(error)`."""
    made = failure(error)
    kind = _PUBLIC.get(type(made), dspy.LMProviderError)
    after = getattr(made, "retry_after", None)
    return kind(message=str(error), model=model, provider="host", retry_after=after)


def may_pass(error: BridgeError) -> bool:
    """Whether DSPy would ask again after this failure."""
    return isinstance(failure(error), (lm15.TimeoutError, lm15.RateLimitError, lm15.ServerError))


def pause_seconds(error: BridgeError, attempt: int) -> float:
    """How long to wait before the next attempt, `attempt` counted from 0; as DSPy does."""
    after = _retry_after(error)
    return float(min(2**attempt, _PAUSE_SECONDS_MAX)) if after is None else after


def counts(answer: Answer) -> dict[str, int | None]:
    """The answer's token counts; None where it does not tell."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.total_tokens,
    }


def _retry_after(error: BridgeError) -> float | None:
    after = error.details.get("retry_after_s")
    if isinstance(after, (int, float)) and not isinstance(after, bool) and after >= 0:
        return float(after)
    return None


def _messages(request: lm15.Request) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.system:
        system = request.system
        text = system if isinstance(system, str) else _content(system)
        messages.append({"role": "system", "content": text})
    for message in request.messages:
        if message.role == "tool":
            messages.extend(_tool_result(part) for part in message.parts)
        elif message.role == "assistant":
            messages.append(_assistant(message))
        else:
            role = "system" if message.role == "developer" else message.role
            messages.append({"role": role, "content": _content(message.parts)})
    return messages


def _assistant(message: lm15.Message) -> dict[str, Any]:
    calls = [part for part in message.parts if part.type == "tool_call"]
    rest = [part for part in message.parts if part.type not in ("tool_call", "thinking")]
    said: dict[str, Any] = {"role": "assistant", "content": _content(rest) if rest else None}
    if calls:
        said["tool_calls"] = [_tool_call(part) for part in calls]
    return said


def _tool_call(part: Any) -> dict[str, Any]:
    function = {"name": part.name, "arguments": orjson.dumps(part.input).decode()}
    return {"id": part.id, "type": "function", "function": function}


def _tool_result(part: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": part.id, "content": _content(part.content)}


def _content(parts: Any) -> str | list[dict[str, Any]]:
    """Plain text where there is only text, else the list of parts."""
    converted = [_part(part) for part in parts]
    if all(part["type"] == "text" for part in converted):
        return "".join(part["text"] for part in converted)
    return converted


def _part(part: Any) -> dict[str, Any]:
    if part.type in ("text", "refusal"):
        return {"type": "text", "text": part.text}
    if part.type == "data":
        return {"type": "text", "text": orjson.dumps(part.value).decode()}
    if part.type == "image":
        return {"type": "image_url", "image_url": {"url": _image_url(part)}}
    raise lm15.UnsupportedFeatureError(
        f"message part of kind {part.type}, expected text or image for a host language model",
        feature=part.type,
        provider="host",
    )


def _image_url(part: Any) -> str:
    if part.url is not None:
        return part.url
    if part.data is not None:
        return (
            part.data
            if part.data.startswith("data:")
            else f"data:{part.media_type};base64,{part.data}"
        )
    raise lm15.UnsupportedFeatureError(
        "image by file, expected its data or a url for a host language model",
        feature="image",
        provider="host",
    )


def _tool(tool: Any) -> dict[str, Any]:
    if tool.type != "function":
        raise lm15.UnsupportedFeatureError(
            f"tool of kind {tool.type}, expected function tools for a host language model",
            feature="tools",
            provider="host",
        )
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _tool_choice(choice: lm15.ToolChoice) -> Any:
    if len(choice.allowed) == 1 and choice.mode == "required":
        return {"type": "function", "function": {"name": choice.allowed[0]}}
    return choice.mode


def _response_format(wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted["type"] != "json_schema":
        return dict(wanted)
    schema = {name: value for name, value in wanted.items() if name != "type"}
    return {"type": "json_schema", "json_schema": {"name": "answer", **schema}}


def _usage(answer: Answer) -> lm15.Usage:
    return lm15.Usage(
        input_tokens=answer.prompt_tokens,
        output_tokens=answer.completion_tokens,
        total_tokens=answer.total_tokens,
    )


_SETTINGS = (
    "temperature",
    "max_tokens",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)
_FINISH_REASONS: dict[str, Any] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
}
# What a host says in `details.reason` when a prompt does not fit into the model's context.
TOO_LONG = "context_window"
_PUBLIC: dict[type, type[dspy.LMError]] = {
    lm15.TimeoutError: dspy.LMTimeoutError,
    lm15.ContextLengthError: dspy.ContextWindowExceededError,
    lm15.RateLimitError: dspy.LMRateLimitError,
    lm15.ServerError: dspy.LMServerError,
}
_PAUSE_SECONDS_MAX = 60
