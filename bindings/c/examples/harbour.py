"""What the C examples of this directory call: the office of a small ferry line.

Functions of the framework `python`. Nothing here knows that C calls it.
"""

import time

from snakepit_bridge import CallContext, function


@function
def fare(passengers: int, cars: int = 0) -> float:
    """What a crossing costs."""
    if passengers == 0:
        raise ValueError("nobody pays nothing")
    return passengers * 7.5 + cars * 16.5


@function
def timetable(day: str):
    """Streams the departures of a day; what it returns is the result."""
    hours = range(7, 12) if day == "Sunday" else range(5, 22)
    for hour in hours:
        yield f"{hour:02}:30"
    return {"day": day, "ferries": len(hours)}


@function
def book(ctx: CallContext, name: str) -> str:
    """Books a seat, which the host gives out."""
    seat = ctx.session.tools.call("next_seat", {"name": name})
    return f"{name} sits on {seat}"


@function
def watch_the_fog(ctx: CallContext):
    """Takes as long as it is let."""
    while not ctx.cancelled:
        time.sleep(0.005)
    ctx.check_cancelled()
