"""JSON Schemas of the operations that work on data: evaluate, batch, lm, embed, retrieve, knn.

It owns words and limits only. It must not import DSPy: the schemas are data.
"""

from __future__ import annotations

from typing import Any

from .evaluation_schemas import DATA, EMBEDDER, METRIC
from .program_schemas import REFERENCE, RUN
from .schemas import HISTORY, LM, RECORD, SAMPLING

__all__ = [
    "ASK",
    "ASK_RESULT",
    "BATCH",
    "BATCH_RESULT",
    "EMBED",
    "EMBED_RESULT",
    "EVALUATE",
    "EVALUATE_RESULT",
    "KNN",
    "KNN_RESULT",
    "RETRIEVE",
    "RETRIEVE_RESULT",
]


def _object(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


def _result(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_AT_ONCE: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 1024}
_OF_RUN = {name: RUN["properties"][name] for name in ("lm", "adapter", "config")}
_PROGRAM: dict[str, Any] = {
    "type": "object",
    "description": "Which version of which variable ran, for a program by name.",
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["status", "message", "type"],
    "properties": {
        "status": {"type": "string", "description": "A status by name, as TOOL_FAILED."},
        "message": {"type": "string"},
        "type": {"type": "string", "description": "The Python exception."},
        "details": {"type": "object"},
    },
}

EVALUATE = _object(
    ["program", "data", "metric"],
    {
        "program": REFERENCE,
        "data": DATA,
        "metric": METRIC,
        **_OF_RUN,
        "threads": {**_AT_ONCE, "default": 8, "description": "Examples at the same time."},
        "max_errors": {
            "type": "integer",
            "minimum": 1,
            "default": 10,
            "description": "So many failed examples end the evaluation with the last failure.",
        },
        "failure_score": {
            "type": "number",
            "default": 0,
            "description": "The score of an example whose program failed.",
        },
        "results": {
            "enum": ["all", "errors", "none"],
            "default": "all",
            "description": "Which examples the result has.",
        },
        "history": HISTORY,
    },
)
EVALUATE_RESULT = _result(
    ["score", "count", "errors", "results"],
    {
        "score": {
            "type": "number",
            "description": "In percent: 100 is a mean of one point for each example.",
        },
        "count": {"type": "integer", "description": "Examples."},
        "errors": {"type": "integer", "description": "Examples whose program failed."},
        "results": {
            "type": "array",
            "description": "In the order of the examples.",
            "items": {
                "type": "object",
                "required": ["index", "score"],
                "properties": {
                    "index": {"type": "integer"},
                    "prediction": {"type": "object", "description": "The output fields."},
                    "score": {"type": "number"},
                    "feedback": {"type": "string"},
                    "error": _ERROR,
                },
            },
        },
        "program": _PROGRAM,
        **RECORD,
    },
)

BATCH = _object(
    ["program", "inputs"],
    {
        "program": REFERENCE,
        "inputs": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object"},
            "description": "For each run a value for each input field.",
        },
        **_OF_RUN,
        "max_concurrency": {
            **_AT_ONCE,
            "default": 64,
            "description": "Runs at the same time.",
        },
        "history": HISTORY,
    },
)
BATCH_RESULT = _result(
    ["results", "errors"],
    {
        "results": {
            "type": "array",
            "description": "In the order of the inputs: outputs, or why there are none.",
            "items": {
                "type": "object",
                "properties": {"outputs": {"type": "object"}, "error": _ERROR},
            },
        },
        "errors": {"type": "integer", "description": "Runs that failed."},
        "program": _PROGRAM,
        **RECORD,
    },
)

ASK = _object(
    ["lm"],
    {
        "lm": LM,
        "prompt": {"type": "string", "description": "One message of the user; or `messages`."},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["role"]},
            "description": "As in docs/host_lm.md.",
        },
        "config": {
            "type": "object",
            "additionalProperties": False,
            "properties": SAMPLING,
            "description": "Sampling settings, before those of lm.",
        },
        "n": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1024,
            "default": 1,
            "description": "So many answers, each to a request of its own.",
        },
        "tools": {
            "type": "array",
            "items": {"type": "object"},
            "description": 'Functions the model may ask for; lm needs "supports": ["tools"].',
        },
        "tool_choice": {
            "type": ["string", "object"],
            "description": "auto, none, required, or one of the functions.",
        },
        "response_format": {
            "type": "object",
            "description": 'A JSON Schema to keep to; lm needs "supports": ["response_format"].',
        },
        "history": HISTORY,
    },
)
ASK_RESULT = _result(
    ["choices"],
    {
        "choices": {
            "type": "array",
            "description": "The answers, one for each request.",
            "items": {
                "type": "object",
                "required": ["content", "finish_reason"],
                "properties": {
                    "content": {"type": ["string", "null"]},
                    "tool_calls": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "name": {"type": "string"},
                                "arguments": {"type": "object"},
                            },
                        },
                    },
                    "finish_reason": {"type": "string"},
                    "model": {"type": "string", "description": "The model that answered."},
                },
            },
        },
        **RECORD,
    },
)

EMBED = _object(
    ["embedder", "texts"],
    {
        "embedder": EMBEDDER,
        "texts": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "description": "What vectors are made of.",
        },
    },
)
EMBED_RESULT = _result(
    ["vectors"],
    {"vectors": {"description": "A tensor of float32 with a row for each text."}},
)

_NEAREST: dict[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "default": 5,
    "description": "So many at most.",
}
_FOUND: dict[str, Any] = {
    "indices": {
        "type": "array",
        "items": {"type": "integer"},
        "description": "Where they stand, counted from 0.",
    },
    "scores": {
        "type": "array",
        "items": {"type": "number"},
        "description": "The cosine of the angle between the vectors.",
    },
}

RETRIEVE = _object(
    ["queries", "corpus", "embedder"],
    {
        "queries": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "description": "What is looked for, each on its own.",
        },
        "corpus": {
            "description": "Strings, or objects with `text`; or the json variable that holds them.",
            "anyOf": [
                {"type": "array", "minItems": 1, "items": {"type": ["string", "object"]}},
                _object(["variable"], {"variable": {"type": "string", "minLength": 1}}),
            ],
        },
        "embedder": EMBEDDER,
        "k": _NEAREST,
    },
)
RETRIEVE_RESULT = _result(
    ["results"],
    {
        "results": {
            "type": "array",
            "description": "For each query what is nearest, the best first.",
            "items": {
                "type": "object",
                "properties": {
                    "query": {"type": "string"},
                    "passages": {"type": "array"},
                    **_FOUND,
                },
            },
        }
    },
)

KNN = _object(
    ["data", "inputs", "embedder"],
    {
        "data": DATA,
        "inputs": {
            "type": "object",
            "minProperties": 1,
            "description": "The fields to be compared, with their values.",
        },
        "embedder": EMBEDDER,
        "k": _NEAREST,
    },
)
KNN_RESULT = _result(
    ["examples"],
    {
        "examples": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Rows of the data, the nearest first.",
        },
        **_FOUND,
    },
)
