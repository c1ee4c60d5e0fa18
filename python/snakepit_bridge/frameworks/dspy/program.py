"""Programs as data: from a document (module kind, signature, demos, config, adapter) to a DSPy
module.

It owns the kinds of module and the shape of their results. A program is a document so that it can
be kept in the state core and built by any worker; nothing here depends on the call that runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import dspy

from .field_types import allows_none
from .signature import SignatureRefused, build_signature

__all__ = [
    "ADAPTERS",
    "KINDS",
    "Program",
    "ProgramRefused",
    "check_inputs",
    "make_adapter",
    "outputs",
    "trajectory",
]


class ProgramRefused(ValueError):
    """A program document that cannot be built, or inputs that do not fit it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program document, taken apart. `build` makes a fresh module: one call's demos and traces
    are its own."""

    kind: str
    signature: str | dict[str, Any]
    demos: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    max_iters: int | None = None

    @staticmethod
    def from_parameters(kind: str, parameters: dict[str, Any]) -> Program:
        """The program in the parameters of operation `kind`."""
        return Program(
            kind=kind,
            signature=parameters["signature"],
            demos=parameters.get("demos") or [],
            config=parameters.get("config") or {},
            max_iters=parameters.get("max_iters"),
        )

    def build(self, tools: list[dspy.Tool]) -> dspy.Module:
        """The module. Raises `ProgramRefused` or `SignatureRefused`."""
        signature = build_signature(self.signature)
        self._check_reserved(signature)
        module = self._module(signature, tools)
        # An agent's demos show the task's own fields, which is what its last step, the extraction,
        # takes.
        predictor = module.extract.predict if self.kind == "react" else module.predictors()[0]
        predictor.demos = [dspy.Example(**self._demo(demo, signature)) for demo in self.demos]
        return module

    def _module(self, signature: type[dspy.Signature], tools: list[dspy.Tool]) -> dspy.Module:
        if self.kind == "predict":
            return dspy.Predict(signature, **self.config)
        if self.kind == "chain_of_thought":
            return dspy.ChainOfThought(signature, **self.config)
        module = dspy.ReAct(signature, tools=tools, max_iters=self.max_iters or _MAX_ITERS)
        for predictor in module.predictors():
            predictor.update_config(**self.config)
        return module

    def _check_reserved(self, signature: type[dspy.Signature]) -> None:
        for name in _RESERVED[self.kind]:
            if name in signature.fields:
                raise SignatureRefused(
                    f"signature field name `{name}` belongs to {self.kind}, expected another"
                )

    def _demo(self, demo: dict[str, Any], signature: type[dspy.Signature]) -> dict[str, Any]:
        for name in demo:
            if name not in signature.fields and name != "reasoning":
                raise ProgramRefused(
                    f"demos: field `{name}`, expected one of {_listed(signature.fields)}"
                )
        return demo


def check_inputs(module: dspy.Module, inputs: dict[str, Any]) -> None:
    """Refuses inputs that DSPy would ignore, or miss, with no more than a warning."""
    signature = module.signature if hasattr(module, "signature") else module.predict.signature
    expected = _listed(signature.input_fields)
    for name in inputs:
        if name not in signature.input_fields:
            raise ProgramRefused(f"inputs: field `{name}`, expected one of {expected}")
    for name, info in signature.input_fields.items():
        if name not in inputs and not allows_none(info.annotation):
            raise ProgramRefused(f"inputs: field `{name}` missing, expected all of {expected}")


def outputs(prediction: dspy.Prediction) -> dict[str, Any]:
    """The prediction's output fields, `reasoning` among them where the module makes it."""
    return {name: value for name, value in prediction.items() if name != "trajectory"}


def trajectory(prediction: dspy.Prediction) -> list[dict[str, Any]]:
    """An agent's steps, from DSPy's numbered keys."""
    flat = prediction.trajectory
    steps: list[dict[str, Any]] = []
    while f"thought_{len(steps)}" in flat:
        index = len(steps)
        steps.append(
            {
                "thought": flat[f"thought_{index}"],
                "tool": flat.get(f"tool_name_{index}"),
                "arguments": flat.get(f"tool_args_{index}"),
                "observation": flat.get(f"observation_{index}"),
            }
        )
    return steps


def make_adapter(name: str) -> dspy.Adapter:
    """The adapter of that name: how fields are written into prompts and read from answers."""
    return _ADAPTERS[name]()


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


KINDS = ("predict", "chain_of_thought", "react")
ADAPTERS = ("chat", "json", "xml")
_ADAPTERS = {"chat": dspy.ChatAdapter, "json": dspy.JSONAdapter, "xml": dspy.XMLAdapter}
_RESERVED: dict[str, tuple[str, ...]] = {
    "predict": (),
    "chain_of_thought": ("reasoning",),
    "react": ("reasoning", "trajectory", "next_thought", "next_tool_name", "next_tool_args"),
}
_MAX_ITERS = 20
