"""What the scenarios of tests/frameworks run in Python besides DSPy: sums over many rows, functions
that take as long as they are told to, and generators that fail.

Each does one plain thing, so that a test can say exactly what it expects. It must not know which
scenario calls it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from snakepit_bridge import CallContext, function


@function
def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts and sums of rows that came with the call."""
    return _totals(rows)


@function
def totals_of(ctx: CallContext, variable: str) -> dict[str, Any]:
    """The same of rows that lie in a variable of the session."""
    return _totals(ctx.session[variable])


@function
async def take(seconds: float) -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return "done"


@function
def generate(pieces: int) -> Iterator[str]:
    """Streams some pieces, and then raises."""
    for number in range(pieces):
        yield f"piece {number}"
    raise RuntimeError("out of paper")


@function
async def generate_async(pieces: int) -> AsyncIterator[str]:
    """The same on the event loop."""
    for number in range(pieces):
        yield f"piece {number}"
    raise RuntimeError("out of paper")


def _totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "sum": sum(row["amount"] for row in rows),
        "labels": {
            label: sum(1 for row in rows if row["label"] == label)
            for label in sorted({row["label"] for row in rows})
        },
        "last": rows[-1],
    }
