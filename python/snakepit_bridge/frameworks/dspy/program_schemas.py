"""JSON Schemas of the operations on programs.

It owns words and limits only. It must not import DSPy: the schemas are data.
"""

from __future__ import annotations

from typing import Any

from .schemas import ADAPTER, HISTORY, LM, RESULT, SAMPLING, STATUS

__all__ = [
    "DESCRIPTION",
    "KINDS_TOLD",
    "LOAD",
    "LOADED",
    "NOTHING",
    "PROGRAM",
    "REFERENCE",
    "RUN",
    "RUN_RESULT",
    "STATE",
    "STORED",
    "VERDICT",
]

STORED: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["variable"],
    "properties": {
        "variable": {"type": "string", "minLength": 1},
        "version": {"type": "integer", "minimum": 1, "description": "The newest if left out."},
    },
}

REFERENCE: dict[str, Any] = {
    "description": "A program: the name of a variable, a version of one, or a document "
    "(docs/programs.md).",
    "anyOf": [
        {"type": "string", "minLength": 1},
        STORED,
        {"type": "object", "required": ["module"]},
    ],
}

RUN: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["program", "inputs"],
    "properties": {
        "program": REFERENCE,
        "inputs": {"type": "object", "description": "A value for each input field."},
        "lm": {**LM, "description": "In place of the program's own language model."},
        "adapter": {**ADAPTER, "description": "In place of the program's own; else chat."},
        "config": {
            "type": "object",
            "additionalProperties": False,
            "properties": SAMPLING,
            "description": "Sampling settings, before those of the program and of lm.",
        },
        "history": HISTORY,
        "status": STATUS,
    },
}

RUN_RESULT = RESULT

PROGRAM: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["program"],
    "properties": {"program": REFERENCE},
}

NOTHING: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}

KINDS_TOLD: dict[str, Any] = {
    "type": "object",
    "required": ["kinds", "document", "programs", "metrics"],
    "properties": {
        "kinds": {
            "type": "object",
            "description": "By the value of `module`: doc, which of signature, tools, programs and "
            "demos it has, and the JSON Schema of options.",
            "additionalProperties": {"type": "object"},
        },
        "document": {"type": "object", "description": "JSON Schema of the keys of a document."},
        "programs": {"type": "array", "items": {"type": "string"}},
        "metrics": {"type": "array", "items": {"type": "string"}},
    },
}

_FIELDS: dict[str, Any] = {
    "type": ["array", "null"],
    "description": "Null where it is not known before the program runs.",
    "items": {"type": "object", "required": ["name"]},
}

DESCRIPTION: dict[str, Any] = {
    "type": "object",
    "required": ["module", "inputs", "outputs", "predictors", "learned", "tools", "variables"],
    "properties": {
        "module": {"type": "string"},
        "doc": {"type": "string"},
        "inputs": _FIELDS,
        "outputs": _FIELDS,
        "predictors": {
            "type": "array",
            "description": "What a language model is asked for: name, instructions, inputs, "
            "outputs, number of demos, config.",
            "items": {"type": "object", "required": ["name", "instructions", "demos"]},
        },
        "learned": {"type": "boolean", "description": "Whether there is a state in it."},
        "tools": {"type": "array", "items": {"type": "string"}},
        "variables": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The variables that settings are bound to.",
        },
        "programs": {"type": "object", "additionalProperties": {"type": "string"}},
        "program": STORED,
    },
}

VERDICT: dict[str, Any] = {
    "type": "object",
    "required": ["valid"],
    "properties": {
        "valid": {"type": "boolean"},
        "place": {"type": "string", "description": "As in program.programs.draft.signature."},
        "message": {"type": "string"},
    },
}

STATE: dict[str, Any] = {
    "type": "object",
    "required": ["state"],
    "properties": {
        "state": {"type": "object", "description": "The content of DSPy's own JSON file."},
        "program": STORED,
    },
}

LOAD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["program", "state"],
    "properties": {
        "program": REFERENCE,
        "state": {"type": "object", "description": "The content of DSPy's own JSON file."},
        "expected_version": {
            "type": "integer",
            "minimum": 1,
            "description": "Of the variable; the one that was read if left out.",
        },
        "owner": {"type": "string", "description": "Gets past that owner's lock."},
    },
}

LOADED: dict[str, Any] = {
    "type": "object",
    "required": ["program"],
    "properties": {
        "program": {
            "type": "object",
            "description": "Variable and new version, or the document with the state.",
        }
    },
}
