"""The native link against a real host process: hello, calls, batching, heartbeats, the end."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from native_host import SCHEMAS, TOKEN, Host, batch, call, echo, in_thread, joined
from snakepit_bridge import _native


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


def test_hello_says_who_we_are_and_welcome_where_we_belong(host):
    link = host.connect()
    hello = host.expect("hello")
    assert hello["pid"] == os.getpid()
    assert hello["runtime"] == "CPython test"
    assert hello["protocol_version"] == 1
    assert hello["frameworks"] == [[*SCHEMAS[0][:2], SCHEMAS[0][2].decode()]]
    assert (link.slot, link.generation, link.value_bytes_max) == (3, 7, 64 << 20)


def test_a_wrong_token_is_refused_with_the_reason(host):
    with pytest.raises(ConnectionError, match="unknown or used token"):
        host.connect(token=TOKEN[::-1])


def test_no_socket_is_a_connection_error_at_once(tmp_path):
    with pytest.raises(ConnectionError, match="nowhere.*No such file"):
        _native.connect(tmp_path / "nowhere", TOKEN, "", [], 10_000)


def test_a_silent_host_ends_in_a_timeout(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mute"))
        listener.listen(1)
        with pytest.raises(ConnectionError, match="within 50 ms"):
            _native.connect(tmp_path / "mute", TOKEN, "", [], 50)


def test_a_call_arrives_whole_and_its_result_goes_back(host):
    link = host.attached()
    tensor = {"dtype": "int16", "shape": [2, 1], "data": "01000200"}
    more = {"session": "sess-ä", "framework": "dspy", "operation": "run", "stream": True}
    more |= {"traceparent": "00-aa-bb-01", "deadline_ms": 1234, "attachments": ["c0ffee", tensor]}
    host.send(call(5, '{"a":1}', **more))
    [frame] = batch(link, 1)
    blob, (dtype, shape, data) = frame[6]
    assert frame[:6] == ("call", 5, "sess-ä", "dspy", "run", b'{"a":1}')
    assert 0 < frame[7] <= 1234 and frame[8:] == (True, "00-aa-bb-01")
    assert (bytes(blob), len(blob)) == (b"\xc0\xff\xee", 3)
    assert (dtype, shape, bytes(data)) == ("int16", (2, 1), b"\1\0\2\0")
    assert memoryview(blob).readonly
    back = [bytearray(b"abc"), ("float32", (2,), memoryview(b"\0" * 8))]
    link.send_result(5, b'{"b":2}', back)
    result = host.expect("result")
    assert result["call_id"] == 5
    assert result["payload"]["json"] == '{"b":2}'
    assert result["payload"]["attachments"][0] == {"blob": "616263", "bytes": 3}
    assert result["payload"]["attachments"][1]["shape"] == [2]


def test_calls_name_by_numbers_what_was_named_before(host):
    link = host.attached()
    numbers = {"session_number": 5, "operation_number": 7}
    bare = {"kind": "call", "json": "1"}
    trace = {"high": 0xAF7, "low": 1, "span": 0xB7AD6B7169203331, "sampled": True}
    operation = {"framework": "dspy", "operation": "run"}
    host.send({"kind": "names", "session": "sess-ä"} | operation | numbers)
    host.send(bare | numbers | {"call_id": 1, "trace": trace})
    host.send({"kind": "names", "session": "other", "session_number": 6})
    host.send(bare | numbers | {"call_id": 2, "session_number": 6})
    host.send({"kind": "names", "anew": True, "session": "third", "session_number": 9})
    host.send(bare | numbers | {"call_id": 3, "session_number": 9})
    [first, second, third] = batch(link, 3)
    assert first[1:5] == (1, "sess-ä", "dspy", "run")
    assert first[9] == "00-0000000000000af70000000000000001-b7ad6b7169203331-01"
    assert second[1:5] == (2, "other", "dspy", "run")
    assert third[1:5] == (3, "third", "", ""), "the operation has to be named again"
    assert link.frames_ignored == 0


def test_ten_thousand_calls_share_messages(host):
    link = host.attached()
    worker = in_thread(echo, link)
    host.command({"flood": {"calls": 10_000, "in_flight": 64, "json": '{"n":[1,2,3]}'}})
    report = host.expect("flooded")
    assert (report["results"], report["errors"], report["altered"]) == (10_000, 0, 0)
    assert report["messages"] < 5_000
    link.close()
    assert joined(worker) is None


def test_an_error_goes_back_with_its_circumstances(host):
    link = host.attached()
    host.send(call(1), call(2), call(3))
    batch(link, 3)
    causes = [("builtins.KeyError", "'k'"), ("builtins.OSError", "disk")]
    link.send_error(1, 20, "böse", "builtins.ValueError", "Traceback …", causes, b'{"x":1}')
    link.send_error(2, 17, "m" * 100_000, traceback="early" + "t" * 100_000 + "late")
    link.send_error(3, 17, "full", retryable=False)
    error = host.expect("result")["error"]
    assert error["status"] == 20 and error["message"] == "böse" and not error["retryable"]
    assert error["python_type"] == "builtins.ValueError" and error["traceback"] == "Traceback …"
    assert error["causes"] == [list(cause) for cause in causes] and error["details"] == '{"x":1}'
    long = host.expect("result")["error"]
    assert len(long["message"]) < 70_000 and long["message"].endswith("bytes cut)")
    assert len(long["traceback"]) <= 65_536 and long["traceback"].endswith("late")
    assert long["retryable"] and not host.expect("result")["error"]["retryable"]


def test_a_call_has_one_result(host):
    link = host.attached()
    host.send(call(1))
    batch(link, 1)
    link.send_result(1, b"1", [])
    with pytest.raises(RuntimeError, match="call 1 has its result"):
        link.send_result(1, b"2", [])
    with pytest.raises(RuntimeError, match="call 9"):
        link.send_error(9, 20, "never was")
    assert host.expect("result")["payload"]["json"] == "1"
    link.send_drained()
    host.expect("drained")


def test_an_empty_wait_gives_an_empty_batch_and_frames_come_in_slices(host):
    link = host.attached()
    assert link.next_batch(10, 0) == []
    assert link.next_batch(10, 20) == []
    host.send(*(call(number) for number in range(5)), {"kind": "drain"})
    got = batch(link, 1)
    sizes = []
    while len(got) < 6:
        more = link.next_batch(2, 1000)
        sizes.append(len(more))
        got += more
    assert max(sizes) <= 2
    assert [frame[0] for frame in got] == ["call"] * 5 + ["drain"]
    assert [frame[1] for frame in got[:5]] == list(range(5))


def test_frames_for_nothing_are_ignored_and_counted(host):
    link = host.attached()
    host.send(
        {"kind": "cancel", "call_id": 8, "reason": 9},
        {"kind": "credit", "call_id": 8, "chunks": 3},
        {"kind": "tool_chunk", "request_id": 8},
        {"kind": "tool_answer", "request_id": 8},
        {"kind": "state", "request_id": 8},
        {"kind": "a kind of the future"},
        call(1),
        call(1),
    )
    assert [frame[1] for frame in batch(link, 1)] == [1]
    assert link.next_batch(10, 0) == []
    assert link.frames_ignored == 7


def test_values_beyond_the_limits_are_refused_before_they_are_sent(host):
    link = host.attached()
    host.send(call(1))
    batch(link, 1)
    for json, attachments, message in [
        (b" " * ((64 << 20) + 1), [], "value has 67108865 bytes, the limit is 67108864"),
        (b"{}", [bytes(64 << 20)], "value has 67108866 bytes"),
        (b"{}", [b""] * 1025, "1025 attachments, the limit is 1024"),
        (b"{}", [("float31", (1,), b"1234")], "attachment 0: dtype"),
        (b"{}", [b"", ("int8", (2, -1), b"")], "attachment 1: tensor of int8"),
        (b"{}", [("int8", (1 << 62, 1 << 62), b"")], "cannot have 0 bytes"),
        (b"{}", [("int8", (1,) * 65, b"1")], "65 dimensions"),
    ]:
        with pytest.raises(_native.ValueRefused, match=message) as refused:
            link.send_result(1, json, attachments)
        assert refused.value.path == "$"
    for wrong in [[object()], [("int8", (1,))], ["text"]]:
        with pytest.raises((TypeError, ValueError)):
            link.send_result(1, b"{}", wrong)
    link.send_result(1, b"{}", [bytes((64 << 20) - 2)])
    assert host.expect("result")["payload"]["attachments"][0]["bytes"] == (64 << 20) - 2


def test_buffers_of_any_layout_arrive_row_major(host):
    numpy = pytest.importorskip("numpy")
    link = host.attached()
    host.send(call(1))
    batch(link, 1)
    grid = numpy.arange(6, dtype="<i2").reshape(2, 3)
    arrays = [grid, numpy.asfortranarray(grid), grid[:, ::2], grid[:0]]
    link.send_result(1, b"0", [("int16", a.shape, a) for a in arrays])
    back = host.expect("result")["payload"]["attachments"]
    assert [a["data"] for a in back] == [a.tobytes().hex() for a in arrays]
    assert [a["shape"] for a in back] == [[2, 3], [2, 3], [2, 2], [0, 3]]


def test_large_tensors_arrive_aligned_and_stay_when_the_link_goes(host):
    numpy = pytest.importorskip("numpy")
    link = host.attached()
    for length in range(1, 9):
        tensor = {"dtype": "float64", "shape": [1 << 17], "zeros": 1 << 20}
        host.send(call(length, '"' + "x" * length + '"', attachments=[tensor]))
    data = [frame[6][0][2] for frame in batch(link, 8)]
    link.close()
    host.kill()
    for buffer in data:
        array = numpy.frombuffer(buffer, "<f8")
        assert array.flags.aligned and not array.flags.writeable
        assert array.sum() == 0.0 and array.shape == (1 << 17,)


def test_heartbeats_are_answered_while_the_gil_is_held(host, tmp_path):
    link = host.attached()
    os.mkfifo(tmp_path / "done")
    done = os.open(tmp_path / "done", os.O_RDWR | os.O_NONBLOCK)
    host.command({"pings": 50, "then_write": str(tmp_path / "done")})
    # PyDLL keeps the GIL during the call: no Python code runs until all heartbeats are answered.
    poll = ctypes.PyDLL(None).poll
    pollfd = (ctypes.c_int * 2)(done, 1)
    assert poll(pollfd, 1, 20_000) == 1
    os.close(done)
    link.close()


def test_log_records_are_cut_and_drops_are_counted(host):
    link = host.attached()
    link.log(0, 20, "first", "x" * 20_000)
    record = host.expect("log")
    assert len(record["message"].encode()) < 16_500 and record["message"].endswith("bytes cut)")
    assert (record["target"], record["level"], record["dropped"]) == ("first", 20, 0)
    host.command({"pause": True})
    host.send(call(1, credit=10_000))
    batch(link, 1)
    while link.try_send_chunk(1, b" " * (1 << 20), []):
        pass
    for number in range(3000):
        link.log(1, 30, "flood", str(number))
    host.command({"pause": False})
    link.send_result(1, b"0", [])
    host.until("result")
    link.log(1, 30, "last", "after the flood")
    record = host.expect("log")
    assert record["target"] == "last" and record["dropped"] == 3000


def test_a_full_queue_makes_the_sender_wait_and_loses_nothing(host):
    link = host.attached()
    host.command({"pause": True})
    host.send(call(1, credit=10_000))
    batch(link, 1)
    chunk = b'"' + b"x" * (1 << 20) + b'"'
    sent, refused = 0, 0
    while refused < 3:
        # The socket takes some more after the first refusal.
        if link.try_send_chunk(1, chunk, []):
            sent += 1
            assert sent < 1000, "the queue has no end"
        else:
            refused += 1
            assert link.next_batch(1, 100) == []
    link.arm_credit(1)
    blocked = in_thread(link.send_chunk, 1, b'"blocked"', [])
    assert link.next_batch(10, 50) == [] and not blocked[1]
    host.command({"pause": False})
    assert batch(link, 1) == [("credit", 1)]
    assert joined(blocked) is None
    link.send_result(1, b"0", [])
    events = host.until("result")
    assert [event["sequence"] for event in events[:-1]] == list(range(sent + 1))


def test_close_sends_what_is_queued_and_ends_everything(host):
    link = host.attached()
    host.send(*(call(number) for number in range(500)))
    batch(link, 500)
    waiting = in_thread(link.next_batch, 10, 60_000)
    for number in range(500):
        link.send_result(number, b"0", [])
    link.send_drained()
    link.close()
    link.close()
    events = host.until("closed")
    assert [event["event"] for event in events] == ["result"] * 500 + ["drained", "closed"]
    assert joined(waiting) is None
    assert link.next_batch(1, 1000) is None
    with pytest.raises(_native.LinkClosed, match="closed by this worker"):
        link.send_result(1, b"0", [])
    link.log(0, 20, "t", "nobody hears this")


def test_dropping_the_link_closes_it(host):
    link = host.attached()
    del link
    host.expect("closed")


@pytest.mark.parametrize("end", ["kill", "hang_up", "break"])
def test_when_the_host_goes_everybody_hears_it(host, end):
    link = host.attached()
    host.send(call(1, credit=0), call(2), call(3))
    batch(link, 3)
    request = link.call_tool(1, "t", b"{}", [], True)
    other = link.state_get(1, "v")
    host.until("state_request")
    waiters = [
        in_thread(link.send_chunk, 1, b"0", []),
        in_thread(request.next),
        in_thread(other.next, 60_000),
    ]
    batches = in_thread(link.next_batch, 10, 60_000)
    # The threads wait, or will find the end at once: both must come out the same.
    host.send({"kind": "tool_chunk", "request_id": request.id, "json": "7"})
    assert joined(waiters.pop(1)) == ("chunk", 0, b"7", [])
    if end == "kill":
        host.kill()
    else:
        host.command({end: "host broke"})
    for waiter in waiters:
        error = joined(waiter)
        assert isinstance(error, _native.LinkClosed) and isinstance(error, ConnectionError)
        assert end != "break" or "host broke" in str(error)
    assert joined(batches) is None
    for refused in [
        lambda: link.send_result(2, b"0", []),
        lambda: link.send_error(3, 20, "x"),
        lambda: link.call_tool(3, "t", b"{}", []),
        lambda: link.try_send_chunk(3, b"0", []),
        lambda: request.next(),
        lambda: request.try_next(),
    ]:
        with pytest.raises(_native.LinkClosed):
            refused()
    link.close()


def test_frames_that_arrived_before_the_end_are_still_handed_out(host):
    link = host.attached()
    host.send(*(call(number) for number in range(20)))
    host.command({"hang_up": True})
    host.until("closed")
    assert [frame[1] for frame in batch(link, 20)] == list(range(20))
    assert link.next_batch(10, 10_000) is None


def test_signals_reach_python_and_not_the_links_thread(host):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    link = host.attached()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    blocked = None
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().strip() == "spb-link":
            status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            blocked = int(status["SigBlk"], 16)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGPIPE):
        assert blocked & 1 << number - 1, number
    assert not blocked & 1 << signal.SIGSEGV - 1
    # Whoever runs the tests may have them ignore it, as a shell does in the background.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main = threading.main_thread().ident
        threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            link.next_batch(1, 60_000)
    finally:
        signal.signal(signal.SIGINT, handler)
