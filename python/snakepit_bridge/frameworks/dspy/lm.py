"""Language model settings as data, and the `dspy.LM` made from them for one call.

It owns the kinds (`host_tool`, `litellm`, `transformers`), their settings and their refusals. An
API key comes by the name of an environment variable of the worker, so that it is never in a
parameter, a log or a stored program.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import dspy
import orjson

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument

from .engines import AsyncHostEngine, HostEngine
from .local_engine import AsyncLocalEngine, LocalEngine, check_local
from .models import HostModel, ProviderModel

__all__ = ["build_lm"]

# Above the function that it limits, because the decorator reads it.
_PROVIDERS_MAX = 32


def build_lm(settings: dict[str, Any], ctx: CallContext) -> dspy.LM:
    """The language model for one call. Raises `InvalidArgument` naming the setting at fault."""
    kind = settings.get("kind")
    if kind == "host_tool":
        return _host_tool(settings, ctx)
    if kind == "litellm":
        return _litellm(settings)
    if kind == "transformers":
        return _transformers(settings, ctx)
    raise InvalidArgument(f'lm.kind {kind!r}, expected "host_tool", "litellm" or "transformers"')


def _host_tool(settings: dict[str, Any], ctx: CallContext) -> dspy.LM:
    _refuse(settings, _LITELLM_ONLY, "host_tool", "the host owns the connection and its key")
    if settings.get("cache"):
        raise InvalidArgument(
            "lm.cache for kind `host_tool`, expected the host to keep its own cache"
        )
    tool = settings.get("tool")
    if not isinstance(tool, str) or not tool:
        raise InvalidArgument("lm.tool missing, expected the name of a host tool")
    options: dict[str, Any] = {
        "timeout": settings["timeout_ms"] / 1000 if settings.get("timeout_ms") else None,
        "extra": settings.get("extra"),
        "supports": frozenset(settings.get("supports") or ()),
    }
    model = settings.get("model") or "default"
    return HostModel(
        settings.get("model") or tool,
        HostEngine(ctx, tool, model, **options),
        AsyncHostEngine(ctx, tool, model, **options),
        num_retries=_retries(settings),
        **_sampling(settings),
    )


def _litellm(settings: dict[str, Any]) -> dspy.LM:
    _refuse(settings, _HOST_ONLY, "litellm", "it belongs to kind `host_tool`")
    model = settings.get("model")
    if not isinstance(model, str) or "/" not in model:
        raise InvalidArgument(
            f"lm.model {model!r}, expected provider/model as in openai/gpt-4o-mini"
        )
    # One object for equal settings: it holds the connections to the provider, and no call's state.
    return _provider_lm(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS))


def _transformers(settings: dict[str, Any], ctx: CallContext) -> dspy.LM:
    for names in (_LITELLM_ONLY, _HOST_ONLY, _NOT_LOCAL):
        _refuse(settings, names, "transformers", "the model is in this worker")
    model = settings.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidArgument("lm.model missing, expected a model of framework `transformers`")
    check_local()
    engines = LocalEngine(ctx, model), AsyncLocalEngine(ctx, model)
    return HostModel(model, *engines, num_retries=0, **_sampling(settings))


@functools.lru_cache(maxsize=_PROVIDERS_MAX)
def _provider_lm(settings_json: bytes) -> dspy.LM:
    settings = orjson.loads(settings_json)
    model = settings["model"]
    options = {**(settings.get("extra") or {}), **_sampling(settings)}
    if (name := settings.get("api_key_env")) is not None:
        options["api_key"] = _key(name)
    if settings.get("api_base"):
        options["api_base"] = settings["api_base"]
    if settings.get("timeout_ms"):
        options["timeout"] = settings["timeout_ms"] / 1000
    try:
        cache = bool(settings.get("cache"))
        return ProviderModel(model, cache=cache, num_retries=_retries(settings), **options)
    except dspy.LMConfigurationError as error:
        raise InvalidArgument(f"lm.model `{model}`: {error}") from error


def _key(name: str) -> str:
    key = os.environ.get(name)
    if key:
        return key
    # Only the name is told: the value must never reach a message or a log.
    raise InvalidArgument(
        f"lm.api_key_env `{name}` is not set in the worker's environment, "
        "expected it in the pool's environment allow-list"
    )


def _sampling(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in SAMPLING if settings.get(name) is not None}


def _retries(settings: dict[str, Any]) -> int:
    retries = settings.get("retries")
    return _RETRIES if retries is None else retries


def _refuse(settings: dict[str, Any], names: tuple[str, ...], kind: str, why: str) -> None:
    for name in names:
        if settings.get(name) is not None:
            raise InvalidArgument(f"lm.{name} for kind `{kind}`, expected none: {why}")


SAMPLING = (
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)
_LITELLM_ONLY = ("api_key_env", "api_base")
_HOST_ONLY = ("tool", "supports")
_NOT_LOCAL = ("cache", "timeout_ms", "extra", "presence_penalty", "frequency_penalty")
_RETRIES = 3
