"""Functions on large tensors and blobs that the tests of shared memory call through the framework
`python`.

They look at where an array lies and keep some of them between calls, which no handler should do.
"""

import gc
import hashlib
import os
import signal

import numpy

import snakepit_bridge
from snakepit_bridge import CallContext

KEPT = {}
MADE = {}


@snakepit_bridge.function
def echo(value):
    """Gives back what it got."""
    return value


@snakepit_bridge.function(inline=True)
def nothing():
    """Only its call."""


@snakepit_bridge.function(inline=True)
def touch(value):
    """Looks at the first and last element only."""
    return [float(value.flat[0]), float(value.flat[-1])]


@snakepit_bridge.function
def facts(value):
    """What an array is like."""
    return {
        "dtype": value.dtype.name,
        "shape": list(value.shape),
        "writeable": bool(value.flags.writeable),
        "can_be_made_writeable": _can_be_made_writeable(value),
        "digest": digest_of(value),
    }


def _can_be_made_writeable(value):
    try:
        value.flags.writeable = True
    except ValueError:
        return False
    return True


def digest_of(value):
    return hashlib.blake2b(memoryview(value).cast("B"), digest_size=8).hexdigest()


@snakepit_bridge.function
def keep(name: str, value):
    """Keeps an array beyond its call."""
    KEPT[name] = value
    return digest_of(value)


@snakepit_bridge.function
def kept(name: str):
    """The digest of one that was kept."""
    return digest_of(KEPT[name])


@snakepit_bridge.function
def forget(name: str):
    """Lets it go."""
    del KEPT[name]
    gc.collect()


@snakepit_bridge.function(inline=True)
def make(mib: int, dtype: str = "uint8"):
    """A fresh array, made once for each size and changed at each call."""
    array = MADE.get((mib, dtype))
    if array is None:
        count = mib * (1 << 20) // numpy.dtype(dtype).itemsize
        array = MADE[mib, dtype] = numpy.arange(count).astype(dtype)
    array[0] += 1
    return array


@snakepit_bridge.function
def blob(bytes_count: int):
    """Bytes with a pattern."""
    return bytes(bytearray(index % 251 for index in range(251))) * (bytes_count // 251)


@snakepit_bridge.function
def chunks(mib: int, count: int):
    """A stream of arrays, the same memory each time with another content."""
    array = numpy.zeros(mib << 20, dtype="uint8")
    for number in range(count):
        array[:] = number
        yield array


@snakepit_bridge.function
def through_tool(ctx: CallContext, name: str, value):
    """What the host's tool makes of an array."""
    return ctx.session.tools.call(name, {"value": value})


@snakepit_bridge.function
def store(ctx: CallContext, name: str, mib: int):
    """Makes a variable of a large array."""
    ctx.session.register(name, "json", numpy.full(mib << 20, 7, dtype="uint8"))


@snakepit_bridge.function
def read(ctx: CallContext, name: str):
    """Digest and address of a variable's array."""
    array = ctx.session[name]
    return [digest_of(array), array.ctypes.data]


@snakepit_bridge.function
def regions():
    """Mapped regions: those of others and those of our own; and our descriptors."""
    with open("/proc/self/maps") as maps:
        lines = [line for line in maps if "spb-region" in line]
    borrowed = sum(" r--s " in line for line in lines)
    return {
        "borrowed": borrowed,
        "own": len(lines) - borrowed,
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


@snakepit_bridge.function
def read_in_child(value):
    """The digest that a forked child sees of an array that it then gives up."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = digest_of(value)
        del value
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@snakepit_bridge.function
def die(value=None):
    """Ends the worker at once, whatever it holds."""
    os.kill(os.getpid(), signal.SIGKILL)
