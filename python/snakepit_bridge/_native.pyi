"""The native half of the worker: its connection to the platform, and the scan before encoding.

`connect` starts one Rust thread (`spb-link`) that owns the Unix socket, answers heartbeats and
never needs the GIL. Nothing is started before, so the module may be imported before a fork; in a
child forked after `connect` every method of a link or request raises `LinkClosed`.

A JSON document is `bytes`. Attachments are a list; the document refers to item N as
`{"$spb":{"attachment":N}}`. An item is a blob, or a tensor `(dtype, shape, data)` with one of the
dtypes bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64,
little-endian, row-major. What is sent may be any buffer: one of 256 KiB or more is copied once,
into shared memory; smaller `bytes` are not copied, anything else is. What is received is a
`Buffer`; a large one is a view of the host's memory, which stays what it is for as long as the view
is held.

All methods may be called from any thread. A method that waits releases the GIL, lets Python's
signal handlers run, and ends at once when the link dies. Status numbers are the platform's
(`Status` in the C ABI).
"""

import os
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias, final

from typing_extensions import Buffer as AnyBuffer

SentAttachment: TypeAlias = AnyBuffer | tuple[str, tuple[int, ...], AnyBuffer]
ReceivedAttachment: TypeAlias = Buffer | tuple[str, tuple[int, ...], Buffer]

CallFrame: TypeAlias = tuple[
    Literal["call"],
    int,  # call_id
    str,  # session_id
    str,  # framework
    str,  # operation
    bytes,  # parameters as JSON
    list[ReceivedAttachment] | None,  # None: no attachment, and nothing tagged in the document
    int,  # deadline_remaining_ms, counted down until it is handed over; 0: no deadline
    bool,  # the caller takes chunks
    str,  # traceparent, or ""
]
CancelFrame: TypeAlias = tuple[Literal["cancel"], int, int]  # call_id, reason
ReadyFrame: TypeAlias = tuple[Literal["ready"], int]  # request id, after Request.arm
CreditFrame: TypeAlias = tuple[Literal["credit"], int]  # call_id, after Link.arm_credit
DrainFrame: TypeAlias = tuple[Literal["drain"]]
Frame: TypeAlias = CallFrame | CancelFrame | ReadyFrame | CreditFrame | DrainFrame

ChunkItem: TypeAlias = tuple[Literal["chunk"], int, bytes, list[ReceivedAttachment]]
PayloadItem: TypeAlias = tuple[Literal["payload"], bytes, list[ReceivedAttachment]]
ErrorItem: TypeAlias = tuple[
    Literal["error"],
    int,  # status
    str,  # message
    bool,  # retryable
    bytes,  # details: a JSON object, or b""
    str,  # python_type, or ""
    str,  # traceback, or ""
]
VariableItem: TypeAlias = tuple[
    Literal["variable"],
    str,  # name
    str,  # type
    bytes,  # value as JSON
    list[ReceivedAttachment],
    int,  # version
    bytes,  # constraints as JSON, or b""
    bytes,  # metadata as JSON, or b""
    int,  # id
    str,  # owner of its lock, or ""
    int,  # milliseconds until the lock ends
]
ChangeItem: TypeAlias = tuple[
    Literal["change"],
    str,  # kind: initial registered written deleted locked unlocked missed
    str,  # name
    int,  # id
    int,  # version
    int,  # revision
    tuple[bytes, list[ReceivedAttachment]] | None,  # value
    str,  # owner of the lock, or ""
    int,  # how many were missed, 0: unknown
    int,  # revision of the first one missed
]
FoundItem: TypeAlias = tuple[Literal["found"], list[VariableItem], list[str]]  # missing names
HistoryItem: TypeAlias = tuple[
    Literal["history"], list[tuple[int, bytes, list[ReceivedAttachment]]]
]
VariablesItem: TypeAlias = tuple[Literal["variables"], list[VariableItem]]
DeletedItem: TypeAlias = tuple[Literal["deleted"]]
ToolsItem: TypeAlias = tuple[Literal["tools"], bytes]
EndItem: TypeAlias = tuple[Literal["end"]]
Item: TypeAlias = (
    ChunkItem
    | PayloadItem
    | ErrorItem
    | VariableItem
    | VariablesItem
    | ChangeItem
    | FoundItem
    | HistoryItem
    | DeletedItem
    | ToolsItem
    | EndItem
)

