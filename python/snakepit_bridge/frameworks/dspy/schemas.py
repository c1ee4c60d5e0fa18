"""JSON Schemas of the DSPy operations: what the host checks before a call is sent, and shows to
people.

It owns words and limits only. It must not import DSPy: the schemas are data.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ADAPTER",
    "DOCUMENT",
    "HISTORY",
    "LM",
    "LM_KINDS",
    "OPTIONS",
    "RECORD",
    "RESULT",
    "SAMPLING",
    "STATUS",
    "parameters",
]


def parameters(kind: str) -> dict[str, Any]:
    """The parameters of operation `kind`."""
    properties: dict[str, Any] = {
        "signature": _SIGNATURE,
        "inputs": {"type": "object", "description": "A value for each input field."},
        "lm": LM,
        "adapter": {**ADAPTER, "default": "chat"},
        "demos": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Worked examples: objects with input and output fields.",
        },
        "config": {
            "type": "object",
            "additionalProperties": False,
            "properties": SAMPLING,
            "description": "Sampling settings of this program, before those of lm.",
        },
        "history": HISTORY,
        "status": STATUS,
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
        properties["native_tool_calls"] = {
            "type": "boolean",
            "default": False,
            "description": 'The model\'s own tool calls; lm needs "supports": ["tools"].',
        }
        required.append("tools")
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


SAMPLING: dict[str, Any] = {
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
        "min": {"type": "number", "description": "The least number allowed."},
        "max": {"type": "number", "description": "The greatest number allowed."},
        "min_length": {"type": "integer", "minimum": 0},
        "max_length": {"type": "integer", "minimum": 0},
        "pattern": {"type": "string", "description": "A regular expression for texts."},
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

LM_KINDS: dict[str, dict[str, Any]] = {
    "host_tool": {
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
    "litellm": {
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
    "transformers": {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", "model"],
        "properties": {
            "kind": {"const": "transformers"},
            "model": {
                "type": "string",
                "minLength": 1,
                "description": "A model of framework `transformers` in the same pool.",
            },
            **{name: SAMPLING[name] for name in ("temperature", "max_tokens", "top_p", "stop")},
            "seed": {"type": "integer", "minimum": 0},
        },
    },
}

LM: dict[str, Any] = {
    "description": "The language model: a tool of the host, a provider, or one in the worker.",
    "oneOf": list(LM_KINDS.values()),
}

STATUS: dict[str, Any] = {
    "type": "array",
    "items": {"enum": ["tool", "module", "lm"]},
    "default": ["tool"],
    "description": "Streaming: which messages come between tokens: of tools that are called, of "
    "modules that begin, of language models that are asked.",
}

HISTORY: dict[str, Any] = {
    "type": "boolean",
    "default": False,
    "description": "The result also tells what was asked of language models, and answered.",
}

ADAPTER: dict[str, Any] = {
    "enum": ["chat", "json", "xml"],
    "description": "How fields are written into prompts and read from answers.",
}

# The keys of a program document. What is inside signature, lm, config, options and programs is
# checked with better words than a schema has.
DOCUMENT: dict[str, dict[str, Any]] = {
    "module": {"type": "string"},
    "signature": {"type": ["string", "object"]},
    "instructions": {"type": "string"},
    "demos": {"type": "array", "items": {"type": "object"}},
    "tools": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "lm": {"type": "object"},
    "adapter": ADAPTER,
    "config": {"type": "object"},
    "options": {"type": "object"},
    "programs": {
        "type": "object",
        "maxProperties": 256,
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": {"type": "object"},
    },
    "state": {"type": "object"},
}

_TOKENS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "prompt_tokens": {"type": "integer"},
        "completion_tokens": {"type": "integer"},
        "total_tokens": {"type": "integer"},
    },
}

# What a result tells of the language models behind it.
RECORD: dict[str, Any] = {
    "usage": {
        **_TOKENS,
        "description": "Tokens as the language models counted them; empty if they did not.",
    },
    "usage_by_model": {
        "type": "object",
        "description": "The same for each model, by the name in `lm.model` (else of the tool).",
        "additionalProperties": _TOKENS,
    },
    "lm_calls": {"type": "integer", "description": "Requests to language models."},
    "history": {
        "type": "array",
        "description": "With `history`: the newest requests, oldest first.",
        "items": {
            "type": "object",
            "required": ["model", "messages", "settings", "outputs", "usage"],
            "properties": {
                "model": {"type": "string"},
                "messages": {"type": "array"},
                "settings": {"type": "object"},
                "outputs": {"type": "array"},
                "usage": _TOKENS,
                "answered_by": {"type": "string", "description": "As the model calls itself."},
                "cost": {"type": "number", "description": "In US dollars, where it is known."},
            },
        },
    },
    "history_dropped": {"type": "integer", "description": "Older requests that were not kept."},
}

RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["outputs", "usage", "lm_calls"],
    "properties": {
        "outputs": {"type": "object", "description": "The output fields, `reasoning` among them."},
        **RECORD,
        "trajectory": {
            "type": "array",
            "description": "An agent's steps, in order.",
            "items": {
                "type": "object",
                "properties": {
                    "thought": {"type": "string"},
                    "tool": {"type": "string"},
                    "arguments": {"type": "object"},
                    "code": {"type": "string", "description": "code_act, in place of a tool."},
                    "observation": {},
                },
            },
        },
        "program": {
            "type": "object",
            "description": "Which version of which variable ran, for a program by name.",
            "properties": {"variable": {"type": "string"}, "version": {"type": "integer"}},
        },
    },
}

OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "modules": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Modules of the user's own, with metrics and programs.",
        },
        "interpreter": {
            "enum": ["local", "deno"],
            "description": "What runs code that a language model wrote; without it, nothing does.",
        },
        "interpreter_timeout_ms": {
            "type": "integer",
            "minimum": 1,
            "default": 30_000,
            "description": "For one request to the interpreter.",
        },
    },
}
