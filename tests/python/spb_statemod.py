"""Functions of tests/worker/state.rs: what handlers do with variables.

Owns nothing; the tests say what has to come of it.
"""

import snakepit_bridge
from snakepit_bridge import CallContext


@snakepit_bridge.function
def read(ctx: CallContext, name: str, times: int = 1):
    """Reads so many times; the last value and its version."""
    for _ in range(times):
        variable = ctx.session.variable(name)
    return [variable.value, variable.version]


@snakepit_bridge.function
def read_until(ctx: CallContext, name: str, expected: int):
    """Reads until the value is there, and checks that versions never fall."""
    last = 0
    while not ctx.cancelled:
        variable = ctx.session.variable(name)
        if variable.version < last:
            return f"version {variable.version} after {last}"
        last = variable.version
        if variable.value == expected:
            return "seen"
    return "cancelled"


@snakepit_bridge.function
def write_and_read(ctx: CallContext, name: str, times: int):
    """Writes, and reads what it has just written or newer; gives how often it was older."""
    older = 0
    for _ in range(times):
        version = ctx.session.update(name, add=1) and ctx.session.variable(name).version
        again = ctx.session.set(name, 0)
        older += ctx.session.variable(name).version < max(again, version)
    return older


@snakepit_bridge.function
def spoil(ctx: CallContext, name: str):
    """Changes a value that it has read, which is nobody else's."""
    ctx.session[name].append("spoilt")
    return ctx.session[name]


@snakepit_bridge.function
def tensor_sum(ctx: CallContext, name: str):
    """Reads a tensor twice: its sum, and whether it can be written."""
    first, second = ctx.session[name], ctx.session[name]
    return [float(first.sum() + second.sum()), bool(second.flags.writeable)]


@snakepit_bridge.function
def every_verb(ctx: CallContext):
    """Uses each verb once and gives what it saw."""
    session = ctx.session
    session.register("n", "integer", 1)
    session.register("t", "json", {"a": 1})
    with session.batch() as batch:
        batch["n"] = 5
        batch["t"] = {"b": 2}
    seen = [batch.versions, session.get_many(["t", "none", "n"])]
    try:
        with session.batch() as batch:
            batch["n"] = 6
            batch["t"] = "fine"
            batch["none"] = 1
    except KeyError:
        seen.append(session["n"])
    seen.append(session.update("n", add=2))
    seen.append(session.rollback("n", 1))
    seen.append([[past.version, past.value] for past in session.history("n")])
    with session.lock("n", ttl=60) as lock:
        seen.append(session.variable("n").lock.owner == lock.owner)
        try:
            session.set("n", 9)
        except snakepit_bridge.Busy:
            seen.append("busy")
        seen.append(lock.set(9))
    seen.append(session.variable("n").lock)
    session.vars.n = 10
    seen.append(session.vars.n)
    seen.append([variable.name for variable in session.list(limit=1)])
    seen.append([variable.name for variable in session.list(after="n")])
    session.delete("n", expected_version=session.variable("n").version)
    return seen


@snakepit_bridge.function
async def every_verb_awaited(ctx: CallContext):
    """Uses the twins."""
    session = ctx.session
    await session.aregister("m", "integer", 1)
    async with session.batch() as batch:
        batch["m"] = 5
    seen = [batch.versions, await session.aget_many(["m"]), await session.aupdate("m", add=2)]
    async with session.lock("m") as lock:
        seen.append(await lock.aupdate(add=1))
    seen.append(await session.arollback("m", 2))
    seen.append(len(await session.ahistory("m")))
    seen.append(await session.aget("m"))
    return seen


@snakepit_bridge.function
def watched(ctx: CallContext, patterns: list, count: int):
    """Takes so many changes, with what there is at the beginning."""
    seen = []
    with ctx.session.watch(*patterns, initial=True) as changes:
        for change in changes:
            if not seen:
                ctx.session.register("ready", "boolean", True)
            seen.append([change.kind, change.name, change.version, change.value])
            if len(seen) == count:
                return seen


@snakepit_bridge.function
async def watched_awaited(ctx: CallContext, patterns: list, count: int):
    """The same in a coroutine."""
    seen = []
    async with ctx.session.watch(*patterns, initial=True) as changes:
        async for change in changes:
            if not seen:
                await ctx.session.aregister("ready", "boolean", True)
            seen.append([change.kind, change.name, change.version, change.value])
            if len(seen) == count:
                return seen


@snakepit_bridge.function
def watched_slowly(ctx: CallContext, name: str):
    """Writes faster than it takes, and gives what it was told: versions rise, missed ones are
    counted.
    """
    with ctx.session.watch(name, queue_max=10) as changes:
        for _ in range(1000):
            ctx.session.update(name, add=1)
        told, missed = [], 0
        while not told or told[-1] + missed < 1001:
            change = next(changes)
            if change.kind == "missed":
                missed += change.missed
                break
            told.append(change.version)
    return [told == sorted(set(told)), len(told) + missed]


@snakepit_bridge.function
def locked(ctx: CallContext, name: str, wait: bool):
    """Takes a lock and never gives it back; with `wait`, stays until the call is given up."""
    ctx.session.lock(name, ttl=600, owner="handler").refresh()
    for _ in ctx.session.watch("never") if wait else ():
        pass
