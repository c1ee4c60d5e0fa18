"""JSON Schemas of the DSPy operations: what the host checks before a call is sent, and shows to
people.

It owns words and limits only. It must not import DSPy: the schemas are data.
"""

from __future__ import annotations

from typing import Any

__all__ = ["RESULT", "parameters"]


def parameters(kind: str) -> dict[str, Any]:
    """The parameters of operation `kind`."""
    properties: dict[str, Any] = {
        "signature": _SIGNATURE,
        "inputs": {"type": "object", "description": "A value for each input field."},
        "lm": _LM,
        "adapter": {
            "enum": ["chat", "json", "xml"],
            "default": "chat",
            "description": "How fields are written into prompts and read from answers.",
        },
        "demos": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Worked examples: objects with input and output fields.",
        },
        "config": {
            "type": "object",
            "additionalProperties": False,
            "properties": _SAMPLING,
            "description": "Sampling settings of this program, before those of lm.",
        },
    }
    required = ["signature", "inputs", "lm"]
    if kind == "react":
        properties["tools"] = {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names of host tools that the agent may call.",
        }
        properties["max_iters"] = {
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "default": 20,
            "description": "How many steps the agent has at most.",
        }
        required.append("tools")
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


_SAMPLING: dict[str, Any] = {
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "max_tokens": {"type": "integer", "minimum": 1},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "stop": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "seed": {"type": "integer"},
    "presence_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "frequency_penalty": {"type": "number", "minimum": -2, "maximum": 2},
}

_FIELD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "kind"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "kind": {"enum": ["input", "output"]},
        "type": {
            "type": "string",
            "default": "str",
            "description": "str, int, float, bool, list[T], dict[str, T], Literal[...], T | None.",
        },
        "description": {"type": "string"},
        "choices": {
            "type": "array",
            "minItems": 1,
            "items": {"type": ["string", "integer", "boolean"]},
            "description": "In place of type: the only values allowed.",
        },
    },
}

_SIGNATURE: dict[str, Any] = {
    "description": "What goes in and what comes out.",
    "oneOf": [
        {"type": "string", "description": "As in `question, context -> answer: float`."},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["fields"],
            "properties": {
                "instructions": {"type": "string"},
                "fields": {"type": "array", "minItems": 2, "items": _FIELD},
            },
        },
    ],
}

_LM_COMMON: dict[str, Any] = {
    **_SAMPLING,
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

_LM: dict[str, Any] = {
    "description": "The language model: a tool of the host, or a provider.",
    "oneOf": [
        {
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
                    "description": "What the model behind the tool can do besides text.",
                },
                **_LM_COMMON,
            },
        },
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind", "model"],
            "properties": {
                "kind": {"const": "litellm"},
                "model": {
                    "type": "string",
                    "description": "provider/model, as openai/gpt-4o-mini.",
                },
                "api_key_env": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Name of the worker's environment variable that holds the key.",
                },
                "api_base": {"type": "string"},
                "cache": {
                    "type": "boolean",
                    "default": False,
                    "description": "Keep answers in the worker's memory.",
                },
                **_LM_COMMON,
            },
        },
    ],
}

RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["outputs", "usage", "lm_calls"],
    "properties": {
        "outputs": {"type": "object", "description": "The output fields, `reasoning` among them."},
        "usage": {
            "type": "object",
            "description": "Tokens as the language model counted them; empty if it did not.",
            "properties": {
                "prompt_tokens": {"type": "integer"},
                "completion_tokens": {"type": "integer"},
                "total_tokens": {"type": "integer"},
            },
        },
        "lm_calls": {"type": "integer", "description": "Requests to the language model."},
        "trajectory": {
            "type": "array",
            "description": "An agent's steps, in order.",
            "items": {
                "type": "object",
                "properties": {
                    "thought": {"type": "string"},
                    "tool": {"type": "string"},
                    "arguments": {"type": "object"},
                    "observation": {},
                },
            },
        },
    },
}
