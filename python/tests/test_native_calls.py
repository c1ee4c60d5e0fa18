"""What a running call does on the native link: chunks with credit, host tools, session variables,
cancel."""

from __future__ import annotations

import gc

import orjson
import pytest

from native_host import Host, batch, call, in_thread, joined
from snakepit_bridge import _native

CANCELLED, DEADLINE, CLOSED, PROTOCOL = 9, 10, 8, 22
ENCODER = _native.Encoder(orjson.dumps, orjson.OPT_PASSTHROUGH_SUBCLASS)


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def link(host):
    return host.attached()


def start(host, link, *calls: dict) -> None:
    host.send(*calls)
    batch(link, len(calls))


def test_chunks_wait_for_credit_and_go_on_with_it(host, link):
    start(host, link, call(1, credit=2), call(2, credit=1))
    link.send_chunk(1, b"0", [])
    link.send_chunk(1, b"1", [b"\xaa"])
    link.send_chunk(2, b"0", [])
    got = [host.expect("chunk") for _ in range(3)]
    assert [(chunk["call_id"], chunk["sequence"]) for chunk in got] == [(1, 0), (1, 1), (2, 0)]
    assert got[1]["payload"]["attachments"] == [{"blob": "aa", "bytes": 1}]
    assert not link.try_send_chunk(1, b"no", [])
    waiting = in_thread(link.send_chunk, 1, b"2", [])
    host.send({"kind": "credit", "call_id": 2, "chunks": 5})
    host.send({"kind": "credit", "call_id": 1, "chunks": 1})
    assert joined(waiting) is None
    chunk = host.expect("chunk")
    assert (chunk["call_id"], chunk["sequence"], chunk["payload"]["json"]) == (1, 2, "2")
    assert not link.try_send_chunk(1, b"no", [])
    assert link.try_send_chunk(2, b"yes", [])


def test_plain_chunks_pass_until_one_needs_more(host, link):
    start(host, link, call(1, credit=3), call(2, credit=9))

    def plain():
        yield {"a": None}
        yield [1.5, "x"]
        return "over"

    assert link.pass_on_chunks(1, plain(), ENCODER) == (True, "over")
    got = [host.expect("chunk") for _ in range(2)]
    assert [chunk["payload"]["json"] for chunk in got] == ['{"a":null}', '[1.5,"x"]']
    odd = object()
    mixed = iter([7, 8, odd, 9])
    assert link.pass_on_chunks(1, mixed, ENCODER) == (False, 8), "no credit"
    assert link.pass_on_chunks(2, mixed, ENCODER) == (False, odd)
    assert link.try_send_plain_chunk(2, next(mixed), ENCODER)
    got = [host.expect("chunk") for _ in range(2)]
    assert [(chunk["call_id"], chunk["sequence"]) for chunk in got] == [(1, 2), (2, 0)]
    assert got[1]["payload"]["json"] == "9"
    assert not link.try_send_plain_chunk(2, float("nan"), ENCODER)
    assert not link.try_send_plain_chunk(1, 1, ENCODER)

    def broken():
        yield 1
        raise KeyError("of the generator")

    with pytest.raises(KeyError, match="of the generator"):
        link.pass_on_chunks(2, broken(), ENCODER)
    with pytest.raises(TypeError):
        link.pass_on_chunks(2, [1, 2], ENCODER)


def test_a_plain_result_ends_its_call_unless_something_is_in_the_way(host, link):
    start(host, link, call(1), call(2), call(3))
    assert link.try_send_plain_result(1, {"a": [None, 1]}, ENCODER)
    assert host.expect("result")["payload"]["json"] == '{"a":[null,1]}'
    assert not link.try_send_plain_result(1, 1, ENCODER), "it has its result"
    assert not link.try_send_plain_result(2, (1, 2), ENCODER)
    host.send({"kind": "cancel", "call_id": 2, "reason": CANCELLED})
    assert batch(link, 1) == [("cancel", 2, CANCELLED)]
    assert not link.try_send_plain_result(2, 1, ENCODER), "it was given up"
    assert not link.try_send_plain_chunk(2, 1, ENCODER)
    link.send_error(2, CANCELLED, "given up")
    assert host.expect("result")["error"]["status"] == CANCELLED
    link.close()
    assert not link.try_send_plain_result(3, 1, ENCODER)
    assert not link.try_send_plain_chunk(3, 1, ENCODER)