class LinkClosed(ConnectionError):
    """The connection to the platform is closed: nothing can be sent, nothing more will come."""

class CallCancelled(Exception):
    """The call cannot go on: the host gave it up, or it has ended."""

    reason: int
    """The host's status: 9 cancelled, 10 deadline. 8 (closed): the call has its result already."""
    def __init__(self, reason: int, message: str = "call was cancelled") -> None: ...

class ValueRefused(ValueError):
    """A value that has no place on the link. `str()` is "at PATH: MESSAGE"."""

    path: str
    """The place of the fault in the value, for example `$.a[3]`."""
    def __init__(self, path: str, message: str) -> None: ...

@final
class Buffer:
    """Read-only received bytes through the buffer protocol, without a copy.

    `memoryview(b)`, `bytes(b)` and `numpy.frombuffer(b, dtype)` work on it and keep it alive. A
    tensor's data starts at an address that suits its elements.
    """

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

def connect(
    socket_path: str | os.PathLike[str],
    token: bytes,
    runtime: str,
    frameworks: list[tuple[str, str, bytes]],
    timeout_ms: int,
) -> Link:
    """Dials the platform, says hello and waits for the welcome; at most `timeout_ms`.

    `token` is the 32 bytes of the handoff; `runtime` is for people ("CPython 3.11.7"); `frameworks`
    are `(framework_id, version, schema as JSON)`. Raises `ConnectionError` with the reason when the
    socket is not there, the platform refuses, or time runs out.
    """

