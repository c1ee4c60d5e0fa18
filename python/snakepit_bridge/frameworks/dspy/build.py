"""From a program document to a DSPy module, with what the host has to say about it: tools, bound
settings, rows of data.

It owns the order: check, gather, make, lay the state over it, then settings and language models. A
module made here holds nothing of a call except language models of sub-programs. It must not run
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument, NotFound, TypeMismatch
from snakepit_bridge.tools import ToolInfo

from . import schemas
from .checks import Refused, at, check_value, refused
from .data import aload_examples
from .documents import Binding, Program, bound_name, parse
from .kinds import Parts
from .learned import apply_state
from .lm import build_lm
from .metrics import build_metric
from .tools import host_tools, known_tools

__all__ = ["Material", "build", "gather", "lm_for", "make", "own_lm", "predictor_at"]


@dataclass(frozen=True, slots=True)
class Material:
    """What a program needs beside its document, as it was at one moment. `versions` tells one
    state of the rows from another."""

    tools: dict[str, ToolInfo] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[dspy.Example]] = field(default_factory=dict)
    versions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    interpreter: Callable[..., Any] | None = None


async def build(
    document: dict[str, Any],
    ctx: CallContext,
    *,
    interpreter: Callable[..., Any] | None = None,
    place: str = "program",
) -> dspy.Module:
    """A module of its own for `document`: to be run inside `calling(ctx)`, to be changed, to be
    given to `learned`. Raises `Refused` naming the place, and what the host answers.
    """
    program = parse(document, place)
    return make(program, await gather(program, ctx, interpreter), ctx)


async def lm_for(
    document: dict[str, Any], call_lm: dict[str, Any] | None, ctx: CallContext
) -> dspy.LM:
    """The language model of a run: that of the call, else the program's own with its bound
    settings read. Raises `InvalidArgument` where neither names one."""
    program = parse(document)
    material = Material() if call_lm is not None else await gather(program, ctx)
    return own_lm(program, call_lm, material, ctx)


def own_lm(
    program: Program, call_lm: dict[str, Any] | None, material: Material, ctx: CallContext
) -> dspy.LM:
    """As `lm_for`, from gathered material."""
    if call_lm is not None:
        return build_lm(call_lm, ctx)
    if program.lm is None:
        raise InvalidArgument("lm missing: the program names none, expected one with the call")
    return _lm(program, material, ctx)


async def gather(
    program: Program, ctx: CallContext, interpreter: Callable[..., Any] | None = None
) -> Material:
    """Asks the host for what the program and its sub-programs need. Raises `NotFound` for a
    variable that is not there, `Refused` for a value that does not fit."""
    parts = list(program.walk())
    bindings = [binding for part in parts for binding in part.bindings()]
    values = {}
    for binding in bindings:
        if binding.variable not in values:
            values[binding.variable] = await _value(binding, ctx)
    tools = await known_tools(ctx) if any(part.tools for part in parts) else {}
    rows: dict[str, list[dspy.Example]] = {}
    versions: dict[str, tuple[Any, ...]] = {}
    for part in parts:
        if "reward" in part.options:
            # Refused now, not when the first attempt is over.
            _check_reward(part, ctx)
        if "data" in part.options:
            rows[part.place], versions[part.place] = await _rows(part, ctx)
    return Material(tools, values, rows, versions, interpreter)


def make(program: Program, material: Material, ctx: CallContext) -> dspy.Module:
    """The module. Raises `Refused`."""
    made: list[tuple[Program, dspy.Module]] = []
    module = _make(program, material, made)
    # After all states: a state says nothing of these two, and would take them away.
    for part, own in made:
        config = resolved(part.config, schemas.SAMPLING, at(part.place, "config"), material)
        inner = {id(each) for below in _below(part, made) for each in below.predictors()}
        for predictor in own.predictors():
            own_settings = id(predictor) not in inner
            predictor.config = (
                {**predictor.config, **config} if own_settings else {**config, **predictor.config}
            )
        if part is not program and part.lm is not None:
            lm = _lm(part, material, ctx)
            for predictor in own.predictors():
                predictor.lm = predictor.lm or lm
    return module


def resolved(
    settings: dict[str, Any], known: dict[str, Any], place: str, material: Material
) -> dict[str, Any]:
    """Settings with bound ones replaced by what their variables hold. Raises `TypeMismatch` for a
    value that the setting cannot have."""
    found = {}
    for name, value in settings.items():
        variable = bound_name(value)
        if variable is not None:
            value = material.values[variable]
            try:
                check_value(value, known[name], f"{at(place, name)} (variable `{variable}`)")
            except Refused as fault:
                raise TypeMismatch(
                    str(fault), details={"variable": variable, "place": at(place, name)}
                ) from None
        found[name] = value
    return found


def predictor_at(module: dspy.Module, path: str) -> dspy.Predict:
    """The predictor that `path`, as `extract.predict`, leads to."""
    found: Any = module
    for name in path.split("."):
        found = found if name == "self" else getattr(found, name)
    return found


def _make(
    program: Program, material: Material, made: list[tuple[Program, dspy.Module]]
) -> dspy.Module:
    programs = {name: _make(each, material, made) for name, each in program.programs.items()}
    strict = program.kind.signature == "none"
    place = at(program.place, "tools")
    parts = Parts(
        place=program.place,
        signature=program.signature,
        options=program.options,
        tools=host_tools(material.tools, program.tools, place, strict),
        programs=programs,
        inner=program.programs,
        rows=material.rows.get(program.place),
        interpreter=material.interpreter,
    )
    try:
        module = program.kind.make(parts)
    except (TypeError, ValueError) as fault:
        if isinstance(fault, InvalidArgument):
            raise
        raise refused(program.place, f"refused by DSPy: {fault}") from fault
    if program.demos and program.kind.demos is not None:
        demos = [dspy.Example(**demo) for demo in program.demos]
        predictor_at(module, program.kind.demos).demos = demos
    if program.state is not None:
        apply_state(module, program.state, at(program.place, "state"))
    made.append((program, module))
    return module


async def _value(binding: Binding, ctx: CallContext) -> Any:
    try:
        return await ctx.session.aget(binding.variable)
    except NotFound as fault:
        raise NotFound(
            f"{binding.place}: {fault.message}",
            details={**fault.details, "place": binding.place},
        ) from None


def _check_reward(program: Program, ctx: CallContext) -> None:
    place = at(program.place, "options.reward")
    try:
        build_metric(program.options["reward"], ctx, where=place)
    except InvalidArgument as fault:
        raise Refused(fault.message, details={"place": place}) from None


def _below(program: Program, made: list[tuple[Program, dspy.Module]]) -> list[dspy.Module]:
    inner = {id(each) for each in program.programs.values()}
    return [module for part, module in made if id(part) in inner]


def _lm(program: Program, material: Material, ctx: CallContext) -> dspy.LM:
    settings, place = program.lm or {}, at(program.place, "lm")
    known = schemas.LM_KINDS[settings["kind"]]["properties"]
    return build_lm(resolved(settings, known, place, material), ctx)


async def _rows(program: Program, ctx: CallContext) -> tuple[list[dspy.Example], tuple[Any, ...]]:
    """The rows that option `data` means, and what tells them from later ones."""
    data, where = program.options["data"], at(program.place, "options.data")
    version: tuple[Any, ...] = ()
    if isinstance(data, dict) and isinstance(data.get("variable"), str):
        variable = await ctx.session.avariable(data["variable"])
        version = (ctx.session.id, variable.id, data.get("version", variable.version))
    inputs, _ = program.fields()
    names = list(inputs or {})
    optional = [name for name in names if not (inputs or {})[name]]
    return await aload_examples(data, ctx, names, optional=optional, where=where), version
