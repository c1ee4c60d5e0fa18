"""Chat model settings as data, and the LangChain model made from them.

It owns the two kinds (`host_tool`, `provider`), their settings and their refusals. An API key comes
by the name of an environment variable of the worker, so that it is never in a parameter, a log or a
stored document.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import orjson
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from snakepit_bridge.errors import InvalidArgument, Unsupported

from .model import HostChatModel

__all__ = ["SAMPLING", "build_model"]

# Above the function that it limits, because the decorator reads it.
_PROVIDERS_MAX = 32


def build_model(settings: Any, place: str = "lm") -> BaseChatModel:
    """The chat model of `settings`. Raises `InvalidArgument` naming the setting at fault, and
    `Unsupported` naming the package of a provider that is not installed."""
    kind = settings.get("kind") if isinstance(settings, dict) else None
    if kind not in _SETTINGS:
        raise InvalidArgument(f'{place}.kind {kind!r}, expected "host_tool" or "provider"')
    for name in settings:
        if name not in _SETTINGS[kind]:
            expected = ", ".join(sorted(_SETTINGS[kind]))
            raise InvalidArgument(f"{place}.{name} for kind `{kind}`, expected one of {expected}")
    for name in ("tool",) if kind == "host_tool" else ("model",):
        if not isinstance(settings.get(name), str) or not settings[name]:
            raise InvalidArgument(f"{place}.{name} missing, expected a text")
    if kind == "host_tool":
        return _host_tool(settings, place)
    # One object for equal settings: it holds the connections to the provider, and no call's state.
    return _provider(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS), place)


def _host_tool(settings: dict[str, Any], place: str) -> HostChatModel:
    options: dict[str, Any] = {}
    if settings.get("supports") is not None:
        options["supports"] = tuple(settings["supports"])
    if settings.get("retries") is not None:
        options["retries"] = settings["retries"]
    try:
        return HostChatModel(
            tool=settings["tool"],
            model=settings.get("model") or "default",
            timeout_s=settings["timeout_ms"] / 1000 if settings.get("timeout_ms") else None,
            sampling=_sampling(settings),
            extra=settings.get("extra"),
            **options,
        )
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"{place}: {error}") from error


@functools.lru_cache(maxsize=_PROVIDERS_MAX)
def _provider(settings_json: bytes, place: str) -> BaseChatModel:
    settings = orjson.loads(settings_json)
    options = {**(settings.get("extra") or {}), **_sampling(settings)}
    if (name := settings.get("api_key_env")) is not None:
        options["api_key"] = _key(name, place)
    if settings.get("api_base"):
        options["base_url"] = settings["api_base"]
    if settings.get("timeout_ms"):
        options["timeout"] = settings["timeout_ms"] / 1000
    options["max_retries"] = settings.get("retries", _RETRIES)
    provider, colon, model = settings["model"].partition(":")
    if not provider or not colon or not model:
        raise InvalidArgument(
            f"{place}.model {settings['model']!r}, expected provider:model as in openai:gpt-4o-mini"
        )
    try:
        # The provider is looked up in LangChain's own table; nothing else can be imported.
        return init_chat_model(model, model_provider=provider, **options)
    except ImportError as error:
        # LangChain's own words name the package and how to install it.
        raise Unsupported(f"{place}.model `{settings['model']}`: {error}") from error
    except ValueError as error:
        words = " ".join(str(error).split())[:_MESSAGE_MAX]
        raise InvalidArgument(f"{place}.model `{settings['model']}`: {words}") from error


def _key(name: str, place: str) -> str:
    key = os.environ.get(name)
    if key:
        return key
    # Only the name is told: the value must never reach a message or a log.
    raise InvalidArgument(
        f"{place}.api_key_env `{name}` is not set in the worker's environment, "
        "expected it in the pool's environment allow-list"
    )


def _sampling(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in SAMPLING if settings.get(name) is not None}


SAMPLING = (
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)
_COMMON = ("kind", "model", "retries", "timeout_ms", "extra", *SAMPLING)
_SETTINGS = {
    "host_tool": (*_COMMON, "tool", "supports"),
    "provider": (*_COMMON, "api_key_env", "api_base"),
}
_RETRIES = 3
_MESSAGE_MAX = 1000
