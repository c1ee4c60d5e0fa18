"""Variables as attributes, in a place of their own, so that no name clashes with a verb.

Owns nothing. Must not know how a value is read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .session import Session


class Vars:
    """`session.vars.x` is `session["x"]`: to read, to write, to delete.

    Names that are no Python names, and those that begin with an underscore, are reached through
    the brackets only. A variable that is not there is an `AttributeError`, as `hasattr` and
    `getattr` expect.
    """

    __slots__ = ("_session",)

    _session: Session

    def __init__(self, session: Session) -> None:
        object.__setattr__(self, "_session", session)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._session[name]
        except KeyError as missing:
            raise AttributeError(str(missing)) from missing

    def __setattr__(self, name: str, value: Any) -> None:
        self._session[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self._session[name]
        except KeyError as missing:
            raise AttributeError(str(missing)) from missing