def test_many_threads_share_a_calls_credit_in_order(host, link):
    start(host, link, call(1, credit=3))

    def send() -> None:
        for _ in range(50):
            link.send_chunk(1, b"0", [])

    threads = [in_thread(send) for _ in range(4)]
    seen = []
    while len(seen) < 200:
        seen.append(host.expect("chunk")["sequence"])
        host.send({"kind": "credit", "call_id": 1, "chunks": 1})
    assert seen == list(range(200))
    assert [joined(thread) for thread in threads] == [None] * 4


def test_armed_credit_is_announced_once(host, link):
    start(host, link, call(1, credit=0), call(2, credit=1), call(3), call(4))
    link.arm_credit(1)
    link.arm_credit(1)
    assert link.next_batch(10, 0) == []
    host.send(*[{"kind": "credit", "call_id": 1, "chunks": 1}] * 3)
    assert batch(link, 1) == [("credit", 1)]
    assert link.next_batch(10, 0) == []
    link.arm_credit(2)
    assert link.next_batch(10, 0) == [("credit", 2)]
    link.arm_credit(3)
    host.send({"kind": "cancel", "call_id": 3, "reason": CANCELLED})
    assert batch(link, 2) == [("cancel", 3, CANCELLED), ("credit", 3)]
    link.arm_credit(4)
    link.send_result(4, b"0", [])
    link.arm_credit(4)
    assert ("credit", 4) in batch(link, 1)


def test_cancel_wakes_whoever_waits_for_the_call(host, link):
    start(host, link, call(1, credit=0), call(2))
    request = link.call_tool(1, "t", b"{}", [], True)
    host.expect("tool_request")
    host.send({"kind": "tool_chunk", "request_id": request.id, "json": "1"})
    assert request.next()[0] == "chunk"
    waiters = [in_thread(link.send_chunk, 1, b"0", []), in_thread(request.next)]
    assert not link.is_cancelled(1)
    host.send({"kind": "cancel", "call_id": 1, "reason": DEADLINE})
    for waiter in waiters:
        error = joined(waiter)
        assert isinstance(error, _native.CallCancelled) and error.reason == DEADLINE
        assert str(error) == "call 1 was cancelled or has ended (status 10)"
    assert batch(link, 1) == [("cancel", 1, DEADLINE)]
    assert link.is_cancelled(1) and not link.is_cancelled(2)
    for refused in [
        lambda: link.send_chunk(1, b"0", []),
        lambda: link.try_send_chunk(1, b"0", []),
        lambda: link.call_tool(1, "t", b"{}", []),
        lambda: link.query_tools(1),
        lambda: link.state_get(1, "v"),
        lambda: request.next(),
        lambda: request.try_next(),
    ]:
        with pytest.raises(_native.CallCancelled):
            refused()
    link.send_error(1, DEADLINE, "too late")
    assert host.expect("result")["error"]["status"] == DEADLINE


def test_the_end_of_a_call_ends_what_belongs_to_it(host, link):
    start(host, link, call(1, credit=0), call(2))
    tool, state = link.call_tool(1, "t", b"{}", []), link.state_get(1, "v")
    waiting = [in_thread(tool.next), in_thread(link.send_chunk, 1, b"0", [])]
    state.arm()
    link.send_result(1, b"0", [])
    assert [event["event"] for event in host.until("result")] == [
        "tool_request",
        "state_request",
        "tool_cancel",
        "result",
    ]
    for waiter in waiting:
        error = joined(waiter)
        assert isinstance(error, _native.CallCancelled) and error.reason == CLOSED
    assert batch(link, 1) == [("ready", state.id)]
    with pytest.raises(_native.CallCancelled):
        state.try_next()
    with pytest.raises(_native.CallCancelled):
        link.send_chunk(1, b"0", [])
    assert link.is_cancelled(1) and not link.is_cancelled(2)


