"""The kinds that call tools on the word of a language model: react, by text or by the model's own
tool calls.

It owns their options. Tools come made; who answers them is not known here.
"""

from __future__ import annotations

from typing import Any

import dspy
from dspy.predict.react_v2 import ReActV2

from ..checks import at, refused
from .base import Kind, Parts

__all__ = ["REACT", "uses_native_calls"]


def uses_native_calls(module: dspy.Module) -> bool:
    """Whether an agent in `module` wants the language model's own tool calls."""
    return any(isinstance(each, ReActV2) for _, each in module.named_sub_modules())


def _react(parts: Parts) -> dspy.Module:
    iterations = parts.options["max_iters"]
    if parts.options["native_tool_calls"]:
        return ReActV2(parts.signature, tools=parts.tools, max_iters=iterations)
    return dspy.ReAct(parts.signature, tools=parts.tools, max_iters=iterations)


def _check(program: Any) -> None:
    if program.demos and program.options["native_tool_calls"]:
        raise refused(at(program.place, "demos"), "expected none with native_tool_calls")


REACT = Kind(
    "react",
    "An agent that thinks, calls tools and looks at what they answer.",
    _react,
    signature="required",
    tools=True,
    # An agent's demos show the task's own fields: what its last step, the extraction, takes.
    demos="extract.predict",
    reserved=(
        "reasoning",
        "trajectory",
        "next_thought",
        "next_tool_name",
        "next_tool_args",
        "tools",
        "tool_calls",
        "history",
        "termination_reason",
    ),
    options={
        "max_iters": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20},
        "native_tool_calls": {"type": "boolean", "default": False},
    },
    check=_check,
)
