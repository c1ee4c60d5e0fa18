"""JSON Schemas of metrics, data and embedders: what the host checks, and shows to people.

It owns words and limits only. Which keys go with which kind of metric is checked when the metric is
built, with better words than a schema has. It must not import DSPy: the schemas are data.
"""

from __future__ import annotations

from typing import Any

__all__ = ["DATA", "EMBEDDER", "METRIC"]

METRIC: dict[str, Any] = {
    "type": "object",
    "required": ["kind"],
    "description": "How a prediction is judged; docs/dspy.md has the kinds and their keys.",
    "properties": {
        "kind": {
            "type": "string",
            "description": "exact_match, contains, f1, passage_match, semantic_f1, "
            "complete_and_grounded, python or host_tool.",
        },
        "field": {"type": "string", "description": "The output field that is judged."},
        "reference": {
            "type": "string",
            "description": "The example's field with what was wanted; the name of `field` if left "
            "out.",
        },
        "normalize": {
            "type": "boolean",
            "default": True,
            "description": "exact_match: case, punctuation and articles do not count.",
        },
        "threshold": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "The score from which an optimizer takes a prediction as a "
            "demonstration.",
        },
        "question": {"type": "string", "description": "Kinds that ask a model: that field's name."},
        "context": {"type": "string", "description": "complete_and_grounded: field of passages."},
        "decompositional": {
            "type": "boolean",
            "default": False,
            "description": "semantic_f1: list key ideas before they are compared.",
        },
        "lm": {"type": "object", "description": "The judging model; the program's if left out."},
        "name": {"type": "string", "description": "python: name of a function marked @metric."},
        "tool": {"type": "string", "description": "host_tool: name of the tool that judges."},
        "timeout_ms": {
            "type": "integer",
            "minimum": 1,
            "description": "host_tool: for one judgement.",
        },
        "on_error": {
            "type": "object",
            "required": ["score"],
            "additionalProperties": False,
            "properties": {
                "score": {"type": ["number", "boolean"]},
                "feedback": {"type": "string"},
            },
            "description": "Stands in for a judgement that failed; without it a failure ends the "
            "operation.",
        },
    },
}

_INPUTS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Which fields are inputs; those of the program if left out.",
}

DATA: dict[str, Any] = {
    "description": "Examples: objects with input fields and, as labels, all others.",
    "anyOf": [
        {"type": "array", "items": {"type": "object"}},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "rows": {"type": "array", "items": {"type": "object"}},
                "variable": {
                    "type": "string",
                    "description": "A json variable that holds the rows.",
                },
                "version": {"type": "integer", "description": "The newest if left out."},
                "inputs": _INPUTS,
            },
        },
    ],
}

EMBEDDER: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "tool"],
    "description": "Who makes vectors of texts: a host tool, asked with {texts}, which answers a "
    "list of vectors or an array with a row for each.",
    "properties": {
        "kind": {"const": "host_tool"},
        "tool": {"type": "string", "minLength": 1},
        "batch_size": {"type": "integer", "minimum": 1, "maximum": 100000, "default": 512},
        "timeout_ms": {"type": "integer", "minimum": 1},
    },
}