def test_a_tool_call_goes_out_and_its_answer_comes_back(host, link):
    start(host, link, call(1))
    request = link.call_tool(1, "add", b'{"a":1}', [b"\1"], timeout_ms=77, traceparent="00-a-b-01")
    asked = host.expect("tool_request")
    assert (asked["call_id"], asked["request_id"], asked["name"]) == (1, request.id, "add")
    assert (asked["stream"], asked["chunk_credit"], asked["timeout_ms"]) == (False, 0, 77)
    assert asked["traceparent"] == "00-a-b-01" and asked["payload"]["json"] == '{"a":1}'
    assert request.try_next() is None and request.next(0) is None and request.next(20) is None
    waiting = in_thread(request.next)
    answer = {"kind": "tool_answer", "request_id": request.id, "json": "2", "attachments": ["ff"]}
    host.send(answer, answer)
    kind, json, [blob] = joined(waiting)
    assert (kind, json, bytes(blob)) == ("payload", b"2", b"\xff")
    assert request.next() == ("end",) and request.try_next() == ("end",)
    assert link.frames_ignored == 1
    failing = link.call_tool(1, "add", b"{}", [])
    error = {"status": 21, "message": "no", "retryable": True, "details": '{"d":1}'}
    host.send({"kind": "tool_answer", "request_id": failing.id, "error": error})
    assert failing.next() == ("error", 21, "no", True, b'{"d":1}', "", "")


def test_a_streaming_tool_gets_credit_as_its_chunks_are_taken(host, link):
    start(host, link, call(1))
    request = link.call_tool(1, "count", b"{}", [], stream=True)
    assert host.expect("tool_request")["chunk_credit"] == 256
    chunks = [
        {"kind": "tool_chunk", "request_id": request.id, "sequence": number, "json": str(number)}
        for number in range(300)
    ]
    host.send(*chunks[:256])
    taken = [request.next() for _ in range(127)]
    assert request.next()[1] == 127
    credit = host.expect("tool_credit")
    assert (credit["request_id"], credit["chunks"]) == (request.id, 128)
    host.send(*chunks[256:], {"kind": "tool_answer", "request_id": request.id, "json": '"sum"'})
    taken = [request.next() for _ in range(172)]
    assert [item[1] for item in taken] == list(range(128, 300))
    assert all(item[2] == str(item[1]).encode() for item in taken)
    assert request.next() == ("payload", b'"sum"', []) and request.next() == ("end",)


def test_a_host_that_exceeds_the_window_fails_the_request(host, link):
    start(host, link, call(1))
    request = link.call_tool(1, "t", b"{}", [], stream=True)
    host.send(
        *[{"kind": "tool_chunk", "request_id": request.id, "sequence": n} for n in range(257)]
    )
    items = [request.next() for _ in range(257)]
    assert items[-1][:2] == ("error", PROTOCOL) and request.next() == ("end",)


def test_giving_up_a_request_cancels_its_tool_once(host, link):
    start(host, link, call(1))
    cancelled, dropped, done, state = (
        link.call_tool(1, "a", b"{}", [], True),
        link.call_tool(1, "b", b"{}", []),
        link.call_tool(1, "c", b"{}", []),
        link.state_get(1, "v"),
    )
    ids = [cancelled.id, dropped.id, done.id]
    waiting = in_thread(cancelled.next)
    cancelled.cancel()
    cancelled.cancel()
    assert joined(waiting) == ("end",)
    host.send({"kind": "tool_answer", "request_id": ids[2], "json": "1"})
    assert done.next()[0] == "payload"
    del dropped, done, state
    gc.collect()
    link.send_result(1, b"0", [])
    events = host.until("result")
    assert [e["request_id"] for e in events if e["event"] == "tool_cancel"] == ids[:2]
    assert cancelled.try_next() == ("end",)


