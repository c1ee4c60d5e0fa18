"""Embedders as data: whom to ask for vectors of texts.

It owns the document, the request to a host tool and the check of what it answers. It must not know
who uses the vectors, or for what.
"""

from __future__ import annotations

from typing import Any

import numpy

from snakepit_bridge.errors import ToolFailed

from .abort import ending
from .calls import current_call

__all__ = ["Embedder"]


class Embedder:
    """Called with a list of texts, answers an array of float32 with a row for each. It asks the
    host of the call that is running, in portions; it waits, so not on the event loop.
    """

    def __init__(self, document: dict[str, Any], where: str) -> None:
        self._tool = str(document["tool"])
        self._portion = int(document.get("batch_size", _PORTION))
        timeout_ms = document.get("timeout_ms")
        self._timeout = None if timeout_ms is None else timeout_ms / 1000
        self._where = where

    def __deepcopy__(self, memo: Any) -> Embedder:
        return self

    def __call__(self, texts: list[str]) -> numpy.ndarray:
        """The vectors of the texts. Raises `ToolFailed` for an answer that has none."""
        portions = [
            self._ask(texts[start : start + self._portion])
            for start in range(0, len(texts), self._portion)
        ]
        if len({portion.shape[1] for portion in portions}) != 1:
            raise ToolFailed(f"embedder tool `{self._tool}` answered vectors of several lengths")
        return numpy.concatenate(portions)

    def _ask(self, texts: list[str]) -> numpy.ndarray:
        ctx = current_call()
        with ending(ctx):
            answer = ctx.session.tools.call(self._tool, {"texts": texts}, timeout=self._timeout)
        if isinstance(answer, dict):
            answer = answer.get("vectors", answer.get("embeddings"))
        try:
            vectors = numpy.asarray(answer, dtype=numpy.float32)
        except (TypeError, ValueError):
            vectors = numpy.zeros(0, numpy.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.shape[1] == 0:
            raise ToolFailed(
                f"embedder tool `{self._tool}` answered an array of shape {list(vectors.shape)}, "
                f"expected a vector of numbers for each of {len(texts)} texts"
            )
        return vectors


_PORTION = 512
