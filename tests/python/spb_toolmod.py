"""Tools that the tests call from the host and from Python, and functions that call tools.

Each does one plain thing, so that a test can say exactly what it expects. Nothing here knows how it
is called.
"""

import asyncio
import os
import signal
import time
from collections.abc import Generator

import numpy

from snakepit_bridge import CallContext, ToolHooks, current, function, tool

PRICES = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"price": {"type": "number"}}},
        }
    },
    "required": ["items"],
}


@tool(idempotent=True, max_in_flight=100, timeout=30.0)
def add(a: int, b: int = 1) -> int:
    """Adds two numbers."""
    return a + b


@tool(description="Shouts, from the event loop.")
async def shout(text: str) -> str:
    """Not told: the description is given."""
    await asyncio.sleep(0)
    return text.upper()


@tool(name="any.echo")
def echo(value):
    """Gives back what it got."""
    return value


@tool
def blob(data: bytes, grid: numpy.ndarray) -> dict:
    """Takes bytes and an array and gives back changed ones."""
    return {"data": data[::-1], "grid": grid * 2}


@tool
def count(
    to: int, fail_at: int = -1, wrong_at: int = -1, ledger: str = ""
) -> Generator[int, None, int]:
    """Counts up; what it returns is how far it came."""
    number = -1
    try:
        for number in range(to):
            if number == fail_at:
                raise RuntimeError(f"no {number} today")
            yield f"{number}" if number == wrong_at else number
        return to
    finally:
        if ledger:
            _note(ledger, number)


@tool
async def tick(to: int):
    """Counts up on the event loop, telling the host before each chunk."""
    for number in range(to):
        await current().session.tools.acall("mark", {})
        yield number


@tool(input_schema=PRICES, output_schema=PRICES)
def order(items, spoil_at=-1):
    """Gives the items back, one of them spoilt."""
    for number, item in enumerate(items):
        if number == spoil_at:
            item["price"] = "much"
    return {"items": items}


@tool(timeout=0.2)
def slow(ctx: CallContext, ledger: str):
    """Ends when it is told to."""
    while not ctx.cancelled:
        time.sleep(0.002)
    _note(ledger, "told")


@tool(max_in_flight=1)
def single(ctx: CallContext):
    """Answers as the host's gate does."""
    return ctx.session.tools.call("gate", {})


@tool
def deep(ctx: CallContext, level: int):
    """Asks the host, which asks again, until the bottom."""
    return ctx.session.tools.call("bounce" if level else "bottom", {"level": level})


@tool
def recurse(ctx: CallContext):
    """Calls itself, through the host, for as long as it is let."""
    return ctx.session.tools.call("recurse", {})


@tool(idempotent=True)
def crash_first(ledger: str):
    """Ends its process the first time."""
    _note(ledger, "ran")
    if _lines(ledger) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return _lines(ledger)


@tool
def where() -> str:
    """The pool that it runs in."""
    return os.environ["SPB_TEST_POOL"]


SEEN = []


class Note(ToolHooks):
    """Notes the order in which it is asked, and wraps what passes."""

    def __init__(self, mark):
        self._mark = mark

    def before(self, name, arguments):
        SEEN.append(f"{self._mark} before {name} {arguments}")
        if arguments.get("text") == "refuse":
            raise PermissionError("not today")

    def transform_arguments(self, name, arguments):
        return {"text": f"{self._mark}({arguments['text']})"}

    def transform_result(self, name, result):
        return f"{self._mark}[{result}]"

    def after(self, name, result, fault):
        SEEN.append(f"{self._mark} after {result} {fault!r}")


@tool(hooks=[Note("a"), Note("b")])
def hooked(text: str) -> str:
    """Gives back what the hooks left of it."""
    return text


@function
def take_seen():
    """What the hooks noted."""
    seen, SEEN[:] = list(SEEN), []
    return seen


@function
def use(ctx: CallContext, name: str, arguments: dict, timeout: float | None = None):
    """Calls a tool and gives back its answer."""
    return ctx.session.tools.call(name, arguments, timeout)


@function
def use_in_turn(ctx: CallContext, names: list):
    """Calls tools and says what came of each, the kind of failure included."""
    outcomes = []
    for name in names:
        try:
            outcomes.append(ctx.session.tools.call(name, {}))
        except Exception as fault:
            outcomes.append(type(fault).__name__)
        outcomes.append(sorted(each.name for each in ctx.session.tools.list() if each.pool is None))
    return outcomes


@function
def listed(ctx: CallContext, name: str):
    """How Python sees one tool."""
    [found] = [each for each in ctx.session.tools.list() if each.name == name]
    return {key: getattr(found, key) for key in found.__slots__}


@function
def take(ctx: CallContext, name: str, arguments: dict, at_most: int = -1):
    """Takes chunks of a tool: how many, their sum, the result; leaves after `at_most`."""
    taken, total = 0, 0
    with ctx.session.tools.stream(name, arguments) as stream:
        while taken != at_most:
            chunk = next(stream, None)
            if chunk is None:
                break
            taken += 1
            total += chunk
            if taken == 1 and arguments.get("held"):
                ctx.session.tools.call(arguments["held"], {})
    return [taken, total, stream.result]


@function
def kinds_through(ctx: CallContext, name: str, value):
    """Whether a tool gives back exactly what it got: the types on the way, and the value."""
    back = ctx.session.tools.call(name, {"value": value})
    if isinstance(back, dict):
        back = back["value"]
    same = numpy.array_equal(back, value) if isinstance(value, numpy.ndarray) else back == value
    return {"same": bool(same), "kind": type(back).__name__, "back": back}


def _note(ledger, what):
    with open(ledger, "a", encoding="ascii") as file:
        file.write(f"{what}\n")


def _lines(ledger):
    with open(ledger, encoding="ascii") as file:
        return len(file.readlines())
