"""One optimization with everything that it needs, ready to be compiled.

It owns the way from checked options to the arguments of DSPy's constructors and `compile`. It must
not know variables, locks or how its parts were made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dspy

from snakepit_bridge.context import CallContext

if TYPE_CHECKING:
    from .run import Run
    from .spec import Optimizer

__all__ = ["Job"]


@dataclass(slots=True)
class Job:
    """What one optimizer works with. `student` and `teacher` are its own and may be changed.

    `models` has the language models by the names of the parameters (`prompt_lm` …), none for what
    was not given; `members` the documents of an ensemble's programs; `lm_settings` those of `lm`.
    """

    optimizer: Optimizer
    options: dict[str, Any]
    ctx: CallContext
    run: Run
    document: dict[str, Any]
    student: dspy.Module
    lm: dspy.LM | None
    lm_settings: dict[str, Any] | None = None
    train: list[dspy.Example] = field(default_factory=list)
    validation: list[dspy.Example] | None = None
    metric: Callable[..., Any] | None = None
    feedback: Callable[..., Any] | None = None
    models: dict[str, dspy.LM] = field(default_factory=dict)
    teacher: dspy.Module | None = None
    threads: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)

    def constructor(self) -> dict[str, Any]:
        """The options that DSPy's constructor takes."""
        return self._options(to_compile=False)

    def compiling(self) -> dict[str, Any]:
        """The options that DSPy's `compile` takes, with the data and the teacher."""
        arguments: dict[str, Any] = {"trainset": self.train, **self.compile_options()}
        if self.optimizer.takes_validation:
            arguments["valset"] = self.validation
        if self.optimizer.takes_teacher and self.teacher is not None:
            arguments["teacher"] = self.teacher
        return arguments

    def compile_options(self) -> dict[str, Any]:
        """Only the options of it."""
        return self._options(to_compile=True)

    def teacher_settings(self) -> dict[str, Any] | None:
        """DSPy's settings for the teacher: its language model, where one was given."""
        model = self.models.get("teacher_lm")
        return None if model is None else {"lm": model}

    def model(self, *names: str) -> dspy.LM | None:
        """The first of these language models that was given, else that of the program."""
        for name in names:
            if (model := self.models.get(name)) is not None:
                return model
        return self.lm

    def _options(self, to_compile: bool) -> dict[str, Any]:
        known = self.optimizer.options
        return {
            name: value
            for name, value in self.options.items()
            if known[name].to_compile == to_compile
        }
