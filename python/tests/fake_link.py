"""A link without a host: the interface of `_native.Link`, played by a test.

Owns the frames a test sends and the answers the worker gives, as events that a test can wait for.
Built on the real exceptions of `_native`. Must not contain assertions.
"""

from __future__ import annotations

import json
import queue
import threading
from typing import Any

from snakepit_bridge import _native

WAIT = 10.0


class FakeLink:
    """Plays the native half. `answers` receives ("result"|"error"|"chunk"|"log"|"drained", ...)."""

    slot, generation, value_bytes_max = 1, 1, 64 * 1024 * 1024

    def __init__(self) -> None:
        self.frames: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.logs: list[tuple[Any, ...]] = []
        self.cached: dict[str, tuple[Any, ...]] = {}
        self.requests: dict[int, FakeRequest] = {}
        self.opened: queue.SimpleQueue[FakeRequest] = queue.SimpleQueue()
        self.cancelled: dict[int, int] = {}
        self.credit: dict[int, int] = {}
        self.armed_credit: set[int] = set()
        self.closed = False
        self.changed = threading.Condition()
        self.turn = threading.Lock()
        self.passes_on: int | None = None

    # The test's side.

    def call(self, call_id: int, operation: str, framework: str = "t", **more: Any) -> None:
        """Delivers a call; `more`: parameters, session, remaining_ms, stream, credit,
        traceparent.
        """
        self.credit[call_id] = more.get("credit", 1 << 30 if more.get("stream") else 0)
        parameters = json.dumps(more.get("parameters", {})).encode()
        frame = (
            "call",
            call_id,
            more.get("session", "s"),
            framework,
            operation,
            more.get("json", parameters),
            more.get("attachments", []),
            more.get("remaining_ms", 0),
            more.get("stream", False),
            more.get("traceparent", ""),
        )
        self.frames.put(frame)

    def cancel(self, call_id: int, reason: int = 9) -> None:
        """Cancels a call, as the host does."""
        with self.changed:
            self.cancelled[call_id] = reason
            self.changed.notify_all()
        self.frames.put(("cancel", call_id, reason))
        for request in list(self.requests.values()):
            if request.call_id == call_id:
                request.notice()
        self._give_credit_frame(call_id)

    def grant(self, call_id: int, chunks: int) -> None:
        """Lets the worker send more chunks."""
        with self.changed:
            self.credit[call_id] += chunks
            self.changed.notify_all()
        self._give_credit_frame(call_id)

    def drain(self) -> None:
        """Asks the worker to finish."""
        self.frames.put(("drain",))

    def cut(self) -> None:
        """Breaks the link."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        for request in list(self.requests.values()):
            request.notice()
        self.frames.put(None)

    def answer(self, timeout: float = WAIT) -> tuple[Any, ...]:
        """The next answer of the worker; fails when none comes."""
        return self.answers.get(timeout=timeout)

    # The worker's side.

    def next_batch(self, max_frames: int, timeout_ms: int) -> list[Any] | None:
        here = threading.get_ident()
        if self.passes_on != here and not self.turn.acquire(timeout=timeout_ms / 1000):
            return []
        self.passes_on = here
        try:
            batch = [self.frames.get(timeout=timeout_ms / 1000)]
        except queue.Empty:
            self.pass_on()
            return []
        while len(batch) < max_frames and batch[-1] is not None and not self.frames.empty():
            batch.append(self.frames.get())
        if batch[-1] is None:
            batch.pop()
            self.frames.put(None)
            if not batch:
                self.pass_on()
                return None
        return batch

    def pass_on(self) -> None:
        if self.passes_on == threading.get_ident():
            self.passes_on = None
            self.turn.release()

    def is_cancelled(self, call_id: int) -> bool:
        return call_id in self.cancelled

    def send_result(self, call_id: int, document: bytes, attachments: list[Any]) -> None:
        self._check_open()
        self.answers.put(("result", call_id, json.loads(document), attachments))

    def try_send_plain_result(self, call_id: int, result: Any, encoder: Any) -> bool:
        document = encoder.encode(result)
        if document is None or call_id in self.cancelled or self.closed:
            return False
        if len(document) > self.value_bytes_max:
            return False
        self.send_result(call_id, document, [])
        return True

    def send_error(
        self,
        call_id: int,
        status: int,
        message: str,
        python_type: str = "",
        traceback: str = "",
        causes: list[tuple[str, str]] | None = None,
        details_json: bytes | None = None,
        retryable: bool | None = None,
    ) -> None:
        self._check_open()
        details = json.loads(details_json) if details_json else {}
        failure = {
            "status": status,
            "message": message,
            "type": python_type,
            "traceback": traceback,
            "causes": causes,
            "details": details,
            "retryable": retryable,
        }
        self.answers.put(("error", call_id, failure))

    def try_send_chunk(self, call_id: int, document: bytes, attachments: list[Any]) -> bool:
        self._check_call(call_id)
        with self.changed:
            if self.credit[call_id] == 0:
                return False
            self.credit[call_id] -= 1
        self.answers.put(("chunk", call_id, json.loads(document), attachments))
        return True

    def try_send_plain_chunk(self, call_id: int, chunk: Any, encoder: Any) -> bool:
        document = encoder.encode(chunk)
        if document is None or self._over(call_id) or len(document) > self.value_bytes_max:
            return False
        return self.try_send_chunk(call_id, document, [])

    def pass_on_chunks(self, call_id: int, generator: Any, encoder: Any) -> tuple[bool, Any]:
        while True:
            try:
                chunk = next(generator)
            except StopIteration as end:
                return True, end.value
            if not self.try_send_plain_chunk(call_id, chunk, encoder):
                return False, chunk

    def send_chunk(self, call_id: int, document: bytes, attachments: list[Any]) -> None:
        while not self.try_send_chunk(call_id, document, attachments):
            with self.changed:
                self.changed.wait_for(lambda: self.credit[call_id] or self._over(call_id), WAIT)

    def arm_credit(self, call_id: int) -> None:
        self.armed_credit.add(call_id)
        if self.credit[call_id] or self._over(call_id):
            self._give_credit_frame(call_id)

    def call_tool(
        self, call_id: int, name: str, document: bytes, attachments: Any, *more: Any
    ) -> Any:
        stream, timeout_ms, traceparent = more
        return self._open(
            call_id,
            verb="tool",
            name=name,
            arguments=json.loads(document),
            attachments=attachments,
            stream=stream,
            timeout_ms=timeout_ms,
            traceparent=traceparent,
        )

    def query_tools(self, call_id: int) -> Any:
        return self._open(call_id, verb="tools")

    def state_cached(self, call_id: int, name: str) -> Any:
        self._check_call(call_id)
        return self.cached.get(name)

    def state_get(self, call_id: int, name: str) -> Any:
        return self._open(call_id, verb="get", name=name)

    def state_get_many(self, call_id: int, names: list[str]) -> Any:
        return self._open(call_id, verb="get_many", names=names)

    def state_set(
        self,
        call_id: int,
        name: str,
        document: bytes,
        attachments: Any,
        version: Any,
        owner: str,
    ) -> Any:
        told = {"value": json.loads(document), "expected_version": version, "owner": owner}
        return self._open(call_id, verb="set", name=name, **told)

    def state_set_many(self, call_id: int, writes: list[Any], owner: str) -> Any:
        writes = [(name, json.loads(document), version) for name, document, _, version in writes]
        return self._open(call_id, verb="set_many", writes=writes, owner=owner)

    def state_update(
        self, call_id: int, name: str, document: bytes, attachments: Any, *more: Any
    ) -> Any:
        version, owner = more
        told = {"update": json.loads(document), "expected_version": version, "owner": owner}
        return self._open(call_id, verb="update", name=name, **told)

    def state_register(
        self, call_id: int, name: str, kind: str, document: bytes, *more: Any
    ) -> Any:
        _, constraints, metadata = more
        return self._open(
            call_id,
            verb="register",
            name=name,
            type=kind,
            value=json.loads(document),
            constraints=json.loads(constraints),
            metadata=json.loads(metadata),
        )

    def state_delete(self, call_id: int, name: str, version: Any, owner: str) -> Any:
        told = {"expected_version": version, "owner": owner}
        return self._open(call_id, verb="delete", name=name, **told)

    def state_list(self, call_id: int, pattern: str, after: str, limit: int) -> Any:
        return self._open(call_id, verb="list", pattern=pattern, after=after, limit=limit)

    def state_history(self, call_id: int, name: str) -> Any:
        return self._open(call_id, verb="history", name=name)

    def state_rollback(self, call_id: int, name: str, version: int, *more: Any) -> Any:
        expected, owner = more
        told = {"version": version, "expected_version": expected, "owner": owner}
        return self._open(call_id, verb="rollback", name=name, **told)

    def state_lock(self, call_id: int, name: str, owner: str, ttl_ms: int) -> Any:
        return self._open(call_id, verb="lock", name=name, owner=owner, ttl_ms=ttl_ms)

    def state_unlock(self, call_id: int, name: str, owner: str) -> Any:
        return self._open(call_id, verb="unlock", name=name, owner=owner)

    def state_watch(self, call_id: int, patterns: list[str], *more: Any) -> Any:
        coalesce, initial, queue_max = more
        told = {"coalesce": coalesce, "initial": initial, "queue_max": queue_max}
        return self._open(call_id, verb="watch", patterns=patterns, **told)

    def log(self, call_id: int, level: int, target: str, message: str) -> None:
        self.logs.append((call_id, level, target, message))

    def send_drained(self) -> None:
        self.answers.put(("drained",))

    def close(self) -> None:
        self.cut()

    def _open(self, call_id: int, **told: Any) -> FakeRequest:
        self._check_call(call_id)
        request = FakeRequest(self, len(self.requests) + 1, call_id, told)
        self.requests[request.id] = request
        self.opened.put(request)
        return request

    def _over(self, call_id: int) -> bool:
        return self.closed or call_id in self.cancelled

    def _check_open(self) -> None:
        if self.closed:
            raise _native.LinkClosed("cut by the test")

    def _check_call(self, call_id: int) -> None:
        self._check_open()
        if call_id in self.cancelled:
            raise _native.CallCancelled(self.cancelled[call_id])

    def _give_credit_frame(self, call_id: int) -> None:
        if call_id in self.armed_credit:
            self.armed_credit.discard(call_id)
            self.frames.put(("credit", call_id))


class FakeRequest:
    """One request; the test reads `told` and gives items with `give`."""

    def __init__(self, link: FakeLink, number: int, call_id: int, told: dict[str, Any]) -> None:
        self.link = link
        self.id = number
        self.call_id = call_id
        self.told = told
        self.cancelled = threading.Event()
        self._items: list[tuple[Any, ...]] = []
        self._armed = False

    def give(self, *item: Any) -> None:
        """Delivers one item."""
        with self.link.changed:
            self._items.append(item)
            self.link.changed.notify_all()
        self.notice()

    def give_value(self, value: Any) -> None:
        """Delivers a payload."""
        self.give("payload", json.dumps(value).encode(), [])

    def notice(self) -> None:
        """Sends the ready frame if somebody asked for it."""
        with self.link.changed:
            armed, self._armed = self._armed, False
        if armed:
            self.link.frames.put(("ready", self.id))

    def try_next(self) -> tuple[Any, ...] | None:
        self.link._check_call(self.call_id)
        with self.link.changed:
            return self._items.pop(0) if self._items else None

    def next(self, timeout_ms: int | None) -> tuple[Any, ...] | None:
        with self.link.changed:
            ready = lambda: self._items or self.link._over(self.call_id)  # noqa: E731
            self.link.changed.wait_for(ready, WAIT if timeout_ms is None else timeout_ms / 1000)
        return self.try_next()

    def arm(self) -> None:
        self._armed = True
        if self._items or self.link._over(self.call_id):
            self.notice()

    def cancel(self) -> None:
        self.cancelled.set()
