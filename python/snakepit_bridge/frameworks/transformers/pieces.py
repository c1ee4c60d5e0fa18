"""From tokens to text while they are made: complete characters only, up to a stop text.

Owns the incremental decoding and the search for stop texts. A token may end in the middle of a
character, and a stop text in the middle of a token, so both hold text back until it is decided.
Must not know models or calls.
"""

from __future__ import annotations

import queue
from typing import Any

from transformers.generation.streamers import BaseStreamer

__all__ = ["Pieces", "StopFilter"]


class StopFilter:
    """Passes text on until one of the stop texts begins; `hit` says that it did."""

    def __init__(self, stops: list[str]) -> None:
        self._stops = stops
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """What of the text so far may be shown and was not yet."""
        if self.hit:
            return ""
        self._held += text
        found = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.hit = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        keep = max((self._beginning(stop) for stop in self._stops), default=0)
        shown = self._held[: len(self._held) - keep]
        self._held = self._held[len(shown) :]
        return shown

    def rest(self) -> str:
        """What was held back and turned out not to be a stop text."""
        shown, self._held = self._held, ""
        return shown

    def _beginning(self, stop: str) -> int:
        """How many characters at the end of the text could be the beginning of `stop`."""
        for length in range(min(len(stop) - 1, len(self._held)), 0, -1):
            if self._held.endswith(stop[:length]):
                return length
        return 0


class Pieces(BaseStreamer):
    """What `generate` tells each token; its reader takes text from `queue`, and None at the end.

    It is the reader's to take or leave: nothing here waits, and there are never more pieces than
    tokens that were asked for.
    """

    def __init__(self, tokenizer: Any, stops: list[str], tokens_max: int) -> None:
        self._tokenizer = tokenizer
        self._filter = StopFilter(stops)
        self._ids: list[int] = []
        # Where the text that new tokens are decoded with begins, and how far it was read.
        self._start = self._read = 0
        self._is_prompt = True
        self.queue: queue.Queue[str | None] = queue.Queue(tokens_max + 2)

    @property
    def stopped(self) -> bool:
        """Whether a stop text was found."""
        return self._filter.hit

    @property
    def ids(self) -> list[int]:
        """The tokens that were made so far."""
        return self._ids

    def put(self, value: Any) -> None:
        """The prompt first, then one token after the other."""
        if self._is_prompt:
            self._is_prompt = False
            return
        self._ids.extend(value.reshape(-1).tolist())
        before = self._text(self._start, self._read)
        after = self._text(self._start, len(self._ids))
        if len(after) > len(before) and not after.endswith(INCOMPLETE):
            self._start, self._read = self._read, len(self._ids)
            self._show(self._filter.feed(after[len(before) :]))

    def end(self) -> None:
        """The tokens are complete: what was held back is shown."""
        before = self._text(self._start, self._read)
        after = self._text(self._start, len(self._ids))
        self._show(self._filter.feed(after[len(before) :]) + self._filter.rest())

    def close(self) -> None:
        """Ends the reader's loop, however the tokens came to an end."""
        self.queue.put_nowait(None)

    def _text(self, start: int, end: int) -> str:
        text: str = self._tokenizer.decode(self._ids[start:end], skip_special_tokens=True)
        return text

    def _show(self, text: str) -> None:
        if text:
            self.queue.put_nowait(text)


# What decoders write for bytes that are not a whole character yet.
INCOMPLETE = "\ufffd"
