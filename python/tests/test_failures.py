"""What the host learns about exceptions, the hostile ones included."""

from __future__ import annotations

import pytest

import snakepit_bridge as sb
from rig import rig
from snakepit_bridge.failures import CAUSES_MAX, TRACEBACK_CHARS_MAX, describe


def caught(raiser):
    try:
        raiser()
    except BaseException as fault:
        return describe(fault)
    raise AssertionError("nothing was raised")


def test_type_message_traceback_and_causes_are_told():
    def handler(ctx):
        try:
            {}["missing"]
        except KeyError as fault:
            raise ValueError("no such thing") from fault

    with rig(handler) as made:
        _, _, failure = made.ask("handler")
    assert failure["status"] == sb.Status.PYTHON_EXCEPTION
    assert failure["message"] == "no such thing"
    assert failure["type"] == "builtins.ValueError"
    assert failure["causes"] == [["builtins.KeyError", "'missing'"]] or failure["causes"] == [
        ("builtins.KeyError", "'missing'")
    ]
    assert failure["traceback"].endswith("ValueError: no such thing\n")
    assert "in handler" in failure["traceback"]
    assert "snakepit_bridge/calls.py" not in failure["traceback"]
    assert failure["retryable"] is None


def test_contexts_count_as_causes_unless_suppressed():
    def with_context():
        try:
            raise KeyError("a")
        except KeyError:
            raise ValueError("b")  # noqa: B904 - that is the case under test

    def suppressed():
        try:
            raise KeyError("a")
        except KeyError:
            raise ValueError("b") from None

    assert caught(with_context)[4] == [("builtins.KeyError", "'a'")]
    assert caught(suppressed)[4] == []


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Liar(Exception):
    def __str__(self):
        return 5  # noqa: PLE0307 - that is the case under test


@pytest.mark.parametrize("kind", [Mute, Liar])
def test_an_exception_that_cannot_be_shown_is_survived(kind):
    def raiser():
        raise kind

    status, message, name, traceback, *_ = caught(raiser)
    assert status == 20
    assert "cannot be read" in message
    assert name.endswith(kind.__name__)
    assert kind.__name__ in traceback


def test_a_ring_of_causes_ends():
    def raiser():
        first, second = ValueError("1"), ValueError("2")
        first.__cause__, second.__cause__ = second, first
        raise first

    assert caught(raiser)[4] == [("builtins.ValueError", "2")]


def test_causes_are_bounded():
    def raiser():
        fault = ValueError("0")
        for number in range(1, 100):
            outer = ValueError(str(number))
            outer.__cause__ = fault
            fault = outer
        raise fault

    assert len(caught(raiser)[4]) == CAUSES_MAX


def test_long_tracebacks_keep_their_end():
    def raiser():
        raise ValueError("x" * TRACEBACK_CHARS_MAX + "the end")

    _, message, _, traceback, *_ = caught(raiser)
    assert len(traceback) <= TRACEBACK_CHARS_MAX + 10
    assert traceback.endswith("the end\n")
    assert "more characters" in message
    assert len(message) < 20_000


def test_endless_recursion_is_survived():
    def handler(ctx):
        return handler(ctx)

    with rig(handler) as made:
        _, _, failure = made.ask("handler")
    assert failure["type"] == "builtins.RecursionError"


def test_lone_surrogates_are_escaped():
    def raiser():
        raise ValueError("\ud800")

    _, message, _, traceback, *_ = caught(raiser)
    assert message == "\\ud800"
    assert "\\ud800" in traceback


def test_a_bridge_error_keeps_status_and_details():
    def handler(ctx):
        raise sb.ToolFailed("quota", details={"retry_after_s": 2}, retryable=True)

    with rig(handler) as made:
        _, _, failure = made.ask("handler")
    assert failure["status"] == sb.Status.TOOL_FAILED
    assert failure["details"] == {"retry_after_s": 2}
    assert failure["retryable"] is True


def test_details_without_a_form_become_text():
    def raiser():
        raise sb.ToolFailed("x", details={"object": {1, 2}, "\ud800": 1})

    details = caught(raiser)[5]
    assert b"{1, 2}" in details


def test_an_empty_message_is_the_type():
    assert caught(lambda: (_ for _ in ()).throw(ValueError()))[1] == "ValueError"


def test_every_status_has_its_number():
    assert [status.value for status in sb.Status] == list(range(33))
