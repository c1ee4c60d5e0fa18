"""Functions that the fault scenarios call: they end their process, or keep a ledger of what ran.

A ledger is a file opened for appending; one write of one short line survives the KILL that comes
right after it, and is never torn.
"""

import contextlib
import os
import re
import signal
import subprocess
import time

import snakepit_bridge
from snakepit_bridge import CallContext


@snakepit_bridge.function
def daemonize_and_hold_gil(ledger: str):
    """Leaves a fled grandchild, says so, and stays within C with the interpreter's lock."""
    subprocess.check_call(["setsid", "-f", "sh", "-c", "trap '' TERM; exec >&- 2>&-; sleep 600"])
    note(ledger, "held")
    return re.match(r"(a+)+$", "a" * 64 + "b") is None


@snakepit_bridge.function
def ledger_entry(ledger: str, entry: int, pause_s: float = 0.0):
    """What must not run twice: leaves a line for each time that it does."""
    note(ledger, str(entry))
    if pause_s:
        time.sleep(pause_s)
    return entry


@snakepit_bridge.function
def ledger_stream(ctx: CallContext, ledger: str, entry: int, chunks: int):
    """Leaves a line, then streams numbers."""
    note(ledger, str(entry))
    yield from range(chunks)
    return entry


@snakepit_bridge.function
def end_by(how: str):
    """Ends the process in one of the ways that processes end."""
    if how.startswith("exit "):
        os._exit(int(how.removeprefix("exit ")))
    os.kill(os.getpid(), getattr(signal, how))
    signal.pause()


@snakepit_bridge.function
def crash_in_c():
    """A wrong memory access, made rather than sent."""
    import ctypes

    ctypes.string_at(8)


@snakepit_bridge.function
def eat(mebibytes: int):
    """Takes memory, writes to all of it, and says how much it has."""
    _EATEN.append(b"\x01" * (mebibytes << 20))
    return sum(map(len, _EATEN))


@snakepit_bridge.function
def eaten(pause_s: float):
    """How much `eat` has taken in this process, after a while."""
    time.sleep(pause_s)
    return sum(map(len, _EATEN))


@snakepit_bridge.function
def eat_and_stay(mebibytes: int):
    """As `eat`, and does not come back."""
    eat(mebibytes)
    signal.pause()


@snakepit_bridge.function
def fork_bomb():
    """Forks, in every process that comes of it, until it is killed."""
    while True:
        with contextlib.suppress(OSError):
            os.fork()


_EATEN: list[bytes] = []


def note(ledger: str, text: str) -> None:
    """One line, in one write."""
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)
