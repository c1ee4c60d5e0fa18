"""A real worker process on the real link, with the native half's test host at the other end.

The same promises as in the tests with a fake link, where threads, sockets and the GIL could spoil
them. Skipped where the extension is not built.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snakepit_bridge import Status, _native

if not hasattr(_native, "connect"):
    pytest.skip("the extension is not built", allow_module_level=True)

from native_host import TOKEN, WAIT_S, Host, call

TESTS = Path(__file__).parent


class Worker:
    """A test host and a worker that serves FUNCTIONS on it."""

    def __init__(self, directory: Path) -> None:
        (directory / "end_to_end_functions.py").write_text(FUNCTIONS)
        self.host = Host()
        document = {
            "socket": self.host.socket,
            "token": TOKEN.hex(),
            "frameworks": [{"id": "python", "options": {"modules": ["end_to_end_functions"]}}],
            "python_path": [str(directory)],
        }
        reading, writing = os.pipe()
        os.write(writing, json.dumps(document).encode())
        os.close(writing)
        command = [sys.executable, "-c", START, str(reading), str(TESTS)]
        self.process = subprocess.Popen(
            command, pass_fds=(reading,), stderr=subprocess.PIPE, text=True
        )
        os.close(reading)
        self.hello = self.host.expect("hello")

    def ask(self, operation: str, call_id: int = 1, **more: object) -> dict:
        """Sends one call and returns the next event."""
        parameters = json.dumps(more.pop("parameters", {}))
        self.host.send(call(call_id, parameters, operation=operation, **more))
        return self.host.next()

    def ended(self) -> tuple[int, str]:
        """Exit code and standard error of the worker."""
        _, err = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, err

    def close(self) -> None:
        self.host.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=WAIT_S)


@pytest.fixture
def worker(tmp_path):
    made = Worker(tmp_path)
    yield made
    made.close()


def value(event):
    assert event["event"] == "result", event
    assert "payload" in event, event
    return json.loads(event["payload"]["json"])


def failure(event):
    assert event["event"] == "result", event
    return event["error"]


def test_the_worker_announces_what_it_can(worker):
    ((framework, version, schema),) = worker.hello["frameworks"]
    assert framework == "python"
    assert version.startswith("3.")
    operations = json.loads(schema)["operations"]
    assert operations["echo"]["parameters"]["additionalProperties"] is True
    assert operations["count"]["streaming"] is True
    assert worker.hello["pid"] == worker.process.pid


@pytest.mark.parametrize("operation", ["echo", "aecho", "echo_inline"])
def test_values_come_back(worker, operation):
    parameters = {"a": [1, 2.0, True, None, "é😀"], "b": {"$$spb": 2**64 - 1}}
    assert value(worker.ask(operation, parameters=parameters)) == parameters


def test_failures_come_with_type_and_traceback(worker):
    for operation in ("fail", "afail", "fail_inline"):
        told = failure(worker.ask(operation))
        assert told["status"] == Status.PYTHON_EXCEPTION
        assert told["python_type"] == "end_to_end_functions.Odd"
        assert told["message"] == "odd"
        assert "in deeper" in told["traceback"]
        assert told["causes"] == [["builtins.KeyError", "'cause'"]]
    assert failure(worker.ask("leave"))["python_type"] == "builtins.SystemExit"
    assert value(worker.ask("echo", parameters={"alive": 1})) == {"alive": 1}


@pytest.mark.parametrize("operation", ["count", "acount"])
def test_chunks_wait_for_credit(worker, operation):
    first = worker.ask(operation, parameters={"to": 5}, stream=True, credit=2)
    assert json.loads(first["payload"]["json"]) == 0
    assert worker.host.expect("chunk")["sequence"] == 1
    assert value(worker.ask("echo", 2)) == {}
    worker.host.send({"kind": "credit", "call_id": 1, "chunks": 10})
    events = worker.host.until("result")
    assert [event.get("sequence") for event in events] == [2, 3, 4, None]


@pytest.mark.parametrize("operation", ["lookup", "alookup"])
def test_tools_are_called_and_nested_calls_served(worker, operation):
    asked = worker.ask(operation, parameters={"name": "x"})
    assert (asked["event"], asked["name"]) == ("tool_request", "find")
    assert value(worker.ask("echo", 2)) == {}
    request = {"kind": "tool_answer", "request_id": asked["request_id"], "json": '{"found":"x"}'}
    worker.host.send(request)
    assert value(worker.host.next()) == {"found": "x"}


@pytest.mark.parametrize("operation", ["lookup", "alookup"])
def test_a_cancel_reaches_who_waits_for_a_tool(worker, operation):
    asked = worker.ask(operation, parameters={"name": "x"})
    assert asked["event"] == "tool_request"
    worker.host.send({"kind": "cancel", "call_id": 1, "reason": int(Status.DEADLINE)})
    assert failure(worker.host.next())["status"] == Status.DEADLINE
    assert value(worker.ask("echo", 2)) == {}


def test_variables_are_read_and_written(worker):
    asked = worker.ask("bump", parameters={"name": "n"})
    assert asked["ask"] == {"verb": "get", "name": "n"}
    variable = {"name": "n", "type": "integer", "json": "41", "version": 7}
    state = {"kind": "state", "request_id": asked["request_id"], "variable": variable}
    worker.host.send(state)
    asked = worker.host.expect("state_request")
    assert asked["ask"]["payload"]["json"] == "42"
    assert asked["ask"]["expected_version"] == 7
    refusal = {"status": int(Status.VERSION_CONFLICT), "message": "is at 8"}
    worker.host.send({"kind": "state", "request_id": asked["request_id"], "error": refusal})
    assert value(worker.host.next()) == "conflict: is at 8"


def test_prints_are_records_of_their_call(worker):
    record = worker.ask("say", 9, parameters={"text": "hello"})
    assert (record["event"], record["call_id"]) == ("log", 9)
    assert (record["target"], record["message"]) == ("stdout", "hello")
    assert value(worker.host.next()) is None


def test_arrays_travel_both_ways(worker):
    pytest.importorskip("numpy")
    document = '{"array":{"$spb":{"attachment":0}}}'
    attached = [{"dtype": "float64", "shape": [2], "data": "000000000000f03f0000000000000040"}]
    worker.host.send(call(1, document, operation="double", attachments=attached))
    event = worker.host.next()
    assert value(event) == {"$spb": {"attachment": 0}}
    (tensor,) = event["payload"]["attachments"]
    assert tensor["data"] == "00000000000000400000000000001040"


def test_many_calls_of_every_kind_end_once(worker):
    for operation in ("echo", "aecho", "echo_inline"):
        flood = {"calls": 2000, "in_flight": 64, "operation": operation, "json": '{"a":[1,2]}'}
        worker.host.command({"flood": {"session": "s", "framework": "python", **flood}})
        done = worker.host.expect("flooded", 120)
        assert (done["results"], done["errors"], done["altered"]) == (2000, 0, 0)


def test_a_drained_worker_finishes_and_leaves(worker):
    asked = worker.ask("lookup", parameters={"name": "x"})
    worker.host.send({"kind": "drain"})
    assert value(worker.ask("echo", 2)) == {}
    answer = {"kind": "tool_answer", "request_id": asked["request_id"], "json": "null"}
    worker.host.send(answer)
    assert value(worker.host.next()) is None
    worker.host.expect("drained")
    assert worker.ended() == (0, "")


def test_a_worker_without_a_platform_leaves(worker):
    worker.ask("lookup", parameters={"name": "x"})
    worker.host.send(call(2, operation="hang", json="{}"))
    worker.host.kill()
    assert worker.ended() == (0, "")


START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
sys.path.insert(0, sys.argv[2])
import conftest
from snakepit_bridge.worker import main
sys.exit(main())
"""

