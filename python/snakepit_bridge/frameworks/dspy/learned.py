"""What a program has learned: DSPy's own JSON state of its predictors, out of and into modules.

It owns the check of a state against the predictors it is for, since DSPy itself sets whatever
attribute a state names and takes signatures of another length. Language models are not part of it:
a program names its own, and a key or an address must not come back from a file.
"""

from __future__ import annotations

import copy
from typing import Any

import dspy
from dspy.utils.saving import get_dependency_versions

from .checks import at, check_value, known_name, listed, refused

__all__ = ["apply_state", "dumped", "learned", "saved", "with_state"]


def learned(document: dict[str, Any], module: dspy.Module) -> dict[str, Any]:
    """`document` with what `module`, built from it and improved since, has learned."""
    return {**document, "state": dumped(module)}


def dumped(module: dspy.Module) -> dict[str, Any]:
    """DSPy's JSON state of the module, without language models: that of each predictor by its name,
    or for a module that is a predictor itself just that."""
    state = module.dump_state(json_mode=True)
    if isinstance(module, dspy.Predict):
        return copy.deepcopy({**state, **_OWN})
    return copy.deepcopy({name: {**part, **_OWN} for name, part in state.items()})


def saved(module: dspy.Module) -> dict[str, Any]:
    """What DSPy's `Module.save("name.json")` writes for this module, so that `Module.load` reads
    it."""
    return {**dumped(module), "metadata": {"dependency_versions": get_dependency_versions()}}


def with_state(
    document: dict[str, Any], module: dspy.Module, state: dict[str, Any], place: str = "state"
) -> dict[str, Any]:
    """`document` with a state that DSPy saved, after a check against `module`, which is built from
    it. Raises `Refused`."""
    apply_state(module, state, place)
    return learned(document, module)


def apply_state(module: dspy.Module, state: dict[str, Any], place: str) -> None:
    """Lays `state` over the module. Raises `Refused` naming the predictor and the field."""
    given = {name: part for name, part in state.items() if name != "metadata"}
    if isinstance(module, dspy.Predict):
        _check(module, given, place)
        _load(module, given)
        return
    named = dict(module.named_parameters())
    for name in given:
        known_name(name, named, place, "predictor")
    for name, predictor in named.items():
        if name not in given:
            raise refused(place, f"predictor `{name}` missing, expected all of {listed(named)}")
        _check(predictor, given[name], f"{place}[{name!r}]")
    # One by one: `Module.load_state` would first do it all to a deep copy, against the errors that
    # have been looked for here.
    for name, predictor in named.items():
        _load(predictor, given[name])


def _load(predictor: dspy.Predict, part: dict[str, Any]) -> None:
    lm = predictor.lm
    predictor.load_state({**part, **_OWN})
    predictor.lm = lm


def _check(predictor: dspy.Predict, part: Any, place: str) -> None:
    if not isinstance(part, dict):
        raise refused(place, f"a {type(part).__name__}, expected the state of a predictor")
    for key in part:
        known_name(key, _PART, place, "key")
    for key, schema in _PART.items():
        if key in part:
            check_value(part[key], schema, at(place, key))
        elif key in _NEEDED:
            raise refused(at(place, key), "missing, DSPy's state of a predictor has it")
    if part.get("fields"):
        raise refused(at(place, "fields"), "criteria of decisions, which are not supported")
    names, fields = list(predictor.signature.fields), part["signature"]["fields"]
    if len(fields) != len(names):
        raise refused(
            at(place, "signature.fields"),
            f"{len(fields)} fields, expected {len(names)}: {listed(names)}",
        )
    for name, field in zip(names, fields, strict=True):
        wanted = predictor.signature.fields[name].json_schema_extra["prefix"]
        # DSPy tells fields by their place only, and makes the prefix from the name: a state of
        # other fields would silently describe the wrong ones.
        if field["prefix"] != wanted:
            raise refused(
                at(place, "signature.fields"),
                f"prefix {field['prefix']!r} where field `{name}` stands, expected {wanted!r}",
            )


_FIELD: dict[str, Any] = {
    "type": "object",
    "required": ["prefix", "description"],
    "additionalProperties": False,
    "properties": {"prefix": {"type": "string"}, "description": {"type": "string"}},
}
_PART: dict[str, dict[str, Any]] = {
    "traces": {"type": "array"},
    "train": {"type": "array"},
    "demos": {"type": "array", "items": {"type": "object"}},
    "signature": {
        "type": "object",
        "required": ["instructions", "fields"],
        "additionalProperties": False,
        "properties": {
            "instructions": {"type": "string"},
            "fields": {"type": "array", "items": _FIELD},
        },
    },
    "fields": {"type": "object"},
    "lm": {},
}
_NEEDED = ("demos", "signature")
# What a state is not to bring back: what the bootstrapping kept is for it alone.
_OWN: dict[str, Any] = {"lm": None, "traces": [], "train": []}
