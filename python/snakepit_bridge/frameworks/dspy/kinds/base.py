"""What a kind of program is: which keys and options its document may have, and how its module is
made.

It owns the descriptions `Kind` and `Parts`. It must not know any particular kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dspy

from ..checks import refused
from ..field_types import allows_none

__all__ = ["Fields", "Kind", "Parts", "signature_fields"]

# Names of the input or output fields of a program with whether each must be given; None: any.
Fields = dict[str, bool] | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a module is made of. `options` are complete: those that the document leaves out have
    their defaults. `rows` and `interpreter` are there for kinds that ask for them.
    """

    place: str
    signature: type[dspy.Signature] | None
    options: dict[str, Any]
    tools: list[dspy.Tool] = field(default_factory=list)
    programs: dict[str, dspy.Module] = field(default_factory=dict)
    inner: Mapping[str, Any] = field(default_factory=dict)
    rows: list[dspy.Example] | None = None
    interpreter: Any = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One value of `module`.

    `signature` is "required", "optional" or "none"; `programs` "none", "module" (exactly one, of
    that name), "maybe" (one of that name, or none) or "some". `demos` is the path of the predictor
    that takes the worked examples; without it the kind takes none. `reserved` are names that the
    module needs for fields of its own. `stateless`: running it changes nothing in the module, so
    one object serves many calls. `check` looks at what goes over several keys, `fields` tells what
    goes in and out where no signature does.
    """

    name: str
    doc: str
    make: Callable[[Parts], dspy.Module]
    signature: str = "none"
    tools: bool = False
    programs: str = "none"
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    demos: str | None = None
    reserved: tuple[str, ...] = ()
    stateless: bool = True
    interpreter: bool = False
    check: Callable[[Any], None] | None = None
    fields: Callable[[Any], tuple[Fields, Fields]] | None = None

    def defaults(self) -> dict[str, Any]:
        """The options that have a default."""
        return {
            name: schema["default"] for name, schema in self.options.items() if "default" in schema
        }

    def describe(self) -> dict[str, Any]:
        """The kind as data, for people and generators."""
        keys = {"signature": self.signature, "tools": self.tools, "programs": self.programs}
        options = {
            "type": "object",
            "additionalProperties": False,
            "properties": self.options,
            "required": list(self.required),
        }
        return {"doc": self.doc, **keys, "demos": self.demos is not None, "options": options}

    def refuse_reserved(self, signature: type[dspy.Signature], place: str) -> None:
        """Refuses a signature whose fields the module needs for itself."""
        for name in self.reserved:
            if name in signature.fields:
                raise refused(
                    place, f"field name `{name}` belongs to {self.name}, expected another"
                )


def signature_fields(signature: type[dspy.Signature]) -> tuple[Fields, Fields]:
    """What goes in and out by a signature."""
    inputs = {
        name: not allows_none(info.annotation) for name, info in signature.input_fields.items()
    }
    return inputs, dict.fromkeys(signature.output_fields, True)
