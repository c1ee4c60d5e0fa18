"""Batches, updates, history, locks, watches and attributes as handlers see them, in both forms."""

from __future__ import annotations

import json

import pytest

import snakepit_bridge as sb
from rig import rig
from test_session import variable


def change(kind="written", name="a", version=2, value=7, missed=0):
    document = None if value is None else (json.dumps(value).encode(), [])
    return ("change", kind, name, 1, version, 5, document, "", missed, 0)


def failure(status, details=b""):
    return ("error", int(status), "no", False, details, "", "")


def run(handler, play, **more):
    """Runs one handler against `play`, which answers its requests; returns the answer."""
    with rig(handler) as made:
        made.link.cached.update(more.pop("cached", {}))
        made.link.call(1, handler.__name__)
        play(made.request)
        return made.link.answer()


def twice(plain, coroutine, play, **more):
    """The same for a handler and its async twin; returns their result."""
    first, second = run(plain, play, **more), run(coroutine, play, **more)
    assert first[0] == second[0] == "result", (first, second)
    assert first[2] == second[2]
    return first[2]


def test_a_batch_is_one_write_at_the_end_of_its_block():
    def plain(ctx):
        with ctx.session.batch(owner="me") as batch:
            batch["a"] = 0
            batch.set("b", [1], expected_version=4)
            batch["a"] = 1
        return batch.versions

    async def coroutine(ctx):
        async with ctx.session.batch(owner="me") as batch:
            batch["a"] = 0
            batch.set("b", [1], expected_version=4)
            batch["a"] = 1
        return batch.versions

    def play(request):
        asked = request()
        writes = [("b", [1], 4), ("a", 1, None)]
        assert asked.told == {"verb": "set_many", "writes": writes, "owner": "me"}
        asked.give("variables", [variable("b", version=5), variable("a", version=2)])

    assert twice(plain, coroutine, play) == {"b": 5, "a": 2}


def test_a_batch_that_raises_or_has_nothing_writes_nothing():
    def handler(ctx):
        with pytest.raises(ZeroDivisionError), ctx.session.batch() as batch:
            batch["a"] = 1
            raise ZeroDivisionError
        with ctx.session.batch() as empty:
            pass
        with pytest.raises(sb.StateError):
            empty["a"] = 1
        return "written nothing"

    assert run(handler, lambda request: None)[2] == "written nothing"


def test_a_refused_batch_raises_at_the_end_of_its_block():
    def handler(ctx):
        with pytest.raises(sb.VersionConflict), ctx.session.batch() as batch:
            batch["a"] = 1
        return batch.versions

    def play(request):
        request().give(*failure(sb.Status.VERSION_CONFLICT))

    assert run(handler, play)[2] == {}


def test_many_are_read_at_once():
    def plain(ctx):
        return ctx.session.get_many(["a", "b", "c"])

    async def coroutine(ctx):
        return await ctx.session.aget_many(name for name in "abc")

    def play(request):
        asked = request()
        assert asked.told == {"verb": "get_many", "names": ["a", "b", "c"]}
        asked.give("found", [variable("c", value=3), variable("a", value=1)], ["b"])

    assert twice(plain, coroutine, play) == {"c": 3, "a": 1}


def test_an_update_is_one_change():
    def plain(ctx):
        with pytest.raises(sb.InvalidArgument):
            ctx.session.update("n", add=1, append=2)
        with pytest.raises(sb.InvalidArgument):
            ctx.session.update("n")
        return ctx.session.update("n", add=1, expected_version=3, owner="me")

    async def coroutine(ctx):
        return await ctx.session.aupdate("n", add=1, expected_version=3, owner="me")

    def play(request):
        asked = request()
        told = {"verb": "update", "name": "n", "update": {"add": 1}}
        assert asked.told == {**told, "expected_version": 3, "owner": "me"}
        asked.give(*variable("n", value=8))

    assert twice(plain, coroutine, play) == 8


def test_history_and_the_way_back():
    def plain(ctx):
        past = ctx.session.history("x")
        return [[each.version, each.value] for each in past], ctx.session.rollback("x", 1)

    async def coroutine(ctx):
        past = await ctx.session.ahistory("x")
        return [[each.version, each.value] for each in past], await ctx.session.arollback("x", 1)

    def play(request):
        request().give("history", [(1, b'"a"', []), (2, b'"b"', [])])
        asked = request()
        told = {"verb": "rollback", "name": "x", "version": 1}
        assert asked.told == {**told, "expected_version": None, "owner": ""}
        asked.give(*variable("x", version=3))

    assert twice(plain, coroutine, play) == [[[1, "a"], [2, "b"]], 3]


