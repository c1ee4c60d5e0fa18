"""The operations that improve programs: `optimize`, and `optimizers`, the list of what there is.

It owns their announcement only; package `optimizers` does the work.
"""

from __future__ import annotations

from typing import Any

from snakepit_bridge.context import CallContext
from snakepit_bridge.frameworks.base import operation

from .chunk_schemas import OPTIMIZING
from .optimizers import LISTED, OPTIMIZERS, PARAMETERS, RESULT, optimize
from .running import Runner

__all__ = ["OptimizerOperations"]


class OptimizerOperations:
    """The part of the framework that improves programs."""

    runner: Runner

    # Not idempotent: it asks models and metrics that cost, so nobody runs it again unasked.
    @operation(parameters=PARAMETERS, result=RESULT, chunk=OPTIMIZING, streaming=True)
    async def optimize(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Lets one of DSPy's optimizers improve a program, which has a new version afterwards;
        nothing is written unless the run ends well."""
        return await optimize(ctx, parameters, self.runner.interpreter)

    @operation(
        parameters=PARAMETERS, result=RESULT, chunk=OPTIMIZING, streaming=True, idempotent=True
    )
    async def optimize_retried(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """As `optimize`, but run again from the beginning, in another worker, when its worker is
        lost: for models and metrics that may be asked twice."""
        return await optimize(ctx, parameters, self.runner.interpreter)

    @operation(
        parameters={"type": "object", "properties": {}, "additionalProperties": False},
        result=LISTED,
        idempotent=True,
        inline=True,
    )
    def optimizers(self, ctx: CallContext) -> dict[str, Any]:
        """The optimizers, with their options as JSON Schemas."""
        return {"optimizers": [optimizer.describe() for optimizer in OPTIMIZERS.values()]}