@final
class Link:
    """One worker's connection to the platform. Dropping the last reference closes it."""

    slot: int
    """The place in the pool that this worker fills."""
    generation: int
    """Which worker in that place it is."""
    value_bytes_max: int
    """The largest value that may be sent, document and attachments together."""
    frames_ignored: int
    """Frames from the host that belonged to nothing known here: they crossed with an end."""

    def next_batch(self, max_frames: int, timeout_ms: int) -> list[Frame] | None:
        """What has arrived, oldest first, at most `max_frames` of it.

        Waits up to `timeout_ms` for the first frame; `[]` on timeout. `None` once the link is
        closed and everything was taken. Several threads may call it; each frame goes to one of
        them, and as long as that one has neither come back nor called `pass_on`, the others get
        nothing: what the host said in order is heard in order. A thread that waits here drives the
        connection, if no other does.
        """

    def pass_on(self) -> None:
        """The calling thread has done with its last batch what has to be done in order, and does
        something else now: another thread may have the next.
        """

    def send_result(self, call_id: int, json: bytes, attachments: list[SentAttachment]) -> None:
        """Ends a call with its result. Its open requests fail; nothing more can be done for it.

        Raises `ValueRefused` (the call is then still open) for a value beyond a limit,
        `LinkClosed`, and `RuntimeError` if the call has its result already. Works on a cancelled
        call. Waits while the queue to the socket is full.
        """

    def try_send_plain_result(self, call_id: int, result: object, encoder: Encoder) -> bool:
        """Encodes and sends a result in one step; never waits.

        `False`, and nothing was done: `encoder` leaves the value to Python, it is too large, the
        call was given up or has ended, there is no room, or the link is closed.
        """

    def send_error(
        self,
        call_id: int,
        status: int,
        message: str,
        python_type: str = "",
        traceback: str = "",
        causes: list[tuple[str, str]] = ...,
        details_json: bytes | None = None,
        retryable: bool | None = None,
    ) -> None:
        """Ends a call with an error; otherwise like `send_result`.

        `causes` are `(type, message)`, nearest first. `retryable` none: as the status says. Texts
        are cut at 64 KiB, the traceback from its beginning.
        """

    def send_chunk(self, call_id: int, json: bytes, attachments: list[SentAttachment]) -> None:
        """Sends one chunk, for one credit; waits for credit and room. Chunks are numbered in
        sending order.

        Raises `CallCancelled` (also while it waits), `LinkClosed`, `ValueRefused`.
        """

    def try_send_chunk(self, call_id: int, json: bytes, attachments: list[SentAttachment]) -> bool:
        """`send_chunk` that never waits: `False` if there is no credit or room now."""

    def try_send_plain_chunk(self, call_id: int, chunk: object, encoder: Encoder) -> bool:
        """Encodes and sends a chunk in one step; `False` as with results, or for lack of credit."""

    def pass_on_chunks(
        self, call_id: int, generator: Iterator[object], encoder: Encoder
    ) -> tuple[bool, object]:
        """Takes from `generator` and sends, each by `try_send_plain_chunk`.

        `(True, result)` once it has returned; `(False, chunk)` with the first chunk that was not
        sent. What it raises comes out of here.
        """

    def arm_credit(self, call_id: int) -> None:
        """Asks for one `("credit", call_id)` frame in a later batch: when a chunk can be sent, or
        never again."""

    def call_tool(
        self,
        call_id: int,
        name: str,
        json: bytes,
        attachments: list[SentAttachment],
        stream: bool = False,
        timeout_ms: int = 0,
        traceparent: str = "",
    ) -> Request:
        """Calls a host tool on behalf of a call. `timeout_ms` 0: as long as the call has left.

        Items: with `stream` any number of `chunk`, then one `payload` or `error`. Like all that
        open a request it raises `CallCancelled`, `LinkClosed`, `ValueRefused`, and `RuntimeError`
        when 16384 are open.
        """

    def query_tools(self, call_id: int) -> Request:
        """Asks which host tools the call may use. Item: `tools` or `error`."""

    def state_cached(self, call_id: int, name: str) -> VariableItem | None:
        """The variable, if it was read before and the host has not told of a change since."""

    def state_get(self, call_id: int, name: str) -> Request:
        """Reads a variable of the call's session. Item: `variable` or `error`."""

    def state_get_many(self, call_id: int, names: list[str]) -> Request:
        """Reads several at one moment. Item: `found` or `error`."""

    def state_set(
        self,
        call_id: int,
        name: str,
        json: bytes,
        attachments: list[SentAttachment],
        expected_version: int | None = None,
        owner: str = "",
    ) -> Request:
        """Writes a variable, if it still has the expected version. Item: `variable` or `error`."""

    def state_set_many(
        self,
        call_id: int,
        writes: list[tuple[str, bytes, list[SentAttachment], int | None]],
        owner: str = "",
    ) -> Request:
        """Writes several, all or none. Item: `variables` or `error`."""

    def state_update(
        self,
        call_id: int,
        name: str,
        json: bytes,
        attachments: list[SentAttachment],
        expected_version: int | None = None,
        owner: str = "",
    ) -> Request:
        """Reads, reckons (`{"add": 1}`) and writes in one step. Item: `variable` or `error`."""

    def state_register(
        self,
        call_id: int,
        name: str,
        type: str,
        json: bytes,
        attachments: list[SentAttachment],
        constraints_json: bytes | None = None,
        metadata_json: bytes | None = None,
    ) -> Request:
        """Makes a variable with its first value. Item: `variable` or `error`."""

    def state_delete(
        self, call_id: int, name: str, expected_version: int | None = None, owner: str = ""
    ) -> Request:
        """Removes a variable. Item: `deleted` or `error`."""

    def state_list(
        self, call_id: int, pattern: str = "", after: str = "", limit: int = 0
    ) -> Request:
        """Lists variables; `pattern` knows `*` and `?`, empty means all. Item: `variables` or
        `error`."""

    def state_history(self, call_id: int, name: str) -> Request:
        """Reads the values that are kept, oldest first. Item: `history` or `error`."""

    def state_rollback(
        self,
        call_id: int,
        name: str,
        version: int,
        expected_version: int | None = None,
        owner: str = "",
    ) -> Request:
        """Writes an earlier value again. Item: `variable` or `error`."""

    def state_lock(self, call_id: int, name: str, owner: str, ttl_ms: int) -> Request:
        """Keeps everybody but `owner` from writing. Item: `variable` or `error`."""

    def state_unlock(self, call_id: int, name: str, owner: str) -> Request:
        """Gives a locked variable back. Item: `deleted` or `error`."""

    def state_watch(
        self,
        call_id: int,
        patterns: list[str],
        coalesce: bool = False,
        initial: bool = False,
        queue_max: int = 0,
    ) -> Request:
        """Asks for changes. Items: any number of `change`, then one `error` that says why it
        ended."""

    def log(self, call_id: int, level: int, target: str, message: str) -> None:
        """Sends a log record (levels of `logging`; call_id 0: of no call). Never waits and never
        raises: what finds no place is dropped and counted in the next record, what is longer than
        16 KiB is cut."""

    def send_drained(self) -> None:
        """Says that all calls are finished after a drain."""

    def is_cancelled(self, call_id: int) -> bool:
        """Whether the host gave the call up, or it has ended. Cheap."""

    def close(self) -> None:
        """Sends what is queued, closes, and waits until that is done, 2 seconds at most. May be
        repeated."""