FUNCTIONS = '''
"""Functions for test_end_to_end."""
import time
from typing import Any

import snakepit_bridge as sb
from snakepit_bridge import CallContext, function


@function
def echo(**values):
    return values


@function
async def aecho(**values):
    return values


@function(inline=True)
def echo_inline(**values):
    return values


class Odd(Exception):
    pass


def deeper():
    try:
        {}["cause"]
    except KeyError as fault:
        raise Odd("odd") from fault


@function
def fail():
    deeper()


@function
async def afail():
    deeper()


@function(inline=True)
def fail_inline():
    deeper()


@function
def leave():
    raise SystemExit(1)


@function
def count(to: int):
    yield from range(to)


@function
async def acount(to: int):
    for number in range(to):
        yield number


@function
def lookup(ctx: CallContext, name: str) -> Any:
    return ctx.session.tools.call("find", {"name": name})


@function
async def alookup(ctx: CallContext, name: str) -> Any:
    return await ctx.session.tools.acall("find", {"name": name})


@function
def bump(ctx: CallContext, name: str):
    variable = ctx.session.variable(name)
    try:
        return ctx.session.set(name, variable.value + 1, expected_version=variable.version)
    except sb.VersionConflict as fault:
        return f"conflict: {fault}"


@function
def say(text: str):
    print(text)


@function
def double(array):
    return array * 2


@function
def hang():
    while True:
        time.sleep(1)
'''
