"""Reading a field's value out of an answer that is still coming, for each way an adapter writes
answers.

It owns the three formats' pure functions and the bookkeeping of what has been shown. DSPy's own
listener is not used for this: it lets markers through when pieces of text are larger than tokens,
and shows nothing of an answer that comes in one piece. It must not know streams, modules or DSPy.
"""

from __future__ import annotations

import html
import re

import jiter

__all__ = ["FieldReader", "value_so_far"]


class FieldReader:
    """Follows one answer at a time and tells which new text belongs to which field."""

    def __init__(self, adapter: str, names: list[str]) -> None:
        self._adapter = adapter
        self._names = names
        self._text = ""
        self._shown = dict.fromkeys(names, 0)

    def feed(self, piece: str, done: bool) -> list[tuple[str, str]]:
        """The new text of each field after `piece`. `done` ends the answer; the next piece begins
        another."""
        self._text += piece
        news = []
        for name in self._names:
            value = value_so_far(self._adapter, self._text, name, done)
            if len(value) > self._shown[name]:
                news.append((name, value[self._shown[name] :]))
                self._shown[name] = len(value)
        if done:
            self._text = ""
            self._shown = dict.fromkeys(self._names, 0)
        return news


def value_so_far(adapter: str, text: str, name: str, done: bool) -> str:
    """The part of field `name` that is certain in `text`: it never has to be taken back when more
    text comes."""
    if adapter == "json":
        return _json(text, name)
    value = _xml(text, name, done) if adapter == "xml" else _chat(text, name, done)
    # Values are stripped in the end, so white space is shown only once something follows it.
    return value.strip()


def _chat(text: str, name: str, done: bool) -> str:
    start = re.search(rf"^[ \t]*\[\[ ## {re.escape(name)} ## \]\]", text, re.MULTILINE)
    if start is None:
        return ""
    value = text[start.end() :]
    end = _HEADER.search(value)
    if end is not None:
        return value[: end.start()]
    if done:
        return value
    head, newline, last = value.rpartition("\n")
    return head if newline and last.lstrip(" \t").startswith("[") else value


def _xml(text: str, name: str, done: bool) -> str:
    _, opened, value = text.partition(f"<{name}>")
    if not opened:
        return ""
    closing = f"</{name}>"
    value, closed, _ = value.partition(closing)
    if not (closed or done):
        # What may be the beginning of the end, or of an entity, is not certain yet.
        value = _PARTIAL_XML.sub("", value)
    return html.unescape(value)


def _json(text: str, name: str) -> str:
    start = text.find("{")
    if start < 0:
        return ""
    try:
        document = jiter.from_json(text[start:].encode(), partial_mode="trailing-strings")
    except ValueError:
        # Text after the object, or not JSON at all: what was shown stands, and the adapter judges
        # the answer.
        return ""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


_PARTIAL_XML = re.compile(r"(</?\w*|&#?\w*)\Z")
_HEADER = re.compile(r"^[ \t]*\[\[ ## \w+ ## \]\]", re.MULTILINE)
