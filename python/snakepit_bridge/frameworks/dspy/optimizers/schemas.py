"""JSON Schemas of the operations `optimize` and `optimizers`.

It owns their words. The options of each optimizer come from the table, with DSPy's defaults, so
that the announced document has all of them.
"""

from __future__ import annotations

from typing import Any

from ..evaluation_schemas import DATA, METRIC
from ..program_schemas import REFERENCE
from ..schemas import ADAPTER, LM
from .table import OPTIMIZERS
from .training import TRAINING_SCHEMA

__all__ = ["LISTED", "PARAMETERS", "RESULT"]


def _model(description: str) -> dict[str, Any]:
    return {**LM, "description": description}


def _options() -> list[dict[str, Any]]:
    """For each optimizer: what its options are. Names are left to the worker, which knows the
    nearest one."""
    rules = []
    for name, optimizer in OPTIMIZERS.items():
        options = {**optimizer.schema(), "additionalProperties": True}
        del options["required"]
        rules.append(
            {
                "if": {"properties": {"optimizer": {"const": name}}, "required": ["optimizer"]},
                "then": {"properties": {"options": options}},
            }
        )
    return rules


_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1}

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["program", "optimizer"],
    "properties": {
        "program": REFERENCE,
        "optimizer": {
            "type": "string",
            "description": f"One of {', '.join(OPTIMIZERS)}.",
        },
        "options": {"type": "object", "description": "Those of the optimizer."},
        "data": {
            "type": "object",
            "description": "Examples to learn from and, if there are some, to judge by.",
            "additionalProperties": False,
            "required": ["train"],
            "properties": {"train": DATA, "validation": DATA},
        },
        "metric": METRIC,
        "lm": _model("The program's language model; without it, the one that the program names."),
        "prompt_lm": _model("Writes proposals; `lm` without it."),
        "teacher_lm": _model("Runs the teacher; `lm` without it."),
        "reflection_lm": _model("Reflects, for GEPA; `prompt_lm` or `lm` without it."),
        "teacher": {
            **REFERENCE,
            "description": "A program of the same structure whose traces teach; the program itself "
            "without it.",
        },
        "finetune": TRAINING_SCHEMA,
        "adapter": ADAPTER,
        "seed": {
            "type": "integer",
            "description": "That of the optimizer; one that has none gets the rows shuffled by it.",
        },
        "threads": {
            **_COUNT,
            "maximum": 256,
            "default": 8,
            "description": "Examples that are worked on at once.",
        },
        "only_if_better": {
            "type": "boolean",
            "default": False,
            "description": "Nothing is written unless the score has risen.",
        },
        "max_lm_calls": {**_COUNT, "description": "More requests to models end it."},
        "max_metric_calls": {**_COUNT, "description": "More judgements end it."},
    },
    "allOf": _options(),
}

_SCORE: dict[str, Any] = {
    "type": ["number", "null"],
    "description": "Percent on the validation rows, or without them on the training rows; null "
    "without a metric or rows.",
}

RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["program", "before", "after", "trials", "lm_calls", "metric_calls"],
    "properties": {
        "program": {
            "type": "object",
            "description": "The variable with its new version, or the new document.",
        },
        "written": {"type": "boolean", "description": "False only with `only_if_better`."},
        "optimizer": {"type": "string"},
        "before": _SCORE,
        "after": _SCORE,
        "trials": {
            "type": "array",
            "description": "The first thousand candidates that were scored, in order.",
            "items": {
                "type": "object",
                "properties": {
                    "trial": {"type": "integer"},
                    "score": {"type": ["number", "null"]},
                    "examples": {"type": "integer"},
                    "predictors": {"type": "object"},
                },
            },
        },
        "lm_calls": {"type": "integer"},
        "lm_failures": {"type": "integer", "description": "Requests that failed for good."},
        "metric_calls": {"type": "integer"},
        "usage": {"type": "object", "description": "Tokens of all models together."},
        "usage_by_model": {"type": "object", "description": "Tokens of each model."},
        "seconds": {"type": "number"},
    },
}

LISTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "optimizers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "doc": {"type": "string"},
                    "options": {"type": "object", "description": "A JSON Schema."},
                    "metric": {"enum": ["required", "optional", "feedback"]},
                    "models": {"type": "array", "items": {"type": "string"}},
                    "teacher": {"type": "boolean"},
                    "validation": {"type": "boolean"},
                },
            },
        }
    },
}
