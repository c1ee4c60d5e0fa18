"""The Python side of the example: a function that the C program calls like any operation.

It shows state that both sides see: the variable `asked` belongs to the session in the host. This
module must not keep anything itself, because the next call may run in another worker.
"""

from __future__ import annotations

from typing import Any

from snakepit_bridge import CallContext, VersionConflict, function


@function
def remember(
    ctx: CallContext, question: str, answer: str, steps: list[dict[str, Any]]
) -> dict[str, Any]:
    """Counts the question in `asked` and tells how the answer came about."""
    tools = [step for step in steps if step["tool"] != "finish"]
    failed = [step for step in tools if str(step["observation"]).startswith("Execution error")]
    count = len(tools)
    how = f"{count} look-up{'' if count == 1 else 's'}"
    if failed:
        how += f", {len(failed)} in vain"
    return {"number": count_up(ctx), "note": answer, "how": how}


def count_up(ctx: CallContext) -> int:
    """Adds one to `asked`; a write that another call got in before is done again."""
    while True:
        asked = ctx.session.variable("asked")
        try:
            ctx.session.set("asked", asked.value + 1, expected_version=asked.version)
        except VersionConflict:
            ctx.check_cancelled()
            continue
        return asked.value + 1
