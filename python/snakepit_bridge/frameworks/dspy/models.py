"""The `dspy.LM`s of a call: the one that asks a host tool, and the one that asks a provider.

It owns what both add to DSPy's own: each request is counted, and history goes to the call's record.
A plain request to a host tool takes a short way: DSPy's own hands it to threads twice, to read
files and to look up prices, of which there are none. It must not know settings documents.
"""

from __future__ import annotations

import asyncio
from typing import Any

import dspy

from snakepit_bridge.errors import BridgeError
from snakepit_bridge.host_lm import Answer

from . import wire
from .engines import AsyncHostEngine, HostEngine
from .records import Record, current_record, model_name, plain_counts, told_name
from .streaming import numbered, numbered_waiting, report, report_waiting

__all__ = ["HostModel", "ProviderModel"]


class _Recorded(dspy.LM):
    """A `dspy.LM` that tells the record of the running call."""

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        """Asks and waits."""
        if (record := current_record()) is not None:
            record.asked()
        report_waiting("lm", f"asking {self._name}", model=self._name)
        with numbered_waiting():
            return super().__call__(prompt, messages=messages, **kwargs)

    async def acall(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        """As a call, for the event loop."""
        if (record := current_record()) is not None:
            record.asked()
        await report("lm", f"asking {self._name}", model=self._name)
        with numbered():
            return await super().acall(prompt, messages=messages, **kwargs)

    @property
    def _name(self) -> str:
        return told_name(self.model)

    def update_history(self, entry: dict[str, Any]) -> None:
        """Called by DSPy with what was asked and answered; it would keep it for the process."""
        record = current_record()
        if record is not None and record.keeps_history:
            record.told(_shown(self.model, self.kwargs, entry))


class ProviderModel(_Recorded):
    """A provider's model, reached by DSPy itself or through litellm."""


class HostModel(_Recorded):
    """A tool of the host. `name` is the model as the caller named it, or the tool's name."""

    def __init__(self, name: str, engine: HostEngine, async_engine: AsyncHostEngine, **more: Any):
        super().__init__(
            model_name(name),
            engine=engine,
            async_engine=async_engine,
            # The host owns caching: it sees every request, its cache outlives the worker and is
            # shared by all of them, and what it bills or limits must not be decided by which worker
            # happened to serve the call.
            cache=False,
            **more,
        )

        self._host = async_engine

    async def acall(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        """As DSPy's; without the threads where only text goes in and out."""
        chat = self._plain_request(prompt, messages, kwargs)
        if chat is None:
            return await super().acall(prompt, messages=messages, **kwargs)
        record = current_record()
        if record is not None:
            record.asked()
        await report("lm", f"asking {self._name}", model=self._name)
        answer = await self._asked(chat)
        self._report(record, chat, answer)
        return [answer.content]

    def _plain_request(
        self, prompt: Any, messages: Any, more: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The request in the words of the contract, or None: it has something that DSPy must
        translate, or somebody wants to watch."""
        watched = dspy.settings.send_stream is not None or dspy.settings.callbacks
        if watched or self.callbacks or prompt is not None or not messages:
            return None
        given = {**self.kwargs, **more}
        chat: dict[str, Any] = {"messages": messages}
        for name, value in given.items():
            if value is None or name in _NOT_ASKED:
                continue
            if name not in _PLAIN_SETTINGS and not (name == "n" and value == 1):
                return None
            if name != "n":
                chat[name] = value
        if not all(_is_plain(message) for message in messages):
            return None
        return chat

    async def _asked(self, chat: dict[str, Any]) -> Answer:
        attempt = 0
        while True:
            try:
                return await self._host.ask_plainly(chat)
            except BridgeError as error:
                failure = wire.public_failure(error, self.model)
                if attempt >= self.num_retries or not wire.may_pass(error):
                    raise failure from error
                await asyncio.sleep(wire.pause_seconds(error, attempt))
            attempt += 1

    def _report(self, record: Record | None, chat: dict[str, Any], answer: Answer) -> None:
        usage = {name: count for name, count in wire.counts(answer).items() if count is not None}
        if record is None:
            tracker = dspy.settings.usage_tracker
            if tracker:
                tracker.add_usage(self.model, usage)
            return
        record.usage_tracker.add_usage(self.model, usage)
        if record.keeps_history:
            entry = {
                "messages": chat["messages"],
                "kwargs": {name: value for name, value in chat.items() if name != "messages"},
                "outputs": [answer.content],
                "usage": usage,
                "response_model": answer.model,
            }
            record.told(_shown(self.model, self.kwargs, entry))


def _is_plain(message: dict[str, Any]) -> bool:
    return (
        len(message) == 2
        and message.get("role") in _PLAIN_ROLES
        and isinstance(message.get("content"), str)
    )


def _shown(name: str, defaults: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """What a result tells of one request. Of the settings only those that are known to be no
    secret."""
    settings = {**defaults, **(entry.get("kwargs") or {})}
    if (request := entry.get("request")) is not None:
        settings = {name: getattr(request.config, name, None) for name in _PLAIN_SETTINGS}
    messages = entry.get("messages") or [{"role": "user", "content": entry.get("prompt")}]
    shown = {
        "model": told_name(name),
        "messages": messages,
        "settings": {
            name: settings[name]
            for name in _PLAIN_SETTINGS
            if settings.get(name) not in (None, [], ())
        },
        "outputs": entry.get("outputs") or [],
        "usage": plain_counts([entry.get("usage") or {}]),
    }
    if entry.get("response_model"):
        shown["answered_by"] = entry["response_model"]
    if entry.get("cost") is not None:
        shown["cost"] = entry["cost"]
    return shown


_PLAIN_ROLES = ("system", "user", "assistant")
_PLAIN_SETTINGS = (
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)
_NOT_ASKED = ("rollout_id", "cache")
