"""Functions that the tests call through the framework `python`.

Each does one plain thing, so that a test can say exactly what it expects. Nothing here knows how it
is called.
"""

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time

import snakepit_bridge
from snakepit_bridge import CallContext


@snakepit_bridge.function
def echo(value):
    """Gives back what it got."""
    return value


@snakepit_bridge.function(inline=True)
def echo_inline(value):
    """Gives back what it got, on the dispatch thread."""
    return value


@snakepit_bridge.function
def leave_mark(path: str):
    """Makes an empty file, which nobody has made before."""
    with open(path, "x"):
        pass


@snakepit_bridge.function(inline=True)
def await_mark(path: str):
    """Looks for a file on the dispatch thread without a pause: whether somebody made it."""
    until = time.monotonic() + 30
    while not os.path.exists(path):
        if time.monotonic() > until:
            return False
    return True


@snakepit_bridge.function
async def echo_async(value):
    """Gives back what it got, from the event loop."""
    await asyncio.sleep(0)
    return value


@snakepit_bridge.function
def kinds(value):
    """The type names inside a value, in its own shape."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value]
    if type(value).__name__ == "ndarray":
        return f"ndarray:{value.dtype.name}:{list(value.shape)}:{value.tolist()}"
    return type(value).__name__


@snakepit_bridge.function
def make(what: str):
    """Values that only Python can make, good ones and bad ones."""
    import numpy

    return {
        "bytes": lambda: b"\x00\xff",
        "array": lambda: numpy.arange(6, dtype="float32").reshape(2, 3),
        "nan": lambda: {"a": [1.0, float("nan")]},
        "big": lambda: {"n": 2**64},
        "deep": lambda: _nested(65),
        "object": lambda: {"x": object()},
        "unserialisable_key": lambda: {1: 2},
    }[what]()


def _nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@snakepit_bridge.function
def session_id(ctx: CallContext):
    """The session that Python sees."""
    return ctx.session.id


@snakepit_bridge.function
def call_tool(ctx: CallContext, name: str, arguments: dict):
    """Calls a host tool and gives back its answer."""
    return ctx.session.tools.call(name, arguments)


@snakepit_bridge.function
async def call_tool_async(ctx: CallContext, name: str, arguments: dict):
    """Calls a host tool from the event loop."""
    return await ctx.session.tools.acall(name, arguments)


@snakepit_bridge.function
def stream_tool(ctx: CallContext, name: str, arguments: dict):
    """Takes a host tool's chunks and its result."""
    stream = ctx.session.tools.stream(name, arguments)
    chunks = list(stream)
    return {"chunks": chunks, "result": stream.result}


@snakepit_bridge.function
def list_tools(ctx: CallContext):
    """The names of the tools that this call may use."""
    return [tool.name for tool in ctx.session.tools.list()]


@snakepit_bridge.function
def count(ctx: CallContext, to: int, pause_s: float = 0.0):
    """Streams the numbers below `to`."""
    for number in range(to):
        yield number
        if pause_s:
            time.sleep(pause_s)
    return {"counted": to}


@snakepit_bridge.function
def fail(message: str):
    """Raises with a cause."""
    try:
        raise KeyError("inner")
    except KeyError as inner:
        raise ValueError(message) from inner


@snakepit_bridge.function
def leave(code: int):
    """Ends the process as a crash would."""
    os._exit(code)


@snakepit_bridge.function
def die(signal_number: int):
    """Ends the process by a signal."""
    os.kill(os.getpid(), signal_number)
    signal.pause()


@snakepit_bridge.function
def raise_system_exit():
    """What must not end a worker."""
    sys.exit(3)


@snakepit_bridge.function
def pid():
    """Which process serves the call."""
    return os.getpid()


_STOPPED = threading.Event()


@snakepit_bridge.function
def sleep_until_cancelled(ctx: CallContext):
    """Waits for the cancel, and remembers that it saw it."""
    _STOPPED.clear()
    while not ctx.cancelled:
        time.sleep(0.005)
    _STOPPED.set()
    ctx.check_cancelled()


@snakepit_bridge.function
def saw_cancel():
    """Whether `sleep_until_cancelled` saw its cancel; waits a moment for it."""
    return _STOPPED.wait(5)


@snakepit_bridge.function
def ignore_cancel(seconds: float):
    """Sleeps whatever happens."""
    time.sleep(seconds)
    return "slept"


