"""Calls of a Python peer, so many at once, until the time is over: commands in, figures out.

The commands are those of `benches/calls`: "echo SIZE IN_FLIGHT MS". It must not know what it calls;
whoever uses it says how one call starts, and how to wait until some have ended.
"""

import json
import pathlib
import sys
import time


def serve(start, ended):
    """`start(value)` gives a call; `ended(calls)` waits, gives those that ended and their results.

    Until the standard input ends.
    """
    folder = pathlib.Path(sys.argv[1])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        _, size, in_flight, time_ms = line.split()
        value = json.loads((folder / f"{size}.json").read_text())["value"]
        figures = _measured(start, ended, value, int(in_flight), int(time_ms))
        print(json.dumps(figures), flush=True)


def _measured(start, ended, value, in_flight, time_ms):
    clock = time.perf_counter_ns
    began = clock()
    end = began + time_ms * 1_000_000
    begun, times_ns = {}, []
    for _ in range(in_flight):
        now = clock()
        begun[start(value)] = now
    while begun:
        for call, result in ended(begun):
            now = clock()
            if result != value:
                raise ValueError("not an echo")
            times_ns.append(now - begun.pop(call))
            if now < end:
                now = clock()
                begun[start(value)] = now
    elapsed = clock() - began
    times_ns.sort()
    count = len(times_ns)
    return {
        "p50_us": times_ns[count // 2] / 1e3,
        "p99_us": times_ns[count * 99 // 100] / 1e3,
        "per_s": count / elapsed * 1e9,
        "count": count,
    }
