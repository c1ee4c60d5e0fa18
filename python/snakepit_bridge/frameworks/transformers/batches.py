"""Texts in batches, with a look between them whether the call is still wanted.

Owns the default size. Must not know models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["batches"]


def batches(given: dict[str, Any], check: Callable[[], None]) -> Iterator[list[str]]:
    """The `texts` of a call in order, at most `batch_size` at once."""
    texts, size = given["texts"], given.get("batch_size") or BATCH_SIZE
    for start in range(0, len(texts), size):
        check()
        yield texts[start : start + size]


BATCH_SIZE = 16
