"""Documents by reference: a pipeline or an agent, inline or in a variable, with its settings read.

It owns the three ways to name one, and `{"variable": name}` in place of a setting, which is read
from the session when the document runs. It must not know what the documents mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snakepit_bridge.errors import InvalidArgument, NotFound
from snakepit_bridge.session import Session

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A document that can be built. `variable` and `version` say where it was, if anywhere."""

    document: dict[str, Any]
    variable: str | None = None
    version: int | None = None

    def origin(self) -> dict[str, Any] | None:
        """For results: which version of which variable ran."""
        if self.variable is None:
            return None
        return {"variable": self.variable, "version": self.version}


async def resolve(reference: Any, session: Session, place: str) -> Resolved:
    """The document of a reference: the name of a variable, `{"variable", "version"}`, or itself.

    Raises `InvalidArgument` naming the place, `NotFound` for a variable or version there is not.
    """
    found = await _found(reference, session, place)
    if not isinstance(found.document, dict):
        raise InvalidArgument(f"{place} of kind {_kind(found.document)}, expected an object")
    document = await _bound(found.document, session)
    return Resolved(document, found.variable, found.version)


async def _found(reference: Any, session: Session, place: str) -> Resolved:
    if isinstance(reference, str):
        variable = await session.avariable(reference)
        return Resolved(variable.value, reference, variable.version)
    if not isinstance(reference, dict):
        raise InvalidArgument(
            f"{place} of kind {_kind(reference)}, expected a document or the name of a variable"
        )
    if "variable" not in reference:
        return Resolved(reference)
    for name in reference:
        if name not in ("variable", "version"):
            raise InvalidArgument(f"{place}.{name}, expected variable and version only")
    name, version = reference["variable"], reference.get("version")
    if version is None:
        return await _found(str(name), session, place)
    kept = await session.ahistory(str(name))
    for past in kept:
        if past.version == version:
            return Resolved(past.value, name, version)
    versions = [past.version for past in kept]
    raise NotFound(
        f"{place}: version {version} of variable {name!r}, expected one of {versions}",
        details={"variable": name, "versions": versions},
    )


async def _bound(document: Any, session: Session) -> Any:
    """The document with every `{"variable": name}` in it replaced by the variable's value, and with
    those in documents that came in that way."""
    values: dict[str, Any] = {}
    for _ in range(_DEPTH_MAX):
        missing: set[str] = set()
        replaced = _replaced(document, values, missing)
        if not missing:
            return replaced
        values |= await session.aget_many(sorted(missing))
        for name in sorted(missing - values.keys()):
            # Asked alone, the host also tells the nearest name that there is.
            values[name] = await session.aget(name)
    raise InvalidArgument(
        f"documents refer to each other more than {_DEPTH_MAX} deep, last to "
        f"{', '.join(sorted(missing))}"
    )


def _replaced(node: Any, values: dict[str, Any], missing: set[str], depth: int = 0) -> Any:
    if isinstance(node, list):
        return [_replaced(item, values, missing, depth) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and isinstance(name := node.get("variable"), str):
        if name not in values:
            missing.add(name)
            return None
        value = values[name]
        # Only a document is read on: data may have a key of that name for reasons of its own.
        if isinstance(value, dict) and "kind" in value:
            if depth == _DEPTH_MAX:
                raise InvalidArgument(f"variable {name!r} leads back to itself")
            return _replaced(value, values, missing, depth + 1)
        return value
    return {key: _replaced(value, values, missing, depth) for key, value in node.items()}


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


# Documents in documents; a ring of them has no end.
_DEPTH_MAX = 8
