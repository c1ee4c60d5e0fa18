"""The operations `embed`, `retrieve` and `knn`: vectors of texts, and what is nearest by them.

It owns the corpus forms, the search and the vectors that a worker keeps between calls. Who makes a
vector is the embedder's business.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Any

import numpy
import orjson

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument

from .calls import calling, in_thread
from .data import aload_examples, kind_of
from .embedders import Embedder
from .faults import faults

__all__ = ["Retriever"]


class Retriever:
    """The operations. One lives in each worker; it keeps the vectors of what was searched last."""

    def __init__(self) -> None:
        self._kept = _Kept()

    async def embed(self, ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
        """A vector for each text."""
        with faults(), calling(ctx):
            embedder = Embedder(parameters["embedder"], "embedder")
            return {"vectors": await in_thread(lambda: embedder(parameters["texts"]))}

    async def retrieve(self, ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
        """The passages of a corpus that are nearest to each query."""
        with faults(), calling(ctx):
            passages = await _passages(parameters["corpus"], ctx)
            texts = [_text(passage, index) for index, passage in enumerate(passages)]
            queries = parameters["queries"]
            found = await self._search(ctx, parameters, texts, queries)
            told = [
                {
                    "query": query,
                    "passages": [passages[index] for index in indices],
                    "indices": indices,
                    "scores": scores,
                }
                for query, (indices, scores) in zip(queries, found, strict=True)
            ]
            return {"results": told}

    async def knn(self, ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
        """The examples whose inputs are nearest to the given ones."""
        with faults(), calling(ctx):
            inputs = parameters["inputs"]
            rows = await aload_examples(parameters["data"], ctx, sorted(inputs))
            texts = [_joined(row.inputs().toDict()) for row in rows]
            found = await self._search(ctx, parameters, texts, [_joined(inputs)])
            indices, scores = found[0]
            examples = [rows[index].toDict() for index in indices]
            return {"examples": examples, "indices": indices, "scores": scores}

    async def _search(
        self, ctx: CallContext, parameters: dict[str, Any], texts: list[str], queries: list[str]
    ) -> list[tuple[list[int], list[float]]]:
        embedder = Embedder(parameters["embedder"], "embedder")
        count = min(parameters.get("k") or _K, len(texts))

        def search() -> list[tuple[list[int], list[float]]]:
            vectors = self._kept.vectors(ctx.session.id, parameters["embedder"], texts, embedder)
            asked = _normalized(embedder(queries))
            if asked.shape[1] != vectors.shape[1]:
                raise InvalidArgument(
                    f"embedder answered vectors of {asked.shape[1]} numbers for queries and of "
                    f"{vectors.shape[1]} for the corpus, expected the same"
                )
            return [_nearest(vectors @ query, count) for query in asked]

        return await in_thread(search)


class _Kept:
    """Vectors by session, embedder and texts; the least recently used leave."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, numpy.ndarray] = OrderedDict()
        self._bytes = 0

    def vectors(
        self, session: str, embedder: dict[str, Any], texts: list[str], make: Embedder
    ) -> numpy.ndarray:
        """The vectors of `texts`, of length one."""
        key = hashlib.sha256(orjson.dumps([session, embedder, texts])).digest()
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
                return found
        made = _normalized(make(texts))
        with self._lock:
            if key not in self._entries:
                self._entries[key] = made
                self._bytes += made.nbytes
            while self._bytes > KEPT_BYTES_MAX and self._entries:
                self._bytes -= self._entries.popitem(last=False)[1].nbytes
        return made


async def _passages(corpus: Any, ctx: CallContext) -> list[Any]:
    if isinstance(corpus, dict):
        corpus = await ctx.session.aget(corpus["variable"])
    if not isinstance(corpus, list) or not corpus:
        raise InvalidArgument(f"corpus is {kind_of(corpus)}, expected an array of passages")
    return corpus


def _text(passage: Any, index: int) -> str:
    if isinstance(passage, dict) and isinstance(passage.get("text"), str):
        return str(passage["text"])
    if isinstance(passage, str):
        return passage
    raise InvalidArgument(
        f"corpus[{index}] is {kind_of(passage)}, expected a string or an object with `text`"
    )


def _joined(inputs: dict[str, Any]) -> str:
    """As DSPy's KNN writes inputs for its vectorizer."""
    return " | ".join(f"{name}: {inputs[name]}" for name in sorted(inputs))


def _normalized(vectors: numpy.ndarray) -> numpy.ndarray:
    lengths = numpy.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / numpy.maximum(lengths, _TINY)


def _nearest(scores: numpy.ndarray, count: int) -> tuple[list[int], list[float]]:
    """The best first; equal ones in the order of the corpus."""
    order = numpy.argsort(-scores, kind="stable")[:count]
    return order.tolist(), scores[order].tolist()


_K = 5
_TINY = 1e-10
KEPT_BYTES_MAX = 256 * 1024 * 1024
