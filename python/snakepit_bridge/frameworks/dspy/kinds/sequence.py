"""The kind `sequence`: programs and host tools one after the other, with the fields of each taken
from what came before.

It owns the steps, their references and the check that each reference has something behind it. It
must not know documents or calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dspy

from ..calls import acall
from ..checks import at, known_name, refused
from .base import Fields, Kind, Parts

__all__ = ["SEQUENCE"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `program` or `tool`, known to later ones as `name`. `inputs` maps its fields to
    references (a string) or constants (`{"value": ...}`)."""

    name: str
    program: str | None
    tool: str | None
    inputs: dict[str, Any]


class Sequence(dspy.Module):
    """Runs the steps in order and picks the outputs."""

    def __init__(
        self,
        programs: dict[str, dspy.Module],
        tools: dict[str, dspy.Tool],
        steps: list[Step],
        outputs: dict[str, str],
    ) -> None:
        super().__init__()
        self.programs = programs
        self._tools, self._steps, self._outputs = tools, steps, outputs

    def forward(self, **inputs: Any) -> dspy.Prediction:
        """Step by step."""
        known: dict[str, Any] = {"": inputs}
        for step in self._steps:
            given = _given(step, known)
            if step.program is not None:
                known[step.name] = _told(self.programs[step.program](**given))
            else:
                known[step.name] = self._tools[step.tool or ""](**given)
        return self._prediction(known)

    async def aforward(self, **inputs: Any) -> dspy.Prediction:
        """Step by step."""
        known: dict[str, Any] = {"": inputs}
        for step in self._steps:
            given = _given(step, known)
            if step.program is not None:
                known[step.name] = _told(await acall(self.programs[step.program], **given))
            else:
                known[step.name] = await self._tools[step.tool or ""].acall(**given)
        return self._prediction(known)

    def _prediction(self, known: dict[str, Any]) -> dspy.Prediction:
        found = {name: _find(known, reference) for name, reference in self._outputs.items()}
        return dspy.Prediction(**found)


def _told(prediction: Any) -> Any:
    """A program's answer as data: a later step may want all of it."""
    return prediction.toDict() if isinstance(prediction, dspy.Example) else prediction


def _given(step: Step, known: dict[str, Any]) -> dict[str, Any]:
    given = {}
    for name, source in step.inputs.items():
        if isinstance(source, dict):
            given[name] = source["value"]
            continue
        try:
            given[name] = _find(known, source)
        except KeyError:
            # An input of the whole that its caller may leave out.
            if source in known[""] or "." in source:
                raise
    return given


def _find(known: dict[str, Any], reference: str) -> Any:
    """What `question`, `step` or `step.field` stands for."""
    if reference in known:
        return known[reference]
    step, dot, field = reference.partition(".")
    if not dot:
        return known[""][reference]
    holder = known[step]
    try:
        return holder[field]
    except (KeyError, TypeError, IndexError, AttributeError):
        names = list(holder.keys()) if hasattr(holder, "keys") else []
        raise refused(
            f"step {step}", f"answered without `{field}`, which a later step wants; it has {names}"
        ) from None


def _sequence(parts: Parts) -> dspy.Module:
    tools = {tool.name: tool for tool in parts.tools}
    steps = _steps(parts.options["steps"])
    inner = parts.inner
    outputs = _outputs(parts.options, steps, inner)
    return Sequence(parts.programs, tools, steps, outputs)


def _steps(documents: list[dict[str, Any]]) -> list[Step]:
    return [
        Step(
            name=each.get("as") or each.get("program") or each.get("tool") or "",
            program=each.get("program"),
            tool=each.get("tool"),
            inputs=each.get("inputs") or {},
        )
        for each in documents
    ]


def _outputs(options: dict[str, Any], steps: list[Step], inner: Any) -> dict[str, str]:
    """The outputs as a mapping; left out, those of the last step."""
    if "outputs" in options:
        outputs: dict[str, str] = options["outputs"]
        return outputs
    last = steps[-1]
    if last.program is None:
        return {"result": last.name}
    _, made = inner[last.program].fields()
    return {name: f"{last.name}.{name}" for name in made or ()}


def _check(program: Any) -> None:
    """Every reference of every step has something behind it."""
    place = at(program.place, "options.steps")
    seen: dict[str, Fields] = {}
    for number, step in enumerate(_steps(program.options["steps"])):
        here = at(place, number)
        if (step.program is None) == (step.tool is None):
            raise refused(here, "expected exactly one of `program` and `tool`")
        made: Fields = None
        if step.program is not None:
            known_name(step.program, program.programs, at(here, "program"), "program")
            takes, made = program.programs[step.program].fields()
            _check_inputs(step, takes, at(here, "inputs"))
        elif step.tool not in program.tools:
            known_name(step.tool or "", program.tools, at(here, "tool"), "tool in `tools`")
        if step.name in seen:
            raise refused(here, f"step `{step.name}` named twice, expected `as` with another name")
        for name, source in step.inputs.items():
            _check_reference(source, seen, at(here, f"inputs.{name}"))
        seen[step.name] = made
    outputs = _outputs(program.options, _steps(program.options["steps"]), program.programs)
    if not outputs:
        raise refused(at(program.place, "options.outputs"), "missing, expected a name at least")
    for name, source in outputs.items():
        _check_reference(source, seen, at(program.place, f"options.outputs.{name}"))


def _check_inputs(step: Step, takes: Fields, place: str) -> None:
    if takes is None:
        return
    for name in step.inputs:
        known_name(name, takes, place, "input field")
    for name, required in takes.items():
        if required and name not in step.inputs:
            raise refused(place, f"field `{name}` missing, expected where it comes from")


def _check_reference(source: Any, seen: dict[str, Fields], place: str) -> None:
    if isinstance(source, dict):
        return
    step, dot, field = source.partition(".")
    if not dot:
        return
    known_name(step, seen, place, "step before this one")
    made = seen[step]
    if made is not None:
        known_name(field, made, place, f"output of step `{step}`")


def _fields(program: Any) -> tuple[Fields, Fields]:
    """Inputs are the references that no earlier step answers."""
    steps = _steps(program.options["steps"])
    outputs = _outputs(program.options, steps, program.programs)
    seen: set[str] = set()
    inputs: dict[str, bool] = {}

    def refer(source: Any, needed: bool) -> None:
        if isinstance(source, str) and "." not in source and source not in seen:
            inputs[source] = inputs.get(source, False) or needed

    for step in steps:
        takes = program.programs[step.program].fields()[0] if step.program else None
        for name, source in step.inputs.items():
            refer(source, takes is None or takes.get(name, True))
        seen.add(step.name)
    for source in outputs.values():
        refer(source, True)
    return inputs, dict.fromkeys(outputs, True)


_SOURCE: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "required": ["value"],
            "properties": {"value": {}},
            "additionalProperties": False,
        },
    ]
}

SEQUENCE = Kind(
    "sequence",
    "One program, or host tool, after the other.",
    _sequence,
    tools=True,
    programs="some",
    options={
        "steps": {
            "type": "array",
            "minItems": 1,
            "maxItems": 256,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "program": {"type": "string"},
                    "tool": {"type": "string"},
                    "as": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                    "inputs": {"type": "object", "additionalProperties": _SOURCE},
                },
            },
        },
        "outputs": {
            "type": "object",
            "additionalProperties": {"type": "string", "minLength": 1},
            "description": "Name to reference; else the outputs of the last step.",
        },
    },
    required=("steps",),
    check=_check,
    fields=_fields,
)
