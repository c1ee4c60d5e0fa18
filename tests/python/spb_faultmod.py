"""Functions that the fault scenarios call through the framework `python`.

Each does one thing that a scenario needs: holds the interpreter, keeps a ledger of what was run,
makes long streams. Nothing here knows which scenario calls it.
"""

import ctypes
import os
import threading
import time

import snakepit_bridge
from snakepit_bridge import CallContext


@snakepit_bridge.function
def keep_gil(seconds: int):
    """Keeps the interpreter lock inside C for so long, and then ends well."""
    left = seconds
    while left:
        left = ctypes.PyDLL(None).sleep(left)
    return "held"


@snakepit_bridge.function
def record(path: str, number: int, seconds: float):
    """Enters the number in a ledger, in one write, and works for a while."""
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(ledger, b"%d\n" % number)
    finally:
        os.close(ledger)
    time.sleep(seconds)
    return number


@snakepit_bridge.function
def work(seconds: float):
    """Takes so long and no more."""
    time.sleep(seconds)
    return "done"


_PRODUCED = 0


@snakepit_bridge.function
def blocks(ctx: CallContext, bytes_each: int, total: int):
    """Streams `total` blocks, each of which begins with its number."""
    global _PRODUCED
    filler = bytes(bytes_each - 8)
    _PRODUCED = 0
    for number in range(total):
        yield number.to_bytes(8, "little") + filler
        _PRODUCED = number + 1
    return {"sent": total}


@snakepit_bridge.function
def produced():
    """Blocks that the last stream of this worker has got rid of."""
    return _PRODUCED


@snakepit_bridge.function
def ticks(ctx: CallContext):
    """Streams small numbers until it is cancelled."""
    number = 0
    while not ctx.cancelled:
        yield number
        number += 1


_TOLD = threading.Event()


@snakepit_bridge.function
def until_told(ctx: CallContext, seconds: float):
    """Works for so long unless it is told to stop, and remembers that."""
    _TOLD.clear()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not ctx.cancelled:
        time.sleep(0.002)
    if ctx.cancelled:
        _TOLD.set()
    return "through"


@snakepit_bridge.function
def was_told():
    """Whether `until_told` was told; waits a moment for it."""
    return _TOLD.wait(5)


@snakepit_bridge.function
def left_ms(ctx: CallContext, tool: str):
    """Milliseconds that the call has left, and the answer of a host tool that it called then."""
    left = ctx.deadline_remaining()
    answer = ctx.session.tools.call(tool, {})
    return {"left_ms": left * 1000, "answer": answer}


@snakepit_bridge.function
def obey_nothing(seconds: float):
    """Ignores TERM and its cancel."""
    ctypes.CDLL(None).signal(15, 1)
    time.sleep(seconds)
