"""What Python code prints and logs, as records that carry the call they belong to.

Owns the replacements of `sys.stdout` and `sys.stderr` and the handler of `logging`. Without a link
(before the connection, after its end) everything goes to the real descriptors. Printing never
raises here and never blocks: a worker must not fail because it talks. Must not know how records
travel.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
from typing import Any, TextIO

from .context import CURRENT, CallContext
from .failures import cut, encodable


class Capture:
    """The replacements, installed once per process. `attach` gives them a link, `detach`
    takes it.
    """

    def __init__(self, log_level: str) -> None:
        self.link: Any = None
        self._handler = _Handler(self)
        self._real: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(log_level.upper())
        sys.stdout = _LineWriter(self, "stdout", logging.INFO, self._real[0])
        sys.stderr = _LineWriter(self, "stderr", logging.WARNING, self._real[1])

    def attach(self, link: Any) -> None:
        """From now on records go to the host."""
        self.link = link

    def detach(self) -> None:
        """From now on records go to the real descriptors again."""
        self.link = None

    def restore(self) -> None:
        """Undoes the installation, for tests."""
        self.detach()
        logging.getLogger().removeHandler(self._handler)
        sys.stdout, sys.stderr = self._real

    def fall_through(self, target: str, message: str) -> None:
        """Writes to the real standard output or error; whatever is wrong with it is not our
        matter.
        """
        stream = self._real[0] if target == "stdout" else self._real[1]
        with contextlib.suppress(Exception):
            stream.write(encodable(message) + "\n")
            stream.flush()

    def record(self, call_id: int, level: int, target: str, message: str) -> None:
        """Sends one record, or writes it where records go without a link."""
        link = self.link
        if link is not None:
            try:
                link.log(call_id, level, target, cut(encodable(message), RECORD_CHARS_MAX))
                return
            except Exception:
                pass
        self.fall_through(target, message)


def flush_call(call: CallContext, link: Any) -> None:
    """Sends the unfinished lines of a call that ends."""
    lines, call.partial_lines = call.partial_lines, None
    for target, text in (lines or {}).items():
        if text:
            with contextlib.suppress(Exception):
                link.log(call.call_id, _LEVELS[target], target, encodable(text))


class _LineWriter(io.TextIOBase):
    """A text stream that turns whole lines into records, kept apart by call and by thread."""

    def __init__(self, capture: Capture, target: str, level: int, real: TextIO) -> None:
        self._capture = capture
        self._target = target
        self._level = level
        self._real = real
        self._thread = threading.local()

    def write(self, text: str) -> int:
        """Takes `text`; complete lines leave at once."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        call = CURRENT.get()
        call_id = 0 if call is None or call.ended else call.call_id
        *lines, rest = (self._take(call) + text).split("\n")
        for line in lines:
            self._capture.record(call_id, self._level, self._target, line)
        while len(rest) > RECORD_CHARS_MAX:
            piece, rest = rest[:RECORD_CHARS_MAX], rest[RECORD_CHARS_MAX:]
            self._capture.record(call_id, self._level, self._target, piece)
        if rest:
            self._keep(call, rest)
        return len(text)

    def flush(self) -> None:
        """Lines leave when they are complete, or when their call ends."""

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never: what is printed becomes records."""
        return False

    def fileno(self) -> int:
        """The real descriptor, for code that passes it to a child process."""
        return self._real.fileno()

    def close(self) -> None:
        """Ignored: other calls print here too."""

    @property
    def buffer(self) -> Any:
        """The real binary stream."""
        return self._real.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """UTF-8; what has no form in it is escaped."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """How unencodable text is written."""
        return "backslashreplace"

    def _take(self, call: CallContext | None) -> str:
        if call is None or call.ended:
            text = getattr(self._thread, "partial", "")
            self._thread.partial = ""
            return text
        return "" if call.partial_lines is None else call.partial_lines.pop(self._target, "")

    def _keep(self, call: CallContext | None, text: str) -> None:
        if call is None or call.ended:
            self._thread.partial = text
            return
        if call.partial_lines is None:
            call.partial_lines = {}
        call.partial_lines[self._target] = text


class _Handler(logging.Handler):
    """Every record of `logging` that nobody filtered out."""

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Sends the record with its traceback, tied to the running call."""
        call = CURRENT.get()
        try:
            message = self.format(record)
        except Exception as fault:
            message = f"(a log record of {record.name} cannot be formatted: {fault!r})"
        call_id = 0 if call is None or call.ended else call.call_id
        self._capture.record(call_id, record.levelno, record.name, message)


# One record, as src/core/limits.rs has it in bytes; the host cuts again, exactly.
RECORD_CHARS_MAX = 16 * 1024

_LEVELS = {"stdout": logging.INFO, "stderr": logging.WARNING}
