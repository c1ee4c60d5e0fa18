"""Programs by reference: the name of a variable, a version of one, or the document itself.

It owns the forms of a reference and where a document comes from. What is in the document is not its
business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument, NotFound, TypeMismatch

from .checks import check_value, refused
from .program_schemas import STORED

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A program document and where it is stored: `variable`, `version` and `variable_id`, all None
    for a document that came with the call. `newest` is the version that the variable had when it
    was read: above `version` when an older one was asked for.
    """

    document: dict[str, Any]
    variable: str | None = None
    version: int | None = None
    variable_id: int | None = None
    newest: int | None = None

    def describe(self) -> dict[str, Any] | None:
        """Variable and version for a result; None without a variable."""
        if self.variable is None:
            return None
        return {"variable": self.variable, "version": self.version}


async def resolve(reference: Any, ctx: CallContext, *, where: str = "program") -> Resolved:
    """The document that `reference` means: a variable's name, `{"variable", "version"?}`, or a
    document (it has `module`).

    Raises `InvalidArgument` for another form, `NotFound` for a variable that is not there or a
    version that is not kept, `TypeMismatch` for a variable that holds no document.
    """
    if isinstance(reference, str):
        return await _stored(reference, None, ctx, where)
    if not isinstance(reference, dict):
        kind = type(reference).__name__
        raise refused(where, f"a {kind}, expected a variable's name, a reference or a document")
    if "variable" not in reference:
        return Resolved(reference)
    check_value(reference, STORED, where)
    return await _stored(reference["variable"], reference.get("version"), ctx, where)


async def _stored(name: str, version: int | None, ctx: CallContext, where: str) -> Resolved:
    if not name:
        raise InvalidArgument(f"{where}: an empty name, expected that of a variable")
    variable = await ctx.session.avariable(name)
    document, newest = variable.value, variable.version
    if version is not None and version != newest:
        document = await _earlier(name, version, ctx, where)
    if not isinstance(document, dict):
        raise TypeMismatch(
            f"{where}: variable `{name}` of type {variable.type}, expected a program document",
            details={"variable": name},
        )
    return Resolved(document, name, version or newest, variable.id, newest)


async def _earlier(name: str, version: int, ctx: CallContext, where: str) -> Any:
    history = await ctx.session.ahistory(name)
    for past in history:
        if past.version == version:
            return past.value
    kept = ", ".join(str(past.version) for past in history) or "none"
    raise NotFound(
        f"{where}: variable `{name}` has no version {version}, kept are {kept}",
        details={"variable": name, "version": version},
    )
