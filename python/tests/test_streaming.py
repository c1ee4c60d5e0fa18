"""Chunks from handlers: order, credit, cancel, and what happens when nobody listens."""

from __future__ import annotations

import asyncio
import threading

import pytest

import snakepit_bridge as sb
from fake_link import WAIT
from rig import rig


def emitting(ctx, count):
    for number in range(count):
        ctx.emit({"number": number})
    return "end"


async def aemitting(ctx, count):
    for number in range(count):
        await ctx.aemit({"number": number})
    return "end"


def generating(ctx, count):
    for number in range(count):
        yield {"number": number}
    return "end"


async def agenerating(ctx, count):
    for number in range(count):
        yield {"number": number}


HANDLERS = (emitting, aemitting, generating, agenerating)
NAMES = [handler.__name__ for handler in HANDLERS]


def result_of(name):
    return None if name == "agenerating" else "end"


@pytest.mark.parametrize("name", NAMES)
def test_chunks_come_in_order_and_then_the_result(name):
    with rig(*HANDLERS) as made:
        made.link.call(1, name, parameters={"count": 100}, stream=True)
        for number in range(100):
            assert made.link.answer() == ("chunk", 1, {"number": number}, [])
        assert made.link.answer() == ("result", 1, result_of(name), [])


@pytest.mark.parametrize("name", NAMES)
def test_without_a_listener_there_are_no_chunks(name):
    with rig(*HANDLERS) as made:
        answer = made.ask(name, parameters={"count": 100})
        assert answer == ("result", 1, result_of(name), [])


@pytest.mark.parametrize("name", NAMES)
def test_without_credit_a_handler_waits_and_others_run(name):
    async def other(ctx):
        return "other"

    with rig(*HANDLERS, other) as made:
        made.link.call(1, name, parameters={"count": 5}, stream=True, credit=2)
        assert [made.link.answer()[2]["number"] for _ in range(2)] == [0, 1]
        assert made.ask("other", 2)[2] == "other"
        assert made.link.answers.empty()
        made.link.grant(1, 1)
        assert made.link.answer()[2]["number"] == 2
        made.link.grant(1, 10)
        assert [made.link.answer()[2]["number"] for _ in range(2)] == [3, 4]
        assert made.link.answer()[0] == "result"


@pytest.mark.parametrize("name", NAMES)
def test_a_cancel_ends_the_wait_for_credit(name):
    with rig(*HANDLERS) as made:
        made.link.call(1, name, parameters={"count": 5}, stream=True, credit=1)
        assert made.link.answer()[0] == "chunk"
        made.link.cancel(1)
        answer = made.link.answer()
        assert answer[0] == "error"
        assert answer[2]["status"] == sb.Status.CANCELLED


def test_a_generator_is_closed_when_its_call_is_cancelled():
    closed = threading.Event()

    def endless(ctx):
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with rig(endless) as made:
        for call_id, stream in ((1, True), (2, False)):
            closed.clear()
            made.link.call(call_id, "endless", stream=stream, credit=1)
            if stream:
                assert made.link.answer()[0] == "chunk"
            made.link.cancel(call_id)
            assert made.link.answer()[2]["status"] == sb.Status.CANCELLED
            assert closed.wait(WAIT)


def test_a_coroutine_that_streams_leaves_others_their_turn():
    turns = []

    async def stream(ctx):
        async def other():
            while True:
                turns.append(None)
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        for number in range(1000):
            await ctx.aemit(number)
        beside.cancel()
        return len(turns)

    with rig(stream) as made:
        made.link.call(1, "stream", stream=True)
        for _ in range(1000):
            assert made.link.answer()[0] == "chunk"
        assert made.link.answer()[2] >= 10


def test_a_blocking_emit_on_the_event_loop_is_always_refused():
    async def wrong(ctx):
        ctx.emit(1)

    with rig(wrong) as made:
        _, _, failure = made.ask("wrong", stream=True)
        assert failure["status"] == sb.Status.WOULD_DEADLOCK
        assert "aemit" in failure["message"]


def test_tasks_of_one_call_share_its_credit():
    async def spread(ctx):
        await asyncio.gather(*(ctx.aemit(number) for number in range(20)))

    with rig(spread) as made:
        made.link.call(1, "spread", stream=True, credit=1)
        seen = [made.link.answer()[2]]
        for _ in range(19):
            made.link.grant(1, 1)
            seen.append(made.link.answer()[2])
        assert sorted(seen) == list(range(20))
        assert made.link.answer()[0] == "result"


def test_a_refused_chunk_names_its_place():
    def bad(ctx):
        ctx.emit({"x": [float("nan")]})

    with rig(bad) as made:
        _, _, failure = made.ask("bad", stream=True)
        assert failure["type"] == "snakepit_bridge.errors.ValueRefused"
        assert failure["details"] == {"path": "$.x[0]"}


def test_a_result_without_a_form_fails_the_call():
    def bad(ctx):
        return {"x": object()}

    with rig(bad) as made:
        _, _, failure = made.ask("bad")
        assert failure["status"] == sb.Status.TYPE_MISMATCH
        assert failure["details"] == {"path": "$.x"}
        assert "object has no form" in failure["message"]


def test_attachments_travel_both_ways():
    import numpy as np

    def double(ctx, array, blob):
        assert isinstance(blob, bytes)
        return {"array": array * 2, "blob": blob * 2}

    document = b'{"array":{"$spb":{"attachment":1}},"blob":{"$spb":{"attachment":0}}}'
    attached = [b"ab", ("float32", (2,), np.array([1, 2], dtype="<f4").tobytes())]
    with rig(double) as made:
        _, _, result, sent = made.ask("double", json=document, attachments=attached)
        assert result["array"] == {"$spb": {"attachment": 0}}
        dtype, shape, data = sent[0]
        assert (dtype, shape, bytes(data)) == (
            "float32",
            (2,),
            np.array([2, 4], dtype="<f4").tobytes(),
        )
        assert sent[1] == b"abab"
