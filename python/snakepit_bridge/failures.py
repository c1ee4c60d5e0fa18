"""What the host learns about a failed call: status, message, type, traceback, causes, details.

Owns the reading of exceptions, hostile ones included: one whose `str` raises, whose causes form a
ring or whose traceback is endless. Must not know the link or how calls run.
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Any

from .errors import BridgeError, OperationCancelled, Status, cancelled_error

Failure = tuple[int, str, str, str, list[tuple[str, str]], bytes, bool | None]


def describe(fault: BaseException, reason: int | None = None) -> Failure:
    """The arguments of `send_error` behind the call id. Never raises.

    A `BridgeError` keeps its status and details. With a cancel `reason` that is the status,
    whatever the handler raised on its way out.
    """
    status, message, details = int(Status.PYTHON_EXCEPTION), text_of(fault), b""
    retryable: bool | None = None
    if isinstance(fault, BridgeError):
        status, details = int(fault.status), _details_json(fault)
        retryable = fault.retryable
    if reason is not None:
        status, retryable = int(reason), None
        if not isinstance(fault, OperationCancelled):
            message = str(cancelled_error(reason))
    return (
        status,
        cut(message, MESSAGE_CHARS_MAX),
        type_name(fault),
        traceback_of(fault),
        causes_of(fault),
        details,
        retryable,
    )


def text_of(fault: BaseException) -> str:
    """`str(fault)`, or a note when that raises; always encodable."""
    try:
        text = str(fault)
    except BaseException as second:
        text = f"(its message cannot be read: {type(second).__name__})"
    return encodable(text or type(fault).__name__)


def type_name(fault: BaseException) -> str:
    """`module.QualName`."""
    kind = type(fault)
    return encodable(f"{kind.__module__}.{kind.__qualname__}")


def traceback_of(fault: BaseException) -> str:
    """The formatted traceback without the bridge's own frames at its top, cut to its end."""
    try:
        outer = _below_the_bridge(fault.__traceback__)
        lines = traceback.format_exception(type(fault), fault, outer)
        text = encodable("".join(lines))
    except BaseException as second:
        return f"(the traceback cannot be read: {type(second).__name__})"
    if len(text) <= TRACEBACK_CHARS_MAX:
        return text
    return "(cut)\n" + text[-TRACEBACK_CHARS_MAX:]


def causes_of(fault: BaseException) -> list[tuple[str, str]]:
    """`(type, message)` of each cause or context, nearest first."""
    causes: list[tuple[str, str]] = []
    seen = {id(fault)}
    cause = _cause(fault)
    while cause is not None and id(cause) not in seen and len(causes) < CAUSES_MAX:
        seen.add(id(cause))
        causes.append((type_name(cause), cut(text_of(cause), MESSAGE_CHARS_MAX)))
        cause = _cause(cause)
    return causes


def encodable(text: str) -> str:
    """The text with lone surrogates, which have no UTF-8 form, written as escapes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def cut(text: str, chars_max: int) -> str:
    """The text, or its beginning and a note of what was cut."""
    if len(text) <= chars_max:
        return text
    return f"{text[:chars_max]}… ({len(text) - chars_max} more characters)"


def _cause(fault: BaseException) -> BaseException | None:
    if fault.__cause__ is not None:
        return fault.__cause__
    return None if fault.__suppress_context__ else fault.__context__


def _below_the_bridge(outer: TracebackType | None) -> TracebackType | None:
    """Skips the frames that only carried the call to its handler; all of them when nothing else is
    left.
    """
    inner = outer
    while inner is not None and os.path.dirname(inner.tb_frame.f_code.co_filename) == _HERE:
        inner = inner.tb_next
    return inner if inner is not None else outer


def _details_json(fault: BridgeError) -> bytes:
    import orjson

    details: dict[str, Any] = dict(fault.details)
    if fault.remote_type:
        details.setdefault("remote_type", fault.remote_type)
    if not details:
        return b""
    try:
        return orjson.dumps(details)
    except orjson.JSONEncodeError:
        return orjson.dumps({encodable(str(key)): _shown(item) for key, item in details.items()})


def _shown(item: Any) -> str:
    try:
        return cut(encodable(repr(item)), MESSAGE_CHARS_MAX)
    except Exception:
        return f"({type(item).__name__})"


# Half of what a frame may sensibly hold: UTF-8 may need several bytes per character.
TRACEBACK_CHARS_MAX = 64 * 1024
MESSAGE_CHARS_MAX = 16 * 1024
CAUSES_MAX = 16

_HERE = os.path.dirname(__file__)
