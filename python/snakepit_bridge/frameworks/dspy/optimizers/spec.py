"""What an optimizer is to the operation that runs it: its options with DSPy's own defaults, the
models and data it takes, and how it is made and compiled.

It owns the check of options, before anything runs, and the JSON Schema of them. Defaults are read
from DSPy's signatures, so they cannot differ from what DSPy does. It must not know any optimizer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..checks import at, check_value, known_name, refused

if TYPE_CHECKING:
    import dspy

    from .job import Job

__all__ = ["Compiled", "Option", "Optimizer", "options_of"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its JSON Schema with description and default. `to_compile`: DSPy takes it in
    `compile`, not in the constructor."""

    schema: dict[str, Any]
    required: bool = False
    to_compile: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """What an optimizer has made: a module that has learned, or a whole new document. `lm` stands
    for the settings of a language model that was trained."""

    module: dspy.Module | None = None
    document: dict[str, Any] | None = None
    lm: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer of the table.

    `metric` is "required", "optional" or "feedback" (required, and asked for feedback). `models`
    names the language models besides `lm` that it may use. `make` gives DSPy's own object for a
    job, `arguments` those of its `compile`, `finish` turns what that gave into the result; one
    without `make` is composed by `compose`. `trains`: it may change a model's weights. `check`
    refuses a job that DSPy would refuse half-way.
    """

    name: str
    doc: str
    make: Callable[[Job], Any] | None = None
    arguments: Callable[[Job], dict[str, Any]] = lambda job: job.compiling()
    finish: Callable[[Job, dspy.Module], Compiled] = lambda job, module: Compiled(module)
    compose: Callable[[Job], Compiled] | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    metric: str = "required"
    models: tuple[str, ...] = ()
    takes_teacher: bool = False
    takes_validation: bool = False
    needs_data: bool = True
    trains: bool = False
    check: Callable[[Job], None] = lambda job: None

    def compile(self, job: Job) -> Compiled:
        """Does the work. Waits for the host, so it runs on a thread."""
        if self.make is None:
            assert self.compose is not None
            return self.compose(job)
        return self.finish(job, self.make(job).compile(job.student, **self.arguments(job)))

    def checked(self, given: Mapping[str, Any], place: str = "options") -> dict[str, Any]:
        """The options as they hold: the given ones over the defaults. Raises `Refused`."""
        for name, value in given.items():
            known_name(name, self.options, place, f"option of {self.name}")
            check_value(value, self.options[name].schema, at(place, name))
        for name, option in self.options.items():
            if option.required and name not in given:
                raise refused(at(place, name), f"missing, {self.name} needs it")
        defaults = {name: option.schema.get("default") for name, option in self.options.items()}
        return {**defaults, **given}

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its options."""
        return {
            "type": "object",
            "properties": {name: option.schema for name, option in self.options.items()},
            "required": [name for name, option in self.options.items() if option.required],
            "additionalProperties": False,
        }

    def describe(self) -> dict[str, Any]:
        """Its entry in the list of optimizers."""
        return {
            "name": self.name,
            "doc": self.doc,
            "options": self.schema(),
            "metric": self.metric,
            "models": ["lm", *self.models],
            "teacher": self.takes_teacher,
            "validation": self.takes_validation,
        }


def options_of(
    kind: type, described: Mapping[str, tuple[dict[str, Any], str]]
) -> dict[str, Option]:
    """Options of DSPy's class `kind`: name to schema and description. The defaults, and where each
    one goes, come from the signatures of its constructor and its `compile`. One that both have
    belongs to the constructor.
    """
    constructor = inspect.signature(kind).parameters
    compiles = inspect.signature(kind.compile).parameters
    made = {}
    for name, (schema, description) in described.items():
        to_compile = name not in constructor
        parameter = compiles[name] if to_compile else constructor[name]
        required = parameter.default is inspect.Parameter.empty
        document = {**schema, "description": description}
        if not required:
            document["default"] = parameter.default
            document = _nullable(document) if parameter.default is None else document
        made[name] = Option(document, required, to_compile)
    return made


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with null allowed, as the default says."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    kind = schema.get("type")
    if kind is None:
        return schema
    kinds = kind if isinstance(kind, list) else [kind]
    return {**schema, "type": [*kinds, "null"]}