def test_a_lock_is_given_back_whatever_happens():
    def plain(ctx):
        with pytest.raises(ZeroDivisionError), ctx.session.lock("x", ttl=0.5) as lock:
            assert lock.set(1) == 9
            raise ZeroDivisionError
        return "given back"

    async def coroutine(ctx):
        with pytest.raises(ZeroDivisionError):
            async with ctx.session.lock("x", ttl=0.5) as lock:
                assert await lock.aset(1) == 9
                raise ZeroDivisionError
        return "given back"

    def play(request):
        taken = request()
        owner = taken.told["owner"]
        assert taken.told == {"verb": "lock", "name": "x", "owner": owner, "ttl_ms": 500}
        assert len(owner) > 20
        taken.give(*variable())
        written = request()
        assert (written.told["verb"], written.told["owner"]) == ("set", owner)
        written.give(*variable(version=9))
        back = request()
        assert back.told == {"verb": "unlock", "name": "x", "owner": owner}
        back.give("deleted")

    assert twice(plain, coroutine, play) == "given back"


def test_a_lock_that_somebody_else_has_is_busy():
    def handler(ctx):
        with pytest.raises(sb.Busy) as caught, ctx.session.lock("x", owner="me"):
            pass
        return caught.value.details

    def play(request):
        request().give(*failure(sb.Status.BUSY, b'{"owner":"you"}'))

    assert run(handler, play)[2] == {"owner": "you"}


def test_changes_come_until_the_watch_is_closed():
    def plain(ctx):
        seen = []
        with ctx.session.watch("a*", "b", coalesce=True) as changes:
            for each in changes:
                seen.append([each.kind, each.name, each.value, each.has_value, each.missed])
                if each.kind == "missed":
                    changes.close()
        return seen

    async def coroutine(ctx):
        seen = []
        async with ctx.session.watch("a*", "b", coalesce=True) as changes:
            async for each in changes:
                seen.append([each.kind, each.name, each.value, each.has_value, each.missed])
                if each.kind == "missed":
                    changes.close()
        return seen

    def play(request):
        asked = request()
        told = {"verb": "watch", "patterns": ["a*", "b"], "coalesce": True}
        assert asked.told == {**told, "initial": False, "queue_max": 0}
        asked.give(*change())
        asked.give(*change("deleted", value=None))
        asked.give(*change("missed", name="", value=None, missed=3))
        assert asked.cancelled.wait(10)

    expected = [
        ["written", "a", 7, True, 0],
        ["deleted", "a", None, False, 0],
        ["missed", "", None, False, 3],
    ]
    assert twice(plain, coroutine, play) == expected


def test_the_end_of_a_watch_is_raised():
    def handler(ctx):
        changes = ctx.session.watch()
        with pytest.raises(sb.ConnectionClosed):
            next(changes)
        return list(changes)

    def play(request):
        request().give(*failure(sb.Status.CLOSED))

    assert run(handler, play)[2] == []


def test_what_is_cached_is_not_asked_for_and_each_read_has_an_object_of_its_own():
    def plain(ctx):
        first = ctx.session["x"]
        first.append("changed by its reader")
        return [ctx.session.get("x"), ctx.session.variable("x").version]

    async def coroutine(ctx):
        first = await ctx.session.aget("x")
        first.append("changed by its reader")
        return [await ctx.session.aget("x"), (await ctx.session.avariable("x")).version]

    cached = {"x": variable("x", value=[1], version=3)}
    assert twice(plain, coroutine, lambda request: None, cached=cached) == [[1], 3]


def test_attributes_are_variables():
    def handler(ctx):
        names = ctx.session.vars
        names.x = 5
        assert not hasattr(names, "gone")
        assert not hasattr(names, "__wrapped__")
        del names.x
        return names.x

    def play(request):
        written = request()
        assert (written.told["name"], written.told["value"]) == ("x", 5)
        written.give(*variable())
        request().give(*failure(sb.Status.NOT_FOUND))
        deleted = request()
        assert deleted.told["verb"] == "delete"
        deleted.give("deleted")
        request().give(*variable(value=6))

    assert run(handler, play)[2] == 6
