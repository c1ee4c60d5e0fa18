"""Program documents: read, checked with the place named, and taken apart.

It owns the keys of a document and their checks; docs/programs.md describes them to people. What a
kind of program wants is the kind's own business, and nothing here builds a module or asks the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dspy

from . import schemas
from .checks import Refused, at, check_value, known_name, listed, refused
from .kinds import KINDS, Fields, Kind, signature_fields
from .signature import SignatureRefused, build_signature

__all__ = ["Binding", "Program", "bound_name", "parse"]


@dataclass(frozen=True, slots=True)
class Binding:
    """A setting that is read from a variable when the program runs."""

    place: str
    variable: str


@dataclass(frozen=True, slots=True)
class Program:
    """A document that has been checked. `options` are complete, with the defaults of the kind."""

    place: str
    kind: Kind
    document: dict[str, Any]
    signature: type[dspy.Signature] | None
    options: dict[str, Any]
    demos: list[dict[str, Any]] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    lm: dict[str, Any] | None = None
    adapter: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    state: dict[str, Any] | None = None

    def fields(self) -> tuple[Fields, Fields]:
        """Names of what goes in, each with whether it must be there, and of what comes out. None:
        not known before it runs."""
        if self.signature is not None:
            return signature_fields(self.signature)
        if self.kind.fields is not None:
            return self.kind.fields(self)
        return next(iter(self.programs.values())).fields()

    def walk(self) -> Iterator[Program]:
        """Sub-programs first, then the program itself."""
        for program in self.programs.values():
            yield from program.walk()
        yield self

    def bindings(self) -> list[Binding]:
        """The settings of this program, not of its sub-programs, that variables hold."""
        return [
            Binding(at(at(self.place, key), name), variable)
            for key, settings in (("lm", self.lm or {}), ("config", self.config))
            for name, value in settings.items()
            if (variable := bound_name(value)) is not None
        ]


def parse(document: Any, place: str = "program") -> Program:
    """The checked program. `place` is where the document stands, for messages. Raises `Refused`."""
    return _parse(document, place, depth=0)


def bound_name(value: Any) -> str | None:
    """The variable that a setting is bound to, None for a setting that is a value."""
    if isinstance(value, dict) and set(value) == {"variable"}:
        name = value["variable"]
        return name if isinstance(name, str) and name else None
    return None


def _parse(document: Any, place: str, depth: int) -> Program:
    if not isinstance(document, dict):
        raise refused(place, f"a {type(document).__name__}, expected a program document")
    if depth > DEPTH_MAX:
        raise refused(place, f"programs within programs more than {DEPTH_MAX} deep")
    for key in document:
        known_name(str(key), schemas.DOCUMENT, place, "key")
    for key, schema in schemas.DOCUMENT.items():
        if key in document:
            check_value(document[key], schema, at(place, key))
    kind = _kind(document, place)
    if depth > 0 and "adapter" in document:
        raise refused(at(place, "adapter"), "expected none: the adapter is that of the whole")
    programs = _programs(document, kind, place, depth)
    signature = _signature(document, kind, place)
    program = Program(
        place=place,
        kind=kind,
        document=document,
        signature=signature,
        options=_options(document, kind, place),
        demos=_demos(document, kind, signature, place),
        tools=_tools(document, kind, place),
        lm=_lm(document, place),
        adapter=document.get("adapter"),
        config=_settings(document.get("config") or {}, schemas.SAMPLING, at(place, "config")),
        programs=programs,
        state=document.get("state") or None,
    )
    if kind.check is not None:
        kind.check(program)
    return program


def _kind(document: dict[str, Any], place: str) -> Kind:
    if "module" not in document:
        raise refused(at(place, "module"), f"missing, expected one of {listed(KINDS)}")
    known_name(document["module"], KINDS, at(place, "module"), "kind of program")
    return KINDS[document["module"]]


def _signature(document: dict[str, Any], kind: Kind, place: str) -> type[dspy.Signature] | None:
    given = document.get("signature")
    here = at(place, "signature")
    if given is None:
        if kind.signature == "required":
            raise refused(here, f"missing, {kind.name} needs one")
        if "instructions" in document:
            raise refused(at(place, "instructions"), "without a signature, expected none")
        return None
    if kind.signature == "none":
        raise refused(here, f"expected none: {kind.name} has no signature of its own")
    try:
        signature = build_signature(given)
    except SignatureRefused as fault:
        # Its message says where within the signature.
        raise Refused(f"{at(place, '')}{fault}", details={"place": here}) from None
    kind.refuse_reserved(signature, here)
    if document.get("instructions"):
        signature = signature.with_instructions(document["instructions"])
    return signature


def _options(document: dict[str, Any], kind: Kind, place: str) -> dict[str, Any]:
    given, here = document.get("options") or {}, at(place, "options")
    for name, value in given.items():
        known_name(name, kind.options, here, f"option of {kind.name}")
        check_value(value, kind.options[name], at(here, name))
    for name in kind.required:
        if name not in given:
            raise refused(at(here, name), f"missing, {kind.name} needs it")
    return {**kind.defaults(), **given}


def _programs(document: dict[str, Any], kind: Kind, place: str, depth: int) -> dict[str, Program]:
    given, here = document.get("programs") or {}, at(place, "programs")
    if kind.programs == "none" and given:
        raise refused(here, f"expected none: {kind.name} has no programs in it")
    if kind.programs in ("module", "maybe"):
        for name in given:
            known_name(name, ["module"], here, "program")
        if kind.programs == "module" and not given:
            raise refused(at(here, "module"), f"missing, {kind.name} needs it")
    if kind.programs == "some" and not given and kind.name not in _MAY_BE_EMPTY:
        raise refused(here, f"missing, {kind.name} needs one at least")
    return {name: _parse(each, at(here, name), depth + 1) for name, each in given.items()}


def _demos(
    document: dict[str, Any], kind: Kind, signature: Any, place: str
) -> list[dict[str, Any]]:
    demos, here = document.get("demos") or [], at(place, "demos")
    if demos and (kind.demos is None or signature is None):
        raise refused(here, f"expected none: {kind.name} hands none on, its programs take them")
    for number, demo in enumerate(demos):
        for name in demo:
            known_name(name, [*signature.fields, "reasoning"], at(here, number), "field")
    return demos


def _tools(document: dict[str, Any], kind: Kind, place: str) -> list[str]:
    tools = document.get("tools")
    if tools is None:
        if kind.tools and kind.signature == "required":
            raise refused(at(place, "tools"), f"missing, {kind.name} needs names of host tools")
        return []
    if not kind.tools:
        raise refused(at(place, "tools"), f"expected none: {kind.name} calls no tools")
    return list(tools)


def _lm(document: dict[str, Any], place: str) -> dict[str, Any] | None:
    settings, here = document.get("lm"), at(place, "lm")
    if settings is None:
        return None
    kind = settings.get("kind")
    if not isinstance(kind, str) or kind not in schemas.LM_KINDS:
        expected = " or ".join(f'"{name}"' for name in schemas.LM_KINDS)
        raise refused(at(here, "kind"), f"{kind!r}, expected {expected}")
    schema = schemas.LM_KINDS[kind]
    for name in schema["required"]:
        if name not in settings:
            raise refused(at(here, name), f"missing, kind `{kind}` needs it")
    return _settings(settings, schema["properties"], here)


def _settings(settings: dict[str, Any], known: dict[str, Any], place: str) -> dict[str, Any]:
    for name, value in settings.items():
        known_name(name, known, place, "setting")
        if bound_name(value) is None:
            check_value(value, known[name], at(place, name))
    return settings


# Its steps may all be tools.
_MAY_BE_EMPTY = ("sequence",)

# A document from elsewhere must not be able to exhaust the stack.
DEPTH_MAX = 16
