"""What is printed and logged becomes records of the right call, and never harms anybody."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from fake_link import WAIT
from rig import Rig
from snakepit_bridge import logs
from snakepit_bridge.logs import RECORD_CHARS_MAX, Capture

INFO, WARNING = logging.INFO, logging.WARNING


@pytest.fixture
def started():
    """Starts a rig with captured output: `started(handler, ...)`."""
    made: list = []

    def start(*handlers):
        capture = Capture("info")
        rig = Rig(handlers, 16)
        capture.attach(rig.link)
        made.append((capture, rig))
        return rig

    yield start
    for capture, rig in made:
        capture.restore()
        rig.link.cut()
        assert rig.ended.wait(WAIT)


def logged(rig, handler_name="talk"):
    rig.ask(handler_name, call_id=5)
    return rig.link.logs


def test_prints_belong_to_their_call(started):
    def talk(ctx):
        print("one\ntwo")
        print("err", file=sys.stderr)
        print("no end", end="")

    assert logged(started(talk)) == [
        (5, INFO, "stdout", "one"),
        (5, INFO, "stdout", "two"),
        (5, WARNING, "stderr", "err"),
        (5, INFO, "stdout", "no end"),
    ]


def test_logging_belongs_to_its_call_with_the_traceback(started):
    def talk(ctx):
        log = logging.getLogger("user.module")
        log.debug("too quiet")
        log.info("n=%d", 5)
        try:
            raise ValueError("inner")
        except ValueError:
            log.exception("failed")

    first, second = logged(started(talk))
    assert first == (5, INFO, "user.module", "n=5")
    assert second[:3] == (5, logging.ERROR, "user.module")
    assert second[3].startswith("failed\nTraceback")
    assert second[3].endswith("ValueError: inner")


def test_lines_of_two_calls_do_not_mix(started):
    import asyncio

    async def talk(ctx, mark, other=None):
        for _ in range(10):
            print(mark, end="")
            await asyncio.sleep(0)
        print()

    rig = started(talk)
    rig.link.call(1, "talk", parameters={"mark": "a"})
    rig.link.call(2, "talk", parameters={"mark": "b"})
    rig.link.answer(), rig.link.answer()
    assert sorted(rig.link.logs) == [
        (1, INFO, "stdout", "a" * 10),
        (2, INFO, "stdout", "b" * 10),
    ]


def test_threads_without_a_call_belong_to_none(started):
    def talk(ctx):
        thread = threading.Thread(target=lambda: print("apart"))
        thread.start()
        thread.join()

    assert logged(started(talk)) == [(0, INFO, "stdout", "apart")]


def test_odd_text_is_survived(started):
    def talk(ctx):
        print("\ud800 emoji 😀")
        print("x" * (RECORD_CHARS_MAX + 10))
        # Straight to the handler: that of pytest on the root logger would raise.
        record = logging.LogRecord("l", INFO, "", 0, "%d", ("no number",), None)
        (ours,) = [each for each in logging.getLogger().handlers if isinstance(each, logs._Handler)]
        ours.handle(record)
        sys.stdout.flush()
        sys.stdout.close()
        print("still")
        return [sys.stdout.isatty(), sys.stdout.writable(), sys.stdout.encoding]

    rig = started(talk)
    assert rig.ask("talk")[2] == [False, True, "utf-8"]
    texts = [record[3] for record in rig.link.logs]
    assert texts[0] == "\\ud800 emoji 😀"
    assert [len(text) for text in texts[1:3]] == [RECORD_CHARS_MAX, 10]
    assert "cannot be formatted" in texts[3]
    assert texts[4] == "still"


def test_an_endless_line_is_cut_into_records(started):
    def talk(ctx):
        for _ in range(5):
            print("x" * RECORD_CHARS_MAX, end="")

    texts = [record[3] for record in logged(started(talk))]
    assert [len(text) for text in texts] == [RECORD_CHARS_MAX] * 5


def test_a_broken_link_does_not_break_print(started, capfd):
    def talk(ctx):
        ctx.bridge.link.log = broken
        print("to the real output")

    def broken(*_):
        raise RuntimeError("no")

    rig = started(talk)
    rig.link.call(5, "talk")
    assert rig.link.answer()[0] == "result"


def test_without_a_link_records_go_to_the_real_streams(capsys):
    capture = Capture("info")
    try:
        print("early")
        logging.getLogger("x").warning("hm")
    finally:
        capture.restore()
    out, err = capsys.readouterr()
    assert out == "early\n"
    assert err == "hm\n"