@snakepit_bridge.function
def remaining(ctx: CallContext):
    """Seconds that the call has left."""
    return ctx.deadline_remaining()


@snakepit_bridge.function
def variable_increment(ctx: CallContext, name: str):
    """Reads a variable, adds one, writes it back."""
    ctx.session[name] = ctx.session[name] + 1
    return ctx.session[name]


@snakepit_bridge.function
def variable_register(ctx: CallContext, name: str, type: str, initial):
    """Adds a variable from Python."""
    ctx.session.register(name, type, initial)
    return ctx.session[name]


@snakepit_bridge.function
def speak(text: str):
    """Prints and logs."""
    import logging

    print(text)
    logging.getLogger("tests.speak").warning("logged %s", text)


@snakepit_bridge.function
def trace(ctx: CallContext):
    """The caller's trace context."""
    return ctx.traceparent


@snakepit_bridge.function
def run_shell(code: int):
    """The exit code that `subprocess` sees in a worker."""
    return subprocess.call([sys.executable, "-c", f"raise SystemExit({code})"])


@snakepit_bridge.function
def hold_gil():
    """Keeps the interpreter lock inside C for far longer than any test waits."""
    return re.match(r"(a+)+$", "a" * 64 + "b") is None


@snakepit_bridge.function
def stand_still():
    """Says so on its standard error, and does nothing more."""
    print("standing still", file=sys.stderr, flush=True)
    time.sleep(600)


@snakepit_bridge.function
def hold_gil_for(seconds: float):
    """Keeps the interpreter lock inside C, and gives it back."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    return "held"


@snakepit_bridge.function
def daemonize():
    """Leaves a grandchild that fled: own session, ignores TERM, closes what it inherited."""
    code = (
        "import os,signal,time\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.closerange(0, 64)\n"
        "time.sleep(600)\n"
    )
    subprocess.check_call([sys.executable, "-c", code])
    return os.getpid()


@snakepit_bridge.function
def environment(name: str):
    """A variable of the worker's environment."""
    return os.environ.get(name)


@snakepit_bridge.function
def deep_integer():
    """An integer that no double holds."""
    return {"n": [2**53 + 1]}


_SEEN = {"count": 0}


@snakepit_bridge.function
def count_here():
    """A counter of this very process."""
    _SEEN["count"] += 1
    return {"pid": os.getpid(), "count": _SEEN["count"]}


def _note(ledger: str):
    with open(ledger, "a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")


@snakepit_bridge.function(idempotent=True)
def crash_until(ledger: str, times: int, how: str = "abort"):
    """Notes that it ran, and ends its process unless it has run `times` times before."""
    _note(ledger)
    with open(ledger, encoding="ascii") as file:
        ran = len(file.readlines())
    if ran <= times:
        number = {"abort": signal.SIGABRT, "kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how]
        os.kill(os.getpid(), number)
        signal.pause()
    return ran


@snakepit_bridge.function
def crash_once_only(ledger: str):
    """Not declared idempotent: notes that it ran and ends its process."""
    _note(ledger)
    os.abort()


@snakepit_bridge.function(idempotent=True)
def crash_in_stream(ledger: str, chunks: int):
    """Sends chunks and ends its process."""
    _note(ledger)
    yield from range(chunks)
    time.sleep(0.1)
    os.abort()


@snakepit_bridge.function(idempotent=True)
def ask_then_crash(ctx: CallContext, ledger: str, name: str):
    """Calls a host tool; the first time, its process ends while the host has not answered."""
    _note(ledger)
    with open(ledger, encoding="ascii") as file:
        first = len(file.readlines()) == 1
    if first:
        threading.Timer(0.1, os.abort).start()
    return ctx.session.tools.call(name, {"first": first})


_LATE = []


@snakepit_bridge.function
def reach_late(ctx: CallContext, name: str):
    """Waits for the cancel, and only then uses the session."""
    _LATE.clear()
    while not ctx.cancelled:
        time.sleep(0.005)
    for use in (
        lambda: ctx.session[name],
        lambda: ctx.session.register("late", "integer", 1),
    ):
        try:
            use()
            _LATE.append("reached")
        except BaseException as error:
            _LATE.append(type(error).__name__)


@snakepit_bridge.function
def late_reaches():
    """What became of the uses of `reach_late`, once there are two."""
    until = time.monotonic() + 30
    while len(_LATE) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    return _LATE
