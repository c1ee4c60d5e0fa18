"""What the benchmark of calls asks of the product's worker.

It measures on Python's side what only Python sees: how long a tool of the host takes. It must not
know what is compared with it.
"""

import time

import spb_busy

from snakepit_bridge import CallContext, function


@function(inline=True)
def echo(value):
    """Gives back what it got, on the worker's dispatch thread."""
    return value


@function
def echo_thread(value):
    """Gives back what it got, on a thread for calls."""
    return value


@function
def chunks(count: int):
    """A stream of numbers."""
    yield from range(count)


@function
def compute_start():
    """Makes another thread of this worker busy."""
    spb_busy.start()


@function
def compute_stop():
    """Makes it idle again."""
    spb_busy.stop()


@function
def tool_times(ctx: CallContext, arguments: dict, time_ms: int):
    """Calls a tool of the host, one call after the other, and says how long they took."""
    call, clock = ctx.session.tools.call, time.perf_counter_ns
    times_ns = []
    end_ns = clock() + time_ms * 1_000_000
    began_ns = 0
    while began_ns < end_ns:
        began_ns = clock()
        call("echo", arguments)
        times_ns.append(clock() - began_ns)
    times_ns.sort()
    count = len(times_ns)
    at = lambda share: times_ns[int(count * share)] / 1e3  # noqa: E731
    return {"p50_us": at(0.5), "p99_us": at(0.99), "count": count}
