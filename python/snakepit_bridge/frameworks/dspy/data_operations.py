"""Operations on data and on models without a program: evaluate, batch, lm, embed, retrieve, knn.

It owns the words of these operations. How they are carried out is the business of `evaluation`,
`direct` and `retrieval`.
"""

from __future__ import annotations

from typing import Any

from snakepit_bridge.context import CallContext
from snakepit_bridge.frameworks.base import operation

from . import chunk_schemas, direct, evaluation
from . import data_schemas as schemas
from .retrieval import Retriever
from .running import Runner

__all__ = ["DataOperations"]


class DataOperations:
    """The part of the framework that works on data."""

    runner: Runner
    retriever: Retriever

    @operation(
        parameters=schemas.EVALUATE,
        result=schemas.EVALUATE_RESULT,
        chunk=chunk_schemas.PROGRESS,
        streaming=True,
    )
    async def evaluate(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Runs a program on examples and judges what it answers; the stream shows progress."""
        return await evaluation.evaluate(self.runner, ctx, parameters)

    @operation(
        parameters=schemas.BATCH,
        result=schemas.BATCH_RESULT,
        chunk=chunk_schemas.OUTCOME,
        streaming=True,
    )
    async def batch(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Runs a program on many inputs, some at once; the stream shows each outcome as it comes,
        the result has them in order."""
        return await evaluation.batch(self.runner, ctx, parameters)

    @operation(
        parameters=schemas.ASK,
        result=schemas.ASK_RESULT,
        chunk=chunk_schemas.ANSWER,
        streaming=True,
    )
    async def lm(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Asks a language model directly, without a program; the stream shows its tokens."""
        return await direct.ask(ctx, parameters)

    @operation(parameters=schemas.EMBED, result=schemas.EMBED_RESULT)
    async def embed(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Makes a vector of each text."""
        return await self.retriever.embed(ctx, parameters)

    @operation(parameters=schemas.RETRIEVE, result=schemas.RETRIEVE_RESULT)
    async def retrieve(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Finds the passages of a corpus that are nearest to each query."""
        return await self.retriever.retrieve(ctx, parameters)

    @operation(parameters=schemas.KNN, result=schemas.KNN_RESULT)
    async def knn(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Finds the examples whose inputs are nearest to the given ones."""
        return await self.retriever.knn(ctx, parameters)
