"""What the settings of a language model are in every framework: schemas, sampling, the key.

It owns the words that DSPy's and LangChain's settings share, so that one model is described alike
in both. It must not know either of them: what a provider is called is theirs.
"""

from __future__ import annotations

import os
from typing import Any

from ..errors import InvalidArgument

SAMPLING: dict[str, Any] = {
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "max_tokens": {"type": "integer", "minimum": 1},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "stop": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "seed": {"type": "integer"},
    "presence_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "frequency_penalty": {"type": "number", "minimum": -2, "maximum": 2},
}
"""The sampling settings, with the schema of each."""

COMMON: dict[str, Any] = {
    **SAMPLING,
    "retries": {
        "type": "integer",
        "minimum": 0,
        "maximum": 100,
        "default": 3,
        "description": "How often a failure that may pass is tried again.",
    },
    "timeout_ms": {"type": "integer", "minimum": 1, "description": "For one request to the model."},
    "extra": {"type": "object", "description": "Handed on unchanged."},
}
"""What settings of the host's models and of providers' have in common."""

API_KEY_ENV: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "Name of the worker's environment variable that holds the key.",
}


def host_tool_schema(**supports: Any) -> dict[str, Any]:
    """The settings of kind `host_tool`; `supports` is added to the schema of that key."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", "tool"],
        "properties": {
            "kind": {"const": "host_tool"},
            "tool": {"type": "string", "minLength": 1, "description": "See docs/host_lm.md."},
            "model": {"type": "string", "minLength": 1, "description": "Told to the tool."},
            "supports": {
                "type": "array",
                "items": {"enum": ["tools", "response_format"]},
                **supports,
                "description": "What the model behind the tool can do besides text.",
            },
            **COMMON,
        },
    }


def sampling(settings: dict[str, Any]) -> dict[str, Any]:
    """The sampling settings that are set."""
    return {name: settings[name] for name in SAMPLING if settings.get(name) is not None}


def key_from_environment(name: str, place: str) -> str:
    """The key in the worker's environment variable `name`. Raises `InvalidArgument` at `place` for
    one that is not set."""
    key = os.environ.get(name)
    if key:
        return key
    # Only the name is told: the value must never reach a message or a log.
    raise InvalidArgument(
        f"{place}.api_key_env `{name}` is not set in the worker's environment, "
        "expected it in the pool's environment allow-list"
    )
