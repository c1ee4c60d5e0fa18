"""JSON Schemas of what the LangChain operations show while they run.

It owns the kinds of chunks of each operation. It must not import LangChain: the schemas are data.
"""

from __future__ import annotations

from typing import Any

from .schema_parts import FAILURE, INTERRUPTS, object_of

__all__ = ["CHUNKS"]

_NODE: dict[str, Any] = {"type": ["string", "null"], "description": "The node it comes from."}


def _chunk(type: str, doc: str, **properties: Any) -> dict[str, Any]:
    described = {"type": {"const": type}, **properties}
    return {"description": doc, **object_of(described), "additionalProperties": False}


def _tokens(**more: Any) -> list[dict[str, Any]]:
    nullable = {"type": ["string", "null"]}
    return [
        _chunk("token", "Text of a model, as it comes.", text={"type": "string"}, **more),
        _chunk(
            "tool_call",
            "A piece of a call that a model writes; arguments are a piece of their JSON text.",
            index={"type": ["integer", "string", "null"]},
            id=nullable,
            name=nullable,
            arguments=nullable,
            **more,
        ),
    ]


_GRAPH_CHUNK: dict[str, Any] = {
    "oneOf": [
        *_tokens(node=_NODE),
        _chunk("message", "A whole message that a node gave.", node=_NODE, message={}),
        _chunk("update", "What a node has changed.", node=_NODE, values={}),
        _chunk("interrupt", "The graph waits for answers.", interrupts=INTERRUPTS),
        _chunk("values", "The state after a step.", values={}),
        _chunk("custom", "What a node itself has shown.", value={}),
    ]
}

CHUNKS: dict[str, dict[str, Any]] = {
    "invoke": {
        "oneOf": [*_tokens(), _chunk("output", "A piece of the output that is no text.", value={})]
    },
    "batch": {
        "description": "One input is done.",
        **object_of(
            {
                "type": {"const": "item"},
                "index": {"type": "integer", "description": "Which input."},
                "output": {},
                "error": FAILURE,
            },
            ["type", "index"],
        ),
    },
    "events": {
        "description": "An event of LangChain, version 2.",
        **object_of(
            {
                "type": {"const": "event"},
                "event": {"type": "string", "description": "As on_chat_model_stream."},
                "name": {"type": "string"},
                "run_id": {"type": "string"},
                "parent_ids": {"type": "array", "items": {"type": "string"}},
                "tags": {"type": "array", "items": {"type": "string"}},
                "metadata": {"type": "object"},
                "data": {"type": "object"},
            },
            ["type", "event", "name", "run_id", "data"],
        ),
    },
    "agent": _GRAPH_CHUNK,
    "graph_invoke": _GRAPH_CHUNK,
    "graph_resume": _GRAPH_CHUNK,
}
