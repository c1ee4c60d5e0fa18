"""The adapter: `linear` as the framework `regression`, with operations of each kind.

Owns options, operations and what can be wrong with their arguments beyond their types. The
mathematics is in `linear`.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Annotated, Any, ClassVar

import numpy as np
import pydantic
from numpy.typing import NDArray

from snakepit_bridge import CallContext, Framework, InvalidArgument, Tensor, operation

from . import linear
from .linear import Model

Features = Annotated[np.ndarray, Tensor("float64", (None, None))]
Targets = Annotated[np.ndarray, Tensor("float64", (None,))]


class Options(pydantic.BaseModel, extra="forbid"):
    """What the configuration may say."""

    ridge: float = pydantic.Field(0.0, ge=0, description="Used where a call names no ridge.")


class Progress(pydantic.BaseModel):
    """One step of a descent."""

    step: int = pydantic.Field(description="Counted from 1.")
    error: float = pydantic.Field(description="The mean squared error before the step.")


class Regression(Framework):
    """Linear regression with numpy."""

    id: ClassVar[str] = "regression"
    options_schema: ClassVar[dict[str, Any] | None] = Options.model_json_schema()

    def version(self) -> str:
        return f"1.0 (numpy {np.__version__})"

    def start(self, options: dict[str, Any]) -> None:
        self._options = Options.model_validate(options)

    @operation(idempotent=True)
    def fit(
        self,
        ctx: CallContext,
        features: Features,
        targets: Targets,
        ridge: Annotated[float, pydantic.Field(ge=0)] | None = None,
    ) -> Model:
        """Fits a model exactly, by least squares.

        Args:
            features: A row for each observation, a column for each feature.
            targets: What was observed: a number for each row.
            ridge: How strongly coefficients are kept small; null is the configured value.
        """
        _check(features, targets)
        return linear.fit(features, targets, self._options.ridge if ridge is None else ridge)

    @operation(idempotent=True)
    def predict(self, ctx: CallContext, model: Model, features: Features) -> NDArray[np.float64]:
        """Says what a model expects for new observations.

        Args:
            model: As `fit` or `descend` gave it.
            features: A row for each observation.

        Returns:
            A number for each row.
        """
        if features.shape[1] != len(model.coefficients):
            given, wanted = features.shape[1], len(model.coefficients)
            message = f"features have {given} columns, expected {wanted} as the model has"
            raise InvalidArgument(message, details={"path": "$.features"})
        return linear.predict(model, features)

    @operation(idempotent=True)
    def descend(
        self,
        ctx: CallContext,
        features: Features,
        targets: Targets,
        steps: Annotated[int, pydantic.Field(ge=1, le=100_000)] = 100,
        rate: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.1,
    ) -> Generator[Progress, None, Model]:
        """Fits a model step by step, and streams how it goes.

        Args:
            features: A row for each observation, a column for each feature.
            targets: What was observed: a number for each row.
            steps: How many steps are made.
            rate: How far each step goes.
        """
        _check(features, targets)
        descent = linear.descend(features, targets, steps, rate)
        for step in itertools.count(1):
            try:
                error = next(descent)
            except StopIteration as end:
                return end.value
            yield Progress(step=step, error=error)

    @operation()
    async def fit_variables(
        self, ctx: CallContext, features: str, targets: str, model: str
    ) -> Model:
        """Fits what lies in variables of the session, and keeps the model in another.

        Args:
            features: The name of the tensor variable with a row for each observation.
            targets: The name of the tensor variable with a number for each row.
            model: The name of the variable that the model goes to; it is made if it is not there.
        """
        rows, goals = await ctx.session.aget(features), await ctx.session.aget(targets)
        _check(rows, goals)
        fitted = linear.fit(rows, goals, self._options.ridge)
        if any(each.name == model for each in await ctx.session.alist(model)):
            await ctx.session.aset(model, fitted)
        else:
            await ctx.session.aregister(model, "json", fitted)
        return fitted


def _check(features: np.ndarray, targets: np.ndarray) -> None:
    """What no schema can say: that the two belong together."""
    if len(features) != len(targets):
        message = f"targets have {len(targets)} rows, expected {len(features)} as features have"
        raise InvalidArgument(message, details={"path": "$.targets"})
    if len(targets) == 0:
        raise InvalidArgument("features have no rows", details={"path": "$.features"})
