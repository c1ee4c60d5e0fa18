"""Parsers beside LangChain's own: a list of lines or items, and a value held against a JSON Schema.

It owns both. Failures are `MalformedAnswer`, for it is a model's answer that is at fault. It must
not know models.
"""

from __future__ import annotations

import re
from typing import Any

from langchain_core.runnables import Runnable, RunnableLambda

from snakepit_bridge.host_lm import MalformedAnswer

from .checks import first_fault

__all__ = ["check_answer", "checked_by", "list_parser"]


def list_parser() -> Runnable[str, list[str]]:
    """Items of a text: its lines without bullets and numbers, or, of one line, what is between
    commas."""

    async def parse(text: str) -> list[str]:
        lines = [_BULLET.sub("", line).strip() for line in text.strip().splitlines()]
        items = lines if len(lines) > 1 else "".join(lines).split(",")
        return [item.strip() for item in items if item.strip()]

    return RunnableLambda(parse, name="list")


def checked_by(schema: dict[str, Any], place: str) -> Runnable[Any, Any]:
    """Passes on what is of the form of `schema`. Raises `MalformedAnswer` for what is not."""

    async def check(value: Any) -> Any:
        check_answer(value, schema, place)
        return value

    return RunnableLambda(check, name="schema")


def check_answer(value: Any, schema: dict[str, Any], place: str) -> None:
    """Raises `MalformedAnswer`, naming where and why, for a value that is not of the form of
    `schema`."""
    fault = first_fault(value, schema)
    if fault is not None:
        raise MalformedAnswer(
            f"answer of the model for {place} at {fault}", details={"place": place, "path": fault}
        )


_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
