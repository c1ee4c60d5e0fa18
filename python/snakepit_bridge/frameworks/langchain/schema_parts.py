"""JSON Schemas that several LangChain operations share: language models, references, states.

It owns these pieces. It must not import LangChain: the schemas are data.
"""

from __future__ import annotations

from typing import Any


def object_of(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """An object with these properties, all of them required unless told otherwise."""
    return {
        "type": "object",
        "required": sorted(properties) if required is None else required,
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

LM: dict[str, Any] = {
    "description": "The language model: a tool of the host, or a provider. In a pipeline or an "
    "agent, the one that the document itself names counts.",
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
                    "default": ["tools"],
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
                "kind": {"const": "provider"},
                "model": {
                    "type": "string",
                    "description": "provider:model, as openai:gpt-4o-mini.",
                },
                "api_key_env": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Name of the worker's environment variable that holds the key.",
                },
                "api_base": {"type": "string", "description": "Where the provider's API is."},
                **_LM_COMMON,
            },
        },
    ],
}


def reference(what: str) -> dict[str, Any]:
    """A document by the name of a variable, by that and a version, or itself."""
    return {
        "description": f"{what}: the name of a variable that holds it, that with a version, or the "
        "document itself (docs/langchain.md).",
        "oneOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "object",
                "required": ["variable"],
                "properties": {
                    "variable": {"type": "string", "minLength": 1},
                    "version": {"type": "integer", "minimum": 1},
                },
                "additionalProperties": False,
            },
            {"type": "object", "not": {"required": ["variable"]}},
        ],
    }


INPUT: dict[str, Any] = {"description": "What goes in; its form is up to the first step."}
ORIGIN: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "Which version of which variable ran; null for a document.",
    "properties": {"variable": {"type": "string"}, "version": {"type": "integer"}},
}
USAGE: dict[str, Any] = {
    "usage": {
        "type": "object",
        "description": "Tokens as the models counted them; empty if they did not.",
        "properties": {
            "prompt_tokens": {"type": "integer"},
            "completion_tokens": {"type": "integer"},
            "total_tokens": {"type": "integer"},
        },
    },
    "lm_calls": {"type": "integer", "description": "Answers of language models."},
}
FAILURE: dict[str, Any] = object_of(
    {
        "status": {"type": "string", "description": "Name of a status, as TOOL_FAILED."},
        "type": {"type": "string", "description": "The type of the exception."},
        "message": {"type": "string"},
    }
)
MESSAGES: dict[str, Any] = {
    "description": "A text, or messages in the words of docs/host_lm.md. Null, with a thread, goes "
    "on from where it stopped.",
    "oneOf": [
        {"type": ["string", "null"]},
        {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role"]}},
    ],
}
GRAPH: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "Name of a graph of the framework option `graphs`.",
}
THREAD: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "description": "Names the thread whose checkpoints the session keeps.",
}
CHECKPOINT: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "Id of a checkpoint of the thread; without it the newest one.",
}
_LIMIT: dict[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 10000,
    "default": 25,
    "description": "Supersteps after which a graph that has not ended is given up.",
}
RUN: dict[str, Any] = {
    "recursion_limit": _LIMIT,
    "durability": {
        "enum": ["sync", "async", "exit"],
        "default": "sync",
        "description": "When checkpoints are written: before the next step begins, while it runs, "
        "or at the end.",
    },
}


def modes(default: list[str]) -> dict[str, Any]:
    """What a graph that streams may show."""
    return {
        "type": "array",
        "items": {"enum": ["messages", "updates", "values", "custom"]},
        "uniqueItems": True,
        "default": default,
        "description": "What a caller that asks for a stream is shown.",
    }


INTERRUPTS: dict[str, Any] = {
    "type": "array",
    "description": "What the graph waits for; `graph_resume` answers.",
    "items": object_of({"id": {"type": "string"}, "value": {}}),
}
STATE: dict[str, Any] = object_of(
    {
        "values": {"description": "The graph's state."},
        "next": {"type": "array", "items": {"type": "string"}, "description": "Nodes to run next."},
        "interrupts": INTERRUPTS,
        "checkpoint": {"type": ["string", "null"]},
        "parent": {"type": ["string", "null"], "description": "The checkpoint before it."},
        "created_at": {"type": ["string", "null"]},
        "metadata": {"type": "object", "description": "Step, source and the like."},
        "tasks": {"type": "array", "items": {"type": "object"}},
    }
)
GRAPH_RESULT: dict[str, Any] = object_of(
    {"output": {"description": "The graph's last values."}, "interrupts": INTERRUPTS, **USAGE}
)
