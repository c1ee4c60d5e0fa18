"""What goes into a run and what comes out of it: inputs checked, outputs checked and told.

It owns the shape of a result. It must not know how modules are built or run.
"""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import dspy
import pydantic

from snakepit_bridge.errors import ConstraintViolation

from .checks import at, known_name, listed, refused
from .documents import Program

__all__ = ["check_inputs", "check_outputs", "outputs", "trajectory"]


def check_inputs(program: Program, module: dspy.Module, inputs: dict[str, Any]) -> None:
    """Refuses inputs that DSPy would ignore, or miss, with no more than a warning."""
    takes = program.fields()[0] or _parameters(module)
    if takes is None:
        return
    for name in inputs:
        known_name(name, takes, "inputs", "input field")
    for name, required in takes.items():
        if required and name not in inputs:
            raise refused(
                at("inputs", name), f"field `{name}` missing, expected all of {listed(takes)}"
            )


def check_outputs(program: Program, prediction: Any) -> dspy.Prediction:
    """The prediction, after a check against the constraints of its signature's fields: DSPy tells
    the model about them, and takes what comes. Raises `ConstraintViolation`."""
    if not isinstance(prediction, dspy.Prediction):
        kind = type(prediction).__name__
        place = program.place or "program"
        raise TypeError(f"{place} answered a {kind}, expected a dspy.Prediction")
    signature = _task(program)
    for name, info in signature.output_fields.items() if signature is not None else ():
        if not info.metadata or name not in prediction:
            continue
        try:
            _adapter(info).validate_python(prediction[name])
        except pydantic.ValidationError as fault:
            error = fault.errors(include_url=False)[0]
            raise ConstraintViolation(
                f"output field `{name}`: {error['msg']}, the language model answered "
                f"{_shown(prediction[name])}",
                details={"field": name, "constraint": error["type"]},
            ) from None
    return prediction


def outputs(prediction: dspy.Prediction) -> dict[str, Any]:
    """The prediction's output fields, `reasoning` among them where the module makes it."""
    return {name: _plain(value) for name, value in prediction.items() if name not in _OWN}


def trajectory(program: Program, prediction: dspy.Prediction) -> list[dict[str, Any]] | None:
    """An agent's steps; None for a program that is no agent."""
    if program.kind.name == "code_act":
        return _code_steps(prediction.trajectory)
    if program.kind.name != "react":
        return None
    if "history" in prediction:
        return _native_steps(prediction.history)
    return _steps(prediction.trajectory)


def _parameters(module: dspy.Module) -> dict[str, bool] | None:
    """What a module of the user's own takes, by `forward` or `aforward`; None: anything."""
    kind = type(module)
    run = getattr(kind, "forward", None) or kind.aforward
    parameters = list(inspect.signature(run).parameters.values())[1:]
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return {each.name: each.default is each.empty for each in parameters}


def _task(program: Program) -> type[dspy.Signature] | None:
    """The signature whose fields the program answers with."""
    if program.signature is not None:
        return program.signature
    if program.kind.programs in ("module", "maybe") and program.programs:
        return _task(program.programs["module"])
    return None


def _adapter(info: Any) -> pydantic.TypeAdapter[Any]:
    described = info.annotation
    for constraint in info.metadata:
        described = Annotated[described, constraint]
    return pydantic.TypeAdapter(described)


def _steps(flat: dict[str, Any]) -> list[dict[str, Any]]:
    """From DSPy's numbered keys."""
    steps: list[dict[str, Any]] = []
    while f"thought_{len(steps)}" in flat:
        index = len(steps)
        steps.append(
            {
                "thought": flat[f"thought_{index}"],
                "tool": flat.get(f"tool_name_{index}"),
                "arguments": flat.get(f"tool_args_{index}"),
                "observation": _plain(flat.get(f"observation_{index}")),
            }
        )
    return steps


def _code_steps(flat: dict[str, Any]) -> list[dict[str, Any]]:
    numbers = sorted({int(name.rpartition("_")[2]) for name in flat})
    return [
        {
            "code": flat.get(f"generated_code_{number}"),
            "observation": flat.get(f"code_output_{number}", flat.get(f"observation_{number}")),
        }
        for number in numbers
    ]


def _native_steps(history: dspy.History) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for event in history.messages:
        calls = event.get("tool_calls")
        if calls is None:
            continue
        results = calls.tool_call_results.tool_call_results if calls.tool_call_results else []
        thought = event.get("next_thought")
        for number, call in enumerate(calls.tool_calls):
            answer = results[number].value if number < len(results) else None
            steps.append(
                {
                    "thought": "" if thought is None else str(getattr(thought, "content", thought)),
                    "tool": call.name,
                    "arguments": call.args,
                    "observation": _plain(answer),
                }
            )
    return steps


def _plain(value: Any) -> Any:
    """Models and examples as data; what else there is, the bridge knows or refuses with its
    place."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dspy.Example):
        return value.toDict()
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


_OWN = ("trajectory", "history", "termination_reason")
_SHOWN_MAX = 200