@final
class Request:
    """One thing asked of the host. Dropping it unfinished cancels it.

    Its items end with exactly one `payload`, `error`, `variable`, `variables`, `deleted` or
    `tools`; after that every call gives `("end",)`.
    """

    id: int
    """The worker's own number for it."""

    def next(self, timeout_ms: int | None = None) -> Item | None:
        """The next item; waits for it. `None` on timeout.

        Raises `CallCancelled` when the call was cancelled or has ended, queued items or not;
        `LinkClosed` when the link died and all items that came before were taken.
        """

    def try_next(self) -> Item | None:
        """The next item if one is there. Raises what `next` raises."""

    def arm(self) -> None:
        """Asks for one `("ready", id)` frame in a later batch: when there is an item, or a reason
        to raise."""

    def cancel(self) -> None:
        """Gives the request up: its tool is cancelled, what is queued is dropped. Repeatable."""

class Schema:
    """A JSON Schema that encoded values are held against, compiled once. Any thread may use it."""

    def __init__(self, document: bytes) -> None:
        """Raises `ValueError` that says why `document` is no JSON Schema."""

    def check(self, document: bytes) -> None:
        """Raises `ValueRefused` for a document that breaks the schema; its path is the place."""

class Encoder:
    """The JSON encoder, for values that it surely writes exactly. Any thread may use it."""

    def __init__(self, dumps: Callable[[object, None, int], bytes], options: int) -> None:
        """`dumps(value, None, options)` gives the document, or raises a `TypeError`."""

    def encode(self, value: object) -> bytes | None:
        """The document of `value`; `None` where `scan` would refuse something in it, or leave it to
        Python, or where the encoder itself refuses.
        """

def scan(obj: object) -> int:
    """0: `obj` is a plain JSON tree and may go to the JSON encoder as it is.

    That is: dicts with `str` keys, lists, `str`, `int`, `float`, `bool` and `None`, all of exactly
    these types, and no key that reads "$spb" behind zero or more extra "$". 1: something else is in
    it; the scan stops there, so the rest is unchecked. Raises `ValueRefused` when it meets NaN or
    an infinity, an int outside -2^63 to 2^64-1, nesting deeper than 64, or a lone surrogate.
    """

def divide(
    guard: str, labels: list[str], descriptors: list[int]
) -> tuple[int, tuple[bytes, bytes, bytes] | None]:
    """Makes a guard and its worker of this process, which must have one thread.

    Here it returns the guard's process id and None. In the worker it returns 0 and, once the guard
    has sent them, handoff, environment and directory; a worker whose guard sends nothing ends
    there. `descriptors` are the guard's socket to its host, the standard output and error of both,
    and the host's process. What `os.fork` does beside forking is the caller's.
    """
