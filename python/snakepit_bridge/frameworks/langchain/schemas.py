"""JSON Schemas of the LangChain operations: what the host checks before a call is sent, and shows
to people.

It owns words and limits only. It must not import LangChain: the schemas are data.
"""

from __future__ import annotations

from typing import Any

from .chunk_schemas import CHUNKS
from .schema_parts import (
    CHECKPOINT,
    FAILURE,
    GRAPH,
    GRAPH_RESULT,
    INPUT,
    LM,
    MESSAGES,
    ORIGIN,
    RUN,
    STATE,
    THREAD,
    USAGE,
    modes,
    object_of,
    reference,
)

__all__ = ["OPERATIONS", "OPTIONS", "schema"]


def schema(operation: str) -> dict[str, Any]:
    """`parameters`, `result` and `chunk` of an operation, for the decorator. What has chunks
    streams."""
    required, properties, result = OPERATIONS[operation]
    chunk = CHUNKS.get(operation)
    return {
        "streaming": chunk is not None,
        "chunk": chunk,
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "required": required,
            "properties": properties,
        },
        "result": result,
    }


Operation = tuple[list[str], dict[str, Any], dict[str, Any] | None]

OPERATIONS: dict[str, Operation] = {
    "invoke": (
        ["pipeline", "input"],
        {"pipeline": reference("The pipeline"), "input": INPUT, "lm": LM},
        object_of({"output": {}, "pipeline": ORIGIN, **USAGE}),
    ),
    "batch": (
        ["pipeline", "inputs"],
        {
            "pipeline": reference("The pipeline"),
            "inputs": {
                "type": "array",
                "maxItems": 100000,
                "items": INPUT,
                "description": "One for each run.",
            },
            "lm": LM,
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
        object_of(
            {
                "results": {
                    "type": "array",
                    "description": "In the order of the inputs.",
                    "items": object_of({"output": {}, "error": FAILURE}, []),
                },
                "failed": {"type": "integer"},
                "pipeline": ORIGIN,
                **USAGE,
            }
        ),
    ),
    "events": (
        ["pipeline", "input"],
        {
            "pipeline": reference("The pipeline"),
            "input": INPUT,
            "lm": LM,
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
        object_of({"output": {}, "pipeline": ORIGIN, **USAGE}),
    ),
    "describe": (
        ["pipeline"],
        {"pipeline": reference("The pipeline"), "lm": LM},
        object_of(
            {
                "input_schema": {"type": "object"},
                "output_schema": {"type": "object"},
                "steps": {"type": "array", "items": {"type": "string"}},
                "pipeline": ORIGIN,
            }
        ),
    ),
    "agent": (
        ["agent", "input"],
        {
            "agent": reference("The agent"),
            "input": MESSAGES,
            "lm": LM,
            "thread": THREAD,
            "modes": modes(["messages", "updates"]),
        },
        object_of(
            {
                "output": {"type": "string", "description": "Text of the last message."},
                "structured": {"description": "The structured answer; null without a schema."},
                "messages": {"type": "array", "items": {"type": "object"}},
                "agent": ORIGIN,
                **USAGE,
            }
        ),
    ),
    "graphs": ([], {}, object_of({"graphs": {"type": "array", "items": {"type": "object"}}})),
    "graph_invoke": (
        ["graph", "input"],
        {
            "graph": GRAPH,
            "input": {"description": "The graph's input; null goes on from where it stopped."},
            "thread": THREAD,
            "checkpoint": CHECKPOINT,
            "modes": modes(["messages", "updates"]),
            **RUN,
        },
        GRAPH_RESULT,
    ),
    "graph_resume": (
        ["graph", "thread"],
        {
            "graph": GRAPH,
            "thread": THREAD,
            "value": {"description": "The answer to the one interrupt that waits."},
            "values": {
                "type": "object",
                "minProperties": 1,
                "description": "Answers by the ids of interrupts.",
            },
            "update": {"type": "object", "description": "Changes of the state beside the answer."},
            "modes": modes(["messages", "updates"]),
            **RUN,
        },
        GRAPH_RESULT,
    ),
    "graph_state": (
        ["graph", "thread"],
        {"graph": GRAPH, "thread": THREAD, "checkpoint": CHECKPOINT},
        STATE,
    ),
    "graph_history": (
        ["graph", "thread"],
        {
            "graph": GRAPH,
            "thread": THREAD,
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 20,
                "description": "At most so many, the newest first.",
            },
            "before": CHECKPOINT,
        },
        object_of({"states": {"type": "array", "items": STATE}}),
    ),
    "graph_update": (
        ["graph", "thread", "values"],
        {
            "graph": GRAPH,
            "thread": THREAD,
            "checkpoint": CHECKPOINT,
            "values": {"description": "What is to be written into the state."},
            "as_node": {"type": "string", "description": "The node that counts as its writer."},
        },
        object_of({"checkpoint": {"type": "string"}}),
    ),
    "threads": ([], {}, object_of({"threads": {"type": "array", "items": {"type": "object"}}})),
    "delete_thread": (["thread"], {"thread": THREAD}, {"type": "null"}),
}

OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "graphs": {
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": "^[^:]+:[^:]+$"},
            "default": {},
            "description": "Graphs that may be run: module:attribute by name.",
        },
        "checkpoints_kept": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10000,
            "default": 100,
            "description": "How many checkpoints of a thread and namespace stay.",
        },
    },
}
