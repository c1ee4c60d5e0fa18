"""JSON Schemas of the chunks that streaming operations show.

It owns words only. It must not import DSPy: the schemas are data.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ANSWER", "OPTIMIZING", "OUTCOME", "PROGRESS", "TOKENS"]


def _chunk(kind: str, required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", *required],
        "properties": {"type": {"const": kind}, **properties},
    }


_TEXT: dict[str, Any] = {"type": "string", "description": "The next piece."}

# Of programs.
TOKENS: dict[str, Any] = {
    "description": "Text of an output field, or what happened between two of them.",
    "anyOf": [
        _chunk(
            "token",
            ["field", "text", "predictor", "request"],
            {
                "field": {"type": "string", "description": "The output field."},
                "text": _TEXT,
                "predictor": {
                    "type": "string",
                    "description": "The part of the program that asked, as describe_program names "
                    "it.",
                },
                "request": {
                    "type": "integer",
                    "description": "The pieces of one request to a language model share it.",
                },
            },
        ),
        _chunk(
            "status",
            ["message"],
            {
                "message": {"type": "string", "description": "For people."},
                "tool": {"type": "string", "description": "The tool that is called."},
                "module": {"type": "string", "description": "The module that begins."},
                "model": {"type": "string", "description": "The language model that is asked."},
            },
        ),
    ],
}

# Of `lm`.
ANSWER: dict[str, Any] = _chunk(
    "token",
    ["index", "text"],
    {"index": {"type": "integer", "description": "Which of the choices."}, "text": _TEXT},
)

# Of `batch`.
OUTCOME: dict[str, Any] = _chunk(
    "result",
    ["index"],
    {
        "index": {"type": "integer", "description": "Which of the inputs."},
        "outputs": {"type": "object", "description": "The output fields."},
        "error": {"type": "object", "description": "Why there are none."},
    },
)

# Of `evaluate`.
PROGRESS: dict[str, Any] = _chunk(
    "progress",
    ["done", "total", "score", "errors"],
    {
        "done": {"type": "integer", "description": "Examples so far."},
        "total": {"type": "integer", "description": "Examples in all."},
        "score": {"type": "number", "description": "Of those so far, in percent."},
        "errors": {"type": "integer", "description": "Of those so far, with a failed program."},
    },
)

# Of `optimize`.
OPTIMIZING: dict[str, Any] = _chunk(
    "progress",
    ["phase", "trial", "done", "lm_calls", "metric_calls"],
    {
        "phase": {
            "type": "string",
            "description": "`before` and `after` score the program, `optimizing` works on it.",
        },
        "trial": {"type": "integer", "description": "Candidates scored so far."},
        "score": {"type": ["number", "null"], "description": "Of the last one, in percent."},
        "best": {"type": ["number", "null"], "description": "Of the best one, in percent."},
        "done": {"type": "integer", "description": "Examples of the evaluation under way."},
        "total": {"type": ["integer", "null"], "description": "Its examples in all, if known."},
        "lm_calls": {"type": "integer", "description": "Requests to language models so far."},
        "metric_calls": {"type": "integer", "description": "Judgements so far."},
    },
)
