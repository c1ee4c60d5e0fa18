"""The exceptions of the bridge: one class per kind of failure, each with its stable status number.

Owns the Python side of the status table (the numbers are those of `src/core/status.rs`) and the way
from a status that came over the wire to an exception. Must not know the link, sessions or
frameworks.
"""

from __future__ import annotations

import enum
import json
from typing import Any, ClassVar


class Status(enum.IntEnum):
    """How a call ended: the numbers that cross the wire. A number is never reused."""

    OK = 0
    AGAIN = 1
    INVALID_ARGUMENT = 2
    NULL_ARGUMENT = 3
    HANDLE = 4
    UTF8 = 5
    STATE = 6
    BUSY = 7
    CLOSED = 8
    CANCELLED = 9
    DEADLINE = 10
    NOT_FOUND = 11
    ALREADY_EXISTS = 12
    ALREADY_COMPLETED = 13
    VERSION_CONFLICT = 14
    TYPE_MISMATCH = 15
    CONSTRAINT = 16
    RESOURCE_EXHAUSTED = 17
    UNAVAILABLE = 18
    WORKER_LOST = 19
    PYTHON_EXCEPTION = 20
    TOOL_FAILED = 21
    PROTOCOL = 22
    UNSUPPORTED = 23
    ABI_MISMATCH = 24
    FORKED = 25
    WOULD_DEADLOCK = 26
    PANIC = 27
    INTERNAL = 28
    WORKER_HUNG = 29
    SESSION_WORKER_UNAVAILABLE = 30
    STORE = 31
    LEASE_LOST = 32


class BridgeError(Exception):
    """A failure with a status, a message and the circumstances as data.

    `message` is a sentence fragment for people, `details` a JSON-able dict for programs,
    `retryable` says that the same call may succeed later. `remote_type` and `remote_traceback` are
    set when the failure is a Python exception of another worker. Raised out of a handler it reaches
    the host with all of these.
    """

    default_status: ClassVar[Status] = Status.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        details: dict[str, Any] | None = None,
        retryable: bool | None = None,
        remote_type: str = "",
        remote_traceback: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status: Status = known_status(self.default_status if status is None else status)
        self.details: dict[str, Any] = dict(details or {})
        self.retryable: bool = self.status in RETRYABLE if retryable is None else retryable
        self.remote_type = remote_type
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        return self.message


class InvalidArgument(BridgeError, ValueError):
    """An argument is of the wrong kind or out of range."""

    default_status = Status.INVALID_ARGUMENT


class StateError(BridgeError):
    """The call is not possible here or now, for example after its operation has ended."""

    default_status = Status.STATE


class ConnectionClosed(BridgeError, ConnectionError):
    """The link to the host is gone."""

    default_status = Status.CLOSED


class OperationCancelled(BridgeError):
    """The host cancelled the running operation: clean up and leave."""

    default_status = Status.CANCELLED


class DeadlineExceeded(OperationCancelled, TimeoutError):
    """The deadline of the running operation, or the time allowed for one tool call, has passed."""

    default_status = Status.DEADLINE


class NotFound(BridgeError, KeyError):
    """No variable, tool or operation of that name."""

    default_status = Status.NOT_FOUND


class Busy(BridgeError):
    """Somebody else has it: a variable that another owner has locked, a worker without room."""

    default_status = Status.BUSY


class AlreadyExists(BridgeError):
    """The name is taken."""

    default_status = Status.ALREADY_EXISTS


class VersionConflict(BridgeError):
    """The variable is not at the expected version; `details` has both."""

    default_status = Status.VERSION_CONFLICT


class TypeMismatch(BridgeError, TypeError):
    """The value is not of the variable's type."""

    default_status = Status.TYPE_MISMATCH


class ConstraintViolation(BridgeError, ValueError):
    """The value breaks a constraint of the variable."""

    default_status = Status.CONSTRAINT


class ResourceExhausted(BridgeError):
    """A named limit is reached."""

    default_status = Status.RESOURCE_EXHAUSTED


class Unavailable(BridgeError):
    """The other side cannot take the call now."""

    default_status = Status.UNAVAILABLE


class RemotePythonError(BridgeError):
    """An exception in Python code that ran elsewhere; see `remote_type` and `remote_traceback`."""

    default_status = Status.PYTHON_EXCEPTION


class ToolFailed(BridgeError):
    """A host tool answered with a failure."""

    default_status = Status.TOOL_FAILED


class Unsupported(BridgeError):
    """Known, and not possible with this build, platform or installed package."""

    default_status = Status.UNSUPPORTED


class WouldDeadlock(BridgeError):
    """Waiting here could never end, for example for the host on the thread that hears it."""

    default_status = Status.WOULD_DEADLOCK


class ValueRefused(BridgeError, ValueError):
    """A Python object has no exact form as a value. `path` names the place, for example
    `$.scores[3]`.
    """

    default_status = Status.TYPE_MISMATCH

    def __init__(self, path: str, fault: str, **more: Any) -> None:
        details = {"path": path, **(more.pop("details", None) or {})}
        super().__init__(f"at {path}: {fault}", details=details, **more)
        self.path = path


def known_status(number: int) -> Status:
    """The status of a number, or INTERNAL for one that this release does not know."""
    try:
        return Status(number)
    except ValueError:
        return Status.INTERNAL


def error_from_wire(
    status: int,
    message: str,
    retryable: bool,
    details_json: bytes,
    python_type: str = "",
    traceback: str = "",
) -> BridgeError:
    """The exception for a failure that the host reported; never raises itself."""
    kind = _CLASSES.get(status, BridgeError)
    return kind(
        message,
        status=status,
        details=_details(details_json),
        retryable=retryable,
        remote_type=python_type,
        remote_traceback=traceback,
    )


def cancelled_error(reason: int) -> OperationCancelled:
    """The exception for a cancel with this reason: DEADLINE, or CANCELLED for everything else."""
    if reason == Status.DEADLINE:
        return DeadlineExceeded("deadline of the operation has passed")
    return OperationCancelled("operation was cancelled")


def _details(details_json: bytes) -> dict[str, Any]:
    if not details_json:
        return {}
    try:
        details = json.loads(bytes(details_json))
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


RETRYABLE = frozenset({Status.AGAIN, Status.BUSY, Status.RESOURCE_EXHAUSTED, Status.UNAVAILABLE})

_CLASSES: dict[int, type[BridgeError]] = {
    kind.default_status: kind
    for kind in (
        InvalidArgument,
        StateError,
        ConnectionClosed,
        OperationCancelled,
        DeadlineExceeded,
        NotFound,
        Busy,
        AlreadyExists,
        VersionConflict,
        TypeMismatch,
        ConstraintViolation,
        ResourceExhausted,
        Unavailable,
        RemotePythonError,
        ToolFailed,
        Unsupported,
        WouldDeadlock,
    )
}
