"""A program told to people and to programs: fields, predictors, what is learned, what is used.

It owns the shape of that description. It must not build or run anything.
"""

from __future__ import annotations

from typing import Any

import dspy
import pydantic

from .documents import Program

__all__ = ["described"]


def described(program: Program, module: dspy.Module) -> dict[str, Any]:
    """The description of a program and the module that was built from it."""
    inputs, outputs = program.fields()
    parts = list(program.walk())
    return {
        "module": program.kind.name,
        "doc": program.kind.doc,
        "inputs": None if inputs is None else _listed(program, inputs),
        "outputs": None if outputs is None else _listed(program, outputs),
        "predictors": [_predictor(name, each) for name, each in module.named_predictors()],
        "learned": any(part.state is not None for part in parts),
        "tools": sorted({name for part in parts for name in part.tools}),
        "variables": sorted({name for part in parts for name in _variables(part)}),
        "programs": {name: each.kind.name for name, each in program.programs.items()},
    }


def _variables(program: Program) -> list[str]:
    """Those that settings are bound to, and the one that holds the rows."""
    data = program.options.get("data")
    rows = [data["variable"]] if isinstance(data, dict) and "variable" in data else []
    return rows + [each.variable for each in program.bindings()]


def _listed(program: Program, names: Any) -> list[dict[str, Any]]:
    if program.signature is None:
        return [{"name": name} for name in names]
    return [_field(name, program.signature.fields[name]) for name in names]


def _predictor(name: str, predictor: dspy.Predict) -> dict[str, Any]:
    signature = predictor.signature
    return {
        "name": name,
        "instructions": signature.instructions,
        "inputs": [_field(each, info) for each, info in signature.input_fields.items()],
        "outputs": [_field(each, info) for each, info in signature.output_fields.items()],
        "demos": len(predictor.demos),
        "config": predictor.config,
    }


def _field(name: str, info: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "type": _type(info.annotation)}
    description = info.json_schema_extra.get("desc")
    # DSPy's own words for "no description".
    if description and description != f"${{{name}}}":
        described["description"] = description
    if constraints := info.json_schema_extra.get("constraints"):
        described["constraints"] = constraints
    if schema := _schema(info.annotation):
        described["schema"] = schema
    return described


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _schema(annotation: Any) -> dict[str, Any] | None:
    try:
        return pydantic.TypeAdapter(annotation).json_schema()
    except (pydantic.errors.PydanticUserError, TypeError):
        # DSPy's own types, which only its adapters know how to show.
        return None
