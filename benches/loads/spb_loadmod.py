"""What the loads of the benchmarks call in their workers: small functions, a computation, tensors.

It must not know what is measured with it.
"""

import numpy

from snakepit_bridge import function

MADE = {}


@function
def echo(value):
    """Gives back what it got, on a thread."""
    return value


@function(inline=True)
def echo_inline(value):
    """Gives back what it got, on the dispatch thread."""
    return value


@function
def compute(value):
    """Some milliseconds of Python that nothing else can run beside in this worker."""
    return sum(number * number for number in range(40_000))


@function(inline=True)
def nothing():
    """Only its call."""


@function(inline=True)
def touch(value):
    """Looks at the first and the last element only."""
    return [int(value[0]), int(value[-1])]


@function(inline=True)
def make(mib: int):
    """An array that is made once for each size and changed at each call."""
    array = made(mib << 20)
    array[0] += 1
    return array


@function
def swap(value):
    """Takes an array and gives back another one of its size, from a thread."""
    return made(len(value))


def made(size: int):
    if size not in MADE:
        MADE[size] = numpy.resize(numpy.arange(251, dtype="uint8"), size)
    return MADE[size]
