"""The kinds that run code a language model wrote: program_of_thought and code_act.

It owns their options and the interpreters that the framework can be configured with. Neither
interpreter is started unless the configuration of the pool names it: a document cannot turn it on.
It must not know calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dspy
from dspy.primitives.local_interpreter import LocalInterpreter

from snakepit_bridge.errors import Unsupported

from ..calls import in_thread, stopped_with_call
from .base import Kind, Parts

__all__ = ["CODE_ACT", "INTERPRETERS", "PROGRAM_OF_THOUGHT", "interpreter_of"]

Tools = dict[str, Callable[..., Any]]


class CodeAct(dspy.CodeAct):
    """DSPy's, with tools that its code can reach: the interpreter offers them as functions. DSPy's
    own would run their source there, away from the host that answers them."""

    def __init__(self, parts: Parts) -> None:
        make = parts.interpreter
        tools: Tools = {tool.name: _function(tool) for tool in parts.tools}
        super().__init__(
            parts.signature,
            tools=parts.tools,
            max_iters=parts.options["max_iters"],
            interpreter_factory=lambda: make(tools),
        )
        self.tools = {}

    async def aforward(self, **inputs: Any) -> dspy.Prediction:
        """On a thread: what DSPy's inherits here is that of another agent."""
        return await in_thread(lambda: dspy.CodeAct.forward(self, **inputs))


def interpreter_of(options: dict[str, Any]) -> Callable[[Tools], Any] | None:
    """How to make an interpreter by the framework's options, None if they name none. Raises
    `ValueError` for options that make no sense."""
    name = options.get("interpreter")
    if name is None:
        return None
    if name not in INTERPRETERS:
        expected = ", ".join(f'"{each}"' for each in INTERPRETERS)
        raise ValueError(f"interpreter is {name!r}, expected one of {expected}")
    limit_ms = options.get("interpreter_timeout_ms", _TIMEOUT_MS)
    if type(limit_ms) is not int or limit_ms < 1:
        raise ValueError(f"interpreter_timeout_ms is {limit_ms!r}, expected an integer above 0")

    def make(tools: Tools) -> Any:
        if name == "deno":
            made: Any = dspy.PythonInterpreter(tools=tools)
        else:
            made = LocalInterpreter(tools=tools, execution_timeout=limit_ms / 1000)
        stopped_with_call(made.shutdown)
        return made

    return make


def _function(tool: dspy.Tool) -> Callable[..., Any]:
    names = list(tool.args or {})

    def call(*places: Any, **named: Any) -> Any:
        if len(places) > len(names):
            raise TypeError(f"{tool.name} takes {len(names)} arguments, given {len(places)}")
        return tool(**dict(zip(names, places, strict=False)), **named)

    return call


def _program_of_thought(parts: Parts) -> dspy.Module:
    make = _configured(parts, "program_of_thought")
    return dspy.ProgramOfThought(
        parts.signature,
        max_iters=parts.options["max_iters"],
        interpreter_factory=lambda: make({}),
    )


def _code_act(parts: Parts) -> dspy.Module:
    _configured(parts, "code_act")
    return CodeAct(parts)


def _configured(parts: Parts, kind: str) -> Callable[[Tools], Any]:
    if parts.interpreter is None:
        raise Unsupported(
            f"{parts.place or 'program'}: {kind} runs code that a language model wrote, which is "
            'off: turn it on with the option {"interpreter": "local"} or {"interpreter": "deno"} '
            "of framework `dspy` in the pool's configuration (docs/programs.md says what that "
            "risks)",
            details={"place": parts.place, "option": "interpreter"},
        )
    made: Callable[[Tools], Any] = parts.interpreter
    return made


INTERPRETERS = ("local", "deno")
_TIMEOUT_MS = 30_000

PROGRAM_OF_THOUGHT = Kind(
    "program_of_thought",
    "Writes code that computes the answer.",
    _program_of_thought,
    signature="required",
    demos="generate_output.predict",
    reserved=(
        "reasoning",
        "generated_code",
        "previous_code",
        "error",
        "final_generated_code",
        "code_output",
        "interpreter",
    ),
    options={"max_iters": {"type": "integer", "minimum": 1, "maximum": 100, "default": 3}},
    interpreter=True,
)

CODE_ACT = Kind(
    "code_act",
    "An agent that acts by code that calls tools.",
    _code_act,
    signature="required",
    tools=True,
    demos="extractor.predict",
    reserved=("reasoning", "trajectory", "generated_code", "finished", "interpreter"),
    options={"max_iters": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5}},
    interpreter=True,
)