def test_armed_requests_announce_items_and_ends(host, link):
    start(host, link, call(1), call(2))
    request, other = link.call_tool(1, "t", b"{}", [], stream=True), link.query_tools(2)
    request.arm()
    other.arm()
    assert link.next_batch(10, 0) == []
    host.send({"kind": "tool_chunk", "request_id": request.id, "json": "1"})
    assert batch(link, 1) == [("ready", request.id)]
    request.arm()
    assert link.next_batch(10, 0) == [("ready", request.id)], "an item is there already"
    assert request.try_next()[0] == "chunk" and request.try_next() is None
    request.arm()
    host.send({"kind": "cancel", "call_id": 2, "reason": CANCELLED})
    assert set(batch(link, 2)) == {("ready", other.id), ("cancel", 2, CANCELLED)}
    host.send({"kind": "tool_answer", "request_id": request.id, "json": "2"})
    assert batch(link, 1) == [("ready", request.id)]


def test_tools_are_listed(host, link):
    start(host, link, call(1))
    request = link.query_tools(1)
    assert host.expect("tool_query")["request_id"] == request.id
    host.send({"kind": "tools", "request_id": request.id, "json": '[{"name":"t"}]'})
    assert request.next() == ("tools", b'[{"name":"t"}]')


def test_every_access_to_a_variable_says_what_it_wants(host, link):
    start(host, link, call(1))
    requests = [
        link.state_get(1, "a"),
        link.state_set(1, "b", b"1", [b"\2"]),
        link.state_set(1, "c", b"1", [], 7),
        link.state_set(1, "c", b"1", [], expected_version=0),
        link.state_register(1, "d", "float", b"0.5", [], b'{"min":0}', b'{"m":1}'),
        link.state_register(1, "e", "json", b"{}", []),
        link.state_delete(1, "f"),
        link.state_delete(1, "g", 3),
        link.state_list(1, "x*"),
        link.state_list(1),
    ]
    asked = [host.expect("state_request") for _ in requests]
    assert [ask["request_id"] for ask in asked] == [request.id for request in requests]
    asks = [ask["ask"] for ask in asked]
    assert asks[0] == {"verb": "get", "name": "a"}
    assert asks[1]["payload"]["attachments"] == [{"blob": "02", "bytes": 1}]
    assert [ask["expected_version"] for ask in asks[1:4]] == [None, 7, 0]
    assert (asks[4]["type"], asks[4]["constraints"], asks[4]["metadata"]) == (
        "float",
        '{"min":0}',
        '{"m":1}',
    )
    assert (asks[5]["constraints"], asks[5]["metadata"]) == ("", "")
    assert [ask["expected_version"] for ask in asks[6:8]] == [None, 3]
    assert [ask["pattern"] for ask in asks[8:]] == ["x*", ""]


def test_every_answer_about_a_variable_comes_back(host, link):
    start(host, link, call(1))
    variable = {"name": "v", "type": "integer", "json": "5", "version": 2, "metadata": "{}"}
    answers = [
        ({"variable": variable}, ("variable", "v", "integer", b"5", [], 2, b"", b"{}", 0, "", 0)),
        ({"variables": [variable] * 2}, None),
        ({}, ("deleted",)),
        ({"error": {"status": 11, "message": "none"}}, ("error", 11, "none", False, b"", "", "")),
    ]
    for answer, expected in answers:
        request = link.state_get(1, "v")
        host.send({"kind": "state", "request_id": request.id} | answer)
        item = request.next()
        if expected is None:
            expected = ("variables", [answers[0][1]] * 2)
        assert item == expected


