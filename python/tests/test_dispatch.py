"""Dispatch: what runs at once, what ends a call, and that each call ends exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import random
import threading

import pytest

import snakepit_bridge as sb
from fake_link import WAIT
from rig import inline, rig


def echo(ctx, **parameters):
    return parameters


async def aecho(ctx, **parameters):
    return parameters


PARAMETERS = {"a": 1, "b": [True, None, "x"], "c": {"d": 1.5}}


@pytest.mark.parametrize("handler", [echo, aecho, inline(echo)])
def test_a_call_returns_what_its_handler_returns(handler):
    with rig(handler) as made:
        name = "aecho" if handler is aecho else "echo"
        assert made.ask(name, parameters=PARAMETERS) == ("result", 1, PARAMETERS, [])


def test_the_context_tells_what_runs():
    def tell(ctx):
        assert sb.current() is ctx
        left = ctx.deadline_remaining()
        assert 0 < left <= 60
        return [ctx.call_id, ctx.session.id, ctx.framework, ctx.operation, ctx.streaming]

    with rig(tell) as made:
        answer = made.ask("tell", call_id=7, session="one", remaining_ms=60_000)
        assert answer == ("result", 7, [7, "one", "t", "tell", False], [])
        with pytest.raises(sb.StateError):
            sb.current()


def test_an_unknown_operation_is_not_found():
    with rig(echo) as made:
        for framework, operation in (("t", "nope"), ("nope", "echo")):
            _, _, failure = made.ask(operation, framework=framework)
            assert failure["status"] == sb.Status.NOT_FOUND
            assert "nope" in failure["message"]


def test_parameters_that_are_no_object_are_refused():
    with rig(echo) as made:
        _, _, failure = made.ask("echo", json=b"[1]")
        assert failure["status"] == sb.Status.INVALID_ARGUMENT
        assert failure["message"] == "parameters are a list, expected an object"


def test_plain_handlers_run_at_once():
    meeting = threading.Barrier(8, timeout=WAIT)

    def meet(ctx):
        meeting.wait()
        return "met"

    with rig(meet) as made:
        for call_id in range(8):
            made.link.call(call_id, "meet")
        answers = [made.link.answer() for _ in range(8)]
        assert sorted(answer[1] for answer in answers) == list(range(8))
        assert {answer[2] for answer in answers} == {"met"}


def test_coroutines_run_at_once_on_one_thread():
    waiting, threads = [], set()

    async def meet(ctx):
        threads.add(threading.get_ident())
        waiting.append(asyncio.get_running_loop().create_future())
        if len(waiting) == 100:
            for future in waiting:
                future.set_result(None)
        await waiting[-1 if len(waiting) == 100 else len(waiting) - 1]

    with rig(meet) as made:
        for call_id in range(100):
            made.link.call(call_id, "meet")
        assert {made.link.answer()[0] for _ in range(100)} == {"result"}
    assert len(threads) == 1


def test_threads_are_reused():
    def where(ctx):
        return threading.get_ident()

    with rig(where) as made:
        threads = {made.ask("where", call_id)[2] for call_id in range(50)}
        # A finished thread may report itself idle just after the next call has come.
        assert len(threads) <= 4


def test_the_number_of_running_threads_is_bounded_and_all_calls_run():
    release = threading.Event()

    def hold(ctx):
        release.wait(WAIT)

    with rig(hold, threads_max=3) as made:
        for call_id in range(20):
            made.link.call(call_id, "hold")
        made.link.call(99, "nope")
        assert made.link.answer()[1] == 99
        assert made.dispatcher._threads.running == 3
        release.set()
        assert sorted(made.link.answer()[1] for _ in range(20)) == list(range(20))


def test_a_handler_that_blocks_does_not_stop_the_listening():
    release = threading.Event()

    def hold(ctx):
        release.wait(WAIT)

    with rig(hold, echo, threads_max=8) as made:
        # An idle thread lets the next lone call run on the thread that heard it.
        for call_id in range(5):
            made.ask("echo", call_id)
        for call_id in range(10, 16):
            made.link.call(call_id, "hold")
            assert made.ask("echo", 1)[:2] == ("result", 1)
        release.set()
        assert sorted(made.link.answer()[1] for _ in range(6)) == list(range(10, 16))


def test_calls_that_wait_for_the_host_do_not_starve_the_calls_they_wait_for():
    def outer(ctx, depth):
        return ctx.session.tools.call("again", {"depth": depth}) if depth else "bottom"

    with rig(outer, threads_max=1) as made:
        requests = []
        for depth in (5, 4, 3, 2, 1):
            made.link.call(depth, "outer", parameters={"depth": depth})
            requests.append(made.request())
        assert made.ask("outer", 100, parameters={"depth": 0})[2] == "bottom"
        for request in reversed(requests):
            request.give_value("bottom")
            assert made.link.answer()[2] == "bottom"


def test_an_inline_handler_may_not_wait_for_the_host():
    def wait(ctx):
        return ctx.session["x"]

    with rig(inline(wait)) as made:
        _, _, failure = made.ask("wait")
        assert failure["status"] == sb.Status.WOULD_DEADLOCK


def test_a_blocking_call_on_the_event_loop_is_refused():
    async def wait(ctx):
        return ctx.session["x"]

    with rig(wait) as made:
        _, _, failure = made.ask("wait")
        assert failure["status"] == sb.Status.WOULD_DEADLOCK
        assert "aget" in failure["message"]


def test_a_cancelled_coroutine_ends_as_cancelled():
    cleaned = threading.Event()

    async def hang(ctx):
        try:
            await asyncio.sleep(WAIT * 10)
        finally:
            cleaned.set()

    with rig(hang) as made:
        made.link.call(1, "hang")
        made.link.cancel(1)
        answer = made.link.answer()
        assert answer[2]["status"] == sb.Status.CANCELLED
        made.link.call(2, "hang", remaining_ms=1)
        made.link.cancel(2, 10)
        assert made.link.answer()[2]["status"] == sb.Status.DEADLINE
        # The first may have been cancelled before its first step; a started one always cleans up.
        started = threading.Event()

    async def hang_too(ctx):
        started.set()
        await hang(ctx)

    cleaned.clear()
    with rig(hang_too) as made:
        made.link.call(1, "hang_too")
        assert started.wait(WAIT)
        made.link.cancel(1)
        assert made.link.answer()[2]["status"] == sb.Status.CANCELLED
        assert cleaned.is_set()


def test_a_coroutine_that_swallows_its_cancel_still_ends_as_cancelled_once():
    started = threading.Event()

    async def stubborn(ctx):
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(WAIT * 10)
        return "ignored"

    with rig(stubborn) as made:
        made.link.call(1, "stubborn")
        assert started.wait(WAIT)
        made.link.cancel(1, 10)
        assert made.link.answer()[2]["status"] == sb.Status.DEADLINE
        with pytest.raises(queue.Empty):
            made.link.answers.get_nowait()


def test_a_plain_handler_sees_the_cancel():
    started = threading.Event()

    def spin(ctx):
        started.set()
        while not ctx.cancelled:
            pass
        ctx.check_cancelled()

    with rig(spin) as made:
        for call_id, reason, remaining_ms in ((1, 9, 60_000), (2, 10, 1)):
            started.clear()
            made.link.call(call_id, "spin", remaining_ms=remaining_ms)
            assert started.wait(WAIT)
            made.link.cancel(call_id, reason)
            assert made.link.answer()[2]["status"] == reason


def test_a_cancel_wakes_a_handler_that_waits_for_a_tool():
    def plain(ctx):
        with pytest.raises(sb.OperationCancelled):
            ctx.session.tools.call("slow")
        with pytest.raises(sb.OperationCancelled):
            ctx.session["x"] = 1
        return "late"

    async def coroutine(ctx):
        await ctx.session.tools.acall("slow")

    with rig(plain, coroutine) as made:
        for call_id, name in ((1, "plain"), (2, "coroutine")):
            made.link.call(call_id, name)
            request = made.request()
            made.link.cancel(call_id)
            answer = made.link.answer()
            assert answer[:2] == ("error", call_id)
            assert answer[2]["status"] == sb.Status.CANCELLED
        assert request.cancelled.wait(WAIT)


class Rude(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, Rude])
@pytest.mark.parametrize("style", ["plain", "coroutine", "at_once"])
def test_no_exception_ends_the_worker(kind, style):
    def plain(ctx):
        raise kind("boom")

    async def coroutine(ctx):
        await asyncio.sleep(0)
        raise kind("boom")

    def at_once(ctx):
        raise kind("boom")

    with rig(plain, coroutine, inline(at_once), echo) as made:
        _, _, failure = made.ask(style)
        assert failure["status"] == sb.Status.PYTHON_EXCEPTION
        assert failure["type"] == f"{kind.__module__}.{kind.__qualname__}"
        assert failure["message"] == "boom"
        assert made.ask("echo", 2)[0] == "result"


def test_a_stray_task_that_exits_does_not_end_the_loop():
    async def stray(ctx):
        async def leave():
            raise SystemExit(3)

        with contextlib.suppress(SystemExit):
            await asyncio.create_task(leave())
        return "alive"

    with rig(stray, aecho) as made:
        made.link.call(1, "stray")
        assert made.ask("aecho", 2)[0] in ("result", "error")
        assert made.link.answer()[0] in ("result", "error")
        assert made.ask("aecho", 3)[0] == "result"


def test_each_of_many_calls_ends_exactly_once_whatever_is_cancelled():
    async def acoroutine(ctx, spins):
        for _ in range(spins):
            await asyncio.sleep(0)
            await ctx.aemit(spins)
        return spins

    def plain(ctx, spins):
        for _ in range(spins):
            ctx.emit(spins)
        return spins

    def fail(ctx, spins):
        raise ValueError(spins)

    chance = random.Random(20261121)
    calls = 600
    with rig(acoroutine, plain, fail, inline(echo), threads_max=8) as made:
        for call_id in range(calls):
            name = chance.choice(["acoroutine", "plain", "fail", "echo"])
            parameters = {"spins": chance.randrange(20)}
            made.link.call(call_id, name, parameters=parameters, stream=True, credit=10)
            for cancelled in chance.sample(range(call_id + 1), k=min(call_id + 1, 2)):
                if chance.random() < 0.3:
                    made.link.cancel(cancelled, chance.choice([9, 10]))
        for call_id in range(calls):
            made.link.grant(call_id, 100)
        made.link.drain()
        ends = []
        while (answer := made.link.answer())[0] != "drained":
            if answer[0] != "chunk":
                ends.append(answer[1])
        assert sorted(ends) == list(range(calls))


def test_drain_finishes_what_runs_and_ends():
    release = threading.Event()

    def hold(ctx):
        release.wait(WAIT)
        return "done"

    with rig(hold, echo) as made:
        made.link.call(1, "hold")
        made.link.drain()
        assert made.ask("echo", 2)[0] == "result"
        assert not made.ended.is_set()
        release.set()
        assert made.link.answer() == ("result", 1, "done", [])
        assert made.link.answer() == ("drained",)
        assert made.ended.wait(WAIT)
        assert made.drained is True


def test_an_idle_worker_drains_at_once():
    with rig(echo) as made:
        made.link.drain()
        assert made.link.answer() == ("drained",)
        assert made.ended.wait(WAIT)


def test_the_end_of_the_link_ends_everything():
    ended = queue.SimpleQueue()

    def plain(ctx):
        try:
            ctx.session.tools.call("never")
        finally:
            ended.put("plain")

    async def coroutine(ctx):
        try:
            await ctx.session.tools.acall("never")
        finally:
            ended.put("coroutine")

    def spin(ctx):
        while not ctx.cancelled:
            pass
        ended.put("spin")

    with rig(plain, coroutine, spin) as made:
        for call_id, name in enumerate(("plain", "coroutine", "spin")):
            made.link.call(call_id, name)
        made.request(), made.request()
        made.link.cut()
        assert made.ended.wait(WAIT)
        assert made.drained is False
        assert {ended.get(timeout=WAIT) for _ in range(3)} == {"plain", "coroutine", "spin"}


def test_after_the_call_its_session_is_closed():
    kept = []

    def keep(ctx):
        kept.append(ctx)

    with rig(keep) as made:
        made.ask("keep", stream=True)
        deadline = threading.Event()
        while not kept[0].ended:
            assert not deadline.wait(0.001)
        for use in (
            lambda: kept[0].session["x"],
            lambda: kept[0].session.tools.call("t"),
            lambda: kept[0].emit(1),
        ):
            with pytest.raises(sb.StateError, match="ended"):
                use()


def test_context_variables_do_not_leak_between_calls():
    import contextvars

    mark = contextvars.ContextVar("mark", default=0)

    def count(ctx):
        mark.set(mark.get() + 1)
        return mark.get()

    async def acount(ctx):
        return count(ctx)

    def inner(ctx):
        return count(ctx)

    with rig(count, acount, inline(inner)) as made:
        for name in ("count", "acount", "inner"):
            assert [made.ask(name, call_id)[2] for call_id in range(3)] == [1, 1, 1]
