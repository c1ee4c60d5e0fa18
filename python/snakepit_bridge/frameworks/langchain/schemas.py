"""JSON Schemas of the LangChain operations: what the host checks before a call is sent, and shows
to people.

It owns words and limits only. It must not import LangChain: the schemas are data.
"""

from __future__ import annotations

from typing import Any

__all__ = ["OPERATIONS", "schema"]


def schema(operation: str) -> dict[str, Any]:
    """`parameters` and `result` of an operation, for the decorator."""
    required, properties, result = OPERATIONS[operation]
    return {
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "required": required,
            "properties": properties,
        },
        "result": result,
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
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

_LM: dict[str, Any] = {
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


def _reference(what: str) -> dict[str, Any]:
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


_INPUT: dict[str, Any] = {"description": "What goes in; its form is up to the first step."}
_ORIGIN: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "Which version of which variable ran; null for a document.",
    "properties": {"variable": {"type": "string"}, "version": {"type": "integer"}},
}
_USAGE: dict[str, Any] = {
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
_FAILURE: dict[str, Any] = _object(
    {
        "status": {"type": "string", "description": "Name of a status, as TOOL_FAILED."},
        "type": {"type": "string", "description": "The type of the exception."},
        "message": {"type": "string"},
    }
)
_MESSAGES: dict[str, Any] = {
    "description": "A text, or messages in the words of docs/host_lm.md. Null, with a thread, goes "
    "on from where it stopped.",
    "oneOf": [
        {"type": ["string", "null"]},
        {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role"]}},
    ],
}
_GRAPH: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "Name of a graph of the framework option `graphs`.",
}
_THREAD: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "description": "Names the thread whose checkpoints the session keeps.",
}
_CHECKPOINT: dict[str, Any] = {
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
_RUN: dict[str, Any] = {
    "recursion_limit": _LIMIT,
    "durability": {
        "enum": ["sync", "async", "exit"],
        "default": "sync",
        "description": "When checkpoints are written: before the next step begins, while it runs, "
        "or at the end.",
    },
}


def _modes(default: list[str]) -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"enum": ["messages", "updates", "values", "custom"]},
        "uniqueItems": True,
        "default": default,
        "description": "What a caller that asks for a stream is shown.",
    }


_INTERRUPTS: dict[str, Any] = {
    "type": "array",
    "description": "What the graph waits for; `graph_resume` answers.",
    "items": _object({"id": {"type": "string"}, "value": {}}),
}
_STATE: dict[str, Any] = _object(
    {
        "values": {"description": "The graph's state."},
        "next": {"type": "array", "items": {"type": "string"}, "description": "Nodes to run next."},
        "interrupts": _INTERRUPTS,
        "checkpoint": {"type": ["string", "null"]},
        "parent": {"type": ["string", "null"], "description": "The checkpoint before it."},
        "created_at": {"type": ["string", "null"]},
        "metadata": {"type": "object", "description": "Step, source and the like."},
        "tasks": {"type": "array", "items": {"type": "object"}},
    }
)
_GRAPH_RESULT: dict[str, Any] = _object(
    {"output": {"description": "The graph's last values."}, "interrupts": _INTERRUPTS, **_USAGE}
)

Operation = tuple[list[str], dict[str, Any], dict[str, Any] | None]

OPERATIONS: dict[str, Operation] = {
    "invoke": (
        ["pipeline", "input"],
        {"pipeline": _reference("The pipeline"), "input": _INPUT, "lm": _LM},
        _object({"output": {}, "pipeline": _ORIGIN, **_USAGE}),
    ),
    "batch": (
        ["pipeline", "inputs"],
        {
            "pipeline": _reference("The pipeline"),
            "inputs": {"type": "array", "maxItems": 100000, "items": _INPUT},
            "lm": _LM,
            "max_concurrency": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 16,
                "description": "How many run at the same time.",
            },
            "on_error": {
                "enum": ["fail", "collect"],
                "default": "fail",
                "description": "Whether one failure ends the batch, or stands in its results.",
            },
        },
        _object(
            {
                "results": {
                    "type": "array",
                    "description": "In the order of the inputs.",
                    "items": _object({"output": {}, "error": _FAILURE}, []),
                },
                "failed": {"type": "integer"},
                "pipeline": _ORIGIN,
                **_USAGE,
            }
        ),
    ),
    "events": (
        ["pipeline", "input"],
        {
            "pipeline": _reference("The pipeline"),
            "input": _INPUT,
            "lm": _LM,
            **{
                f"{verb}_{what}": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": f"Only events of these {what}."
                    if verb == "include"
                    else f"No events of these {what}.",
                }
                for verb in ("include", "exclude")
                for what in ("names", "types", "tags")
            },
        },
        _object({"output": {}, "pipeline": _ORIGIN, **_USAGE}),
    ),
    "describe": (
        ["pipeline"],
        {"pipeline": _reference("The pipeline"), "lm": _LM},
        _object(
            {
                "input_schema": {"type": "object"},
                "output_schema": {"type": "object"},
                "steps": {"type": "array", "items": {"type": "string"}},
                "pipeline": _ORIGIN,
            }
        ),
    ),
    "agent": (
        ["agent", "input"],
        {
            "agent": _reference("The agent"),
            "input": _MESSAGES,
            "lm": _LM,
            "thread": _THREAD,
            "modes": _modes(["messages", "updates"]),
        },
        _object(
            {
                "output": {"type": "string", "description": "Text of the last message."},
                "structured": {"description": "The structured answer; null without a schema."},
                "messages": {"type": "array", "items": {"type": "object"}},
                "agent": _ORIGIN,
                **_USAGE,
            }
        ),
    ),
    "graphs": ([], {}, _object({"graphs": {"type": "array", "items": {"type": "object"}}})),
    "graph_invoke": (
        ["graph", "input"],
        {
            "graph": _GRAPH,
            "input": {"description": "The graph's input; null goes on from where it stopped."},
            "thread": _THREAD,
            "checkpoint": _CHECKPOINT,
            "modes": _modes(["messages", "updates"]),
            **_RUN,
        },
        _GRAPH_RESULT,
    ),
    "graph_resume": (
        ["graph", "thread"],
        {
            "graph": _GRAPH,
            "thread": _THREAD,
            "value": {"description": "The answer to the one interrupt that waits."},
            "values": {
                "type": "object",
                "minProperties": 1,
                "description": "Answers by the ids of interrupts.",
            },
            "update": {"type": "object", "description": "Changes of the state beside the answer."},
            "modes": _modes(["messages", "updates"]),
            **_RUN,
        },
        _GRAPH_RESULT,
    ),
    "graph_state": (
        ["graph", "thread"],
        {"graph": _GRAPH, "thread": _THREAD, "checkpoint": _CHECKPOINT},
        _STATE,
    ),
    "graph_history": (
        ["graph", "thread"],
        {
            "graph": _GRAPH,
            "thread": _THREAD,
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 20,
                "description": "At most so many, the newest first.",
            },
            "before": _CHECKPOINT,
        },
        _object({"states": {"type": "array", "items": _STATE}}),
    ),
    "graph_update": (
        ["graph", "thread", "values"],
        {
            "graph": _GRAPH,
            "thread": _THREAD,
            "checkpoint": _CHECKPOINT,
            "values": {"description": "What is to be written into the state."},
            "as_node": {"type": "string", "description": "The node that counts as its writer."},
        },
        _object({"checkpoint": {"type": "string"}}),
    ),
    "threads": ([], {}, _object({"threads": {"type": "array", "items": {"type": "object"}}})),
    "delete_thread": (["thread"], {"thread": _THREAD}, {"type": "null"}),
}
