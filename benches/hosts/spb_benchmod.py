"""What the hosts' benchmarks call in their worker: an echo, and a clock around calls of a host tool.

It measures on Python's side what only Python sees. It must not know which host calls it.
"""

import time

from snakepit_bridge import CallContext, function


@function(inline=True)
def echo(value):
    """Gives back what it got."""
    return value


@function
def tool_times(ctx: CallContext, name: str, arguments: dict, calls: int):
    """Calls a host tool so many times, one after the other, and says how long each took."""
    call, clock = ctx.session.tools.call, time.perf_counter_ns
    times_ns = []
    for _ in range(calls):
        began = clock()
        call(name, arguments)
        times_ns.append(clock() - began)
    times_ns.sort()
    at = lambda share: times_ns[min(int(calls * share), calls - 1)] / 1e3  # noqa: E731
    return {"p50_us": at(0.5), "p99_us": at(0.99)}
