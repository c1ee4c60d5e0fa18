"""Parsers beside LangChain's own: a list of lines or items, and a value that must have a form.

It owns both as steps. It must not know models or how a form is checked.
"""

from __future__ import annotations

import re
from typing import Any

from langchain_core.runnables import Runnable, RunnableLambda

from .forms import Form

__all__ = ["checked_by", "list_parser"]


def list_parser() -> Runnable[str, list[str]]:
    """Items of a text: its lines without bullets and numbers, or, of one line, what is between
    commas."""

    async def parse(text: str) -> list[str]:
        lines = [_BULLET.sub("", line).strip() for line in text.strip().splitlines()]
        items = lines if len(lines) > 1 else "".join(lines).split(",")
        return [item.strip() for item in items if item.strip()]

    return RunnableLambda(parse, name="list")


def checked_by(form: Form) -> Runnable[Any, Any]:
    """Passes on what is of the form. Raises `MalformedAnswer` for what is not."""

    async def check(value: Any) -> Any:
        form.check(value)
        return value

    return RunnableLambda(check, name="schema")


_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