def test_the_rest_of_the_verbs_and_their_answers(host, link):
    start(host, link, call(1))
    variable = {"name": "v", "type": "json", "json": "5", "version": 2, "id": 3, "owner": "me"}
    item = ("variable", "v", "json", b"5", [], 2, b"", b"", 3, "me", 0)
    asks = [
        (link.state_get_many(1, ["v", "none"]), {"verb": "get_many", "names": ["v", "none"]}),
        (link.state_set_many(1, [("v", b"1", [], 7)], "me"), None),
        (link.state_update(1, "v", b'{"add":1}', [], None, "me"), None),
        (link.state_history(1, "v"), {"verb": "history", "name": "v"}),
        (link.state_rollback(1, "v", 4, owner="me"), None),
        (link.state_lock(1, "v", "me", 500), None),
        (link.state_unlock(1, "v", "me"), {"verb": "unlock", "name": "v", "owner": "me"}),
    ]
    asked = []
    for _, expected in asks:
        asked.append(host.expect("state_request")["ask"])
        assert expected in (None, asked[-1])
    assert (asked[1]["writes"][0][0], asked[1]["writes"][0][2]) == ("v", 7)
    assert (asked[2]["verb"], asked[2]["owner"], asked[5]["ttl_ms"]) == ("update", "me", 500)
    answers = [
        ({"found": [variable]}, ("found", [item], ["none"])),
        ({"history": [{"version": 1, "json": '"a"'}]}, ("history", [(1, b'"a"', [])])),
        ({"variable": variable}, item),
    ]
    for request, (answer, expected) in zip(
        (asks[0][0], asks[3][0], asks[4][0]), answers, strict=True
    ):
        host.send({"kind": "state", "request_id": request.id} | answer)
        assert request.next() == expected


def test_a_watch_takes_changes_until_it_is_cancelled(host, link):
    start(host, link, call(1))
    watch = link.state_watch(1, ["a*"], initial=True)
    asked = host.expect("state_request")["ask"]
    assert (asked["patterns"], asked["initial"], asked["coalesce"]) == (["a*"], True, False)
    for number in range(asked["credit"] // 2):
        change = {"change": "written", "name": "a", "version": number, "json": "7"}
        host.send({"kind": "change", "request_id": watch.id, "sequence": number} | change)
        item = watch.next()
        assert item[:5] == ("change", "written", "a", 0, number)
        assert item[6] == (b"7", [])
    assert host.expect("tool_credit")["chunks"] == asked["credit"] // 2
    watch.cancel()
    assert host.expect("tool_cancel")["request_id"] == watch.id


def test_what_may_be_cached_is_there_until_the_host_says_otherwise(host, link):
    start(host, link, call(1) | {"incarnation": 7})
    start(host, link, call(2) | {"incarnation": 8})
    variable = {"name": "v", "type": "json", "json": "5", "version": 2}
    item = ("variable", "v", "json", b"5", [], 2, b"", b"", 0, "", 0)
    for gone in ({"name": "v"}, {"name": ""}, None):
        assert link.state_cached(1, "v") is None
        request = link.state_get(1, "v")
        host.expect("state_request")
        answer = {"kind": "state", "request_id": request.id, "variable": variable}
        host.send(answer | {"cacheable": gone is not None})
        assert request.next() == item
        assert link.state_cached(1, "v") == (item if gone else None)
        assert link.state_cached(2, "v") is None, "of another session"
        if gone:
            host.send({"kind": "gone", "session": 8} | gone, {"kind": "gone", "session": 7} | gone)
            host.send({"kind": "ping", "number": 1})
            host.expect("pong")
    host.send({"kind": "cancel", "call_id": 1, "reason": CANCELLED})
    batch(link, 1)
    with pytest.raises(_native.CallCancelled):
        link.state_cached(1, "v")


def test_late_answers_are_ignored(host, link):
    start(host, link, call(1))
    request = link.state_get(1, "v")
    number = request.id
    del request
    host.send({"kind": "state", "request_id": number}, call(2))
    batch(link, 1)
    assert link.frames_ignored == 1
