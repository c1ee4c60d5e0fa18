"""Linear regression with numpy: one exact fit, and one that goes step by step.

Owns the mathematics and what a fitted model is. Knows nothing of snakepit-bridge, so that it can be
used and tested without it.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pydantic


class Model(pydantic.BaseModel):
    """What was fitted: `coefficients` times features, plus `intercept`."""

    coefficients: list[float] = pydantic.Field(min_length=1, description="One for each feature.")
    intercept: float = pydantic.Field(description="The prediction where all features are zero.")
    r_squared: float = pydantic.Field(description="Explained variance; 1 is a perfect fit.")


def fit(features: np.ndarray, targets: np.ndarray, ridge: float) -> Model:
    """Least squares; `ridge` above zero keeps coefficients small."""
    means, mean = features.mean(axis=0), targets.mean()
    centred = features - means
    penalty = np.sqrt(ridge) * np.eye(features.shape[1])
    rows = np.vstack([centred, penalty])
    goals = np.concatenate([targets - mean, np.zeros(features.shape[1])])
    coefficients = np.linalg.lstsq(rows, goals, rcond=None)[0]
    return _model(features, targets, coefficients, float(mean - means @ coefficients))


def descend(
    features: np.ndarray, targets: np.ndarray, steps: int, rate: float
) -> Generator[float, None, Model]:
    """Gradient descent on standardised features; yields the mean squared error before each step."""
    scale = np.where(features.std(axis=0) == 0, 1.0, features.std(axis=0))
    means = features.mean(axis=0)
    standard = (features - means) / scale
    weights, bias = np.zeros(features.shape[1]), 0.0
    for _ in range(steps):
        errors = standard @ weights + bias - targets
        yield float(np.mean(errors**2))
        weights = weights - rate * 2 * (standard.T @ errors) / len(targets)
        bias -= rate * 2 * float(errors.mean())
    coefficients = weights / scale
    return _model(features, targets, coefficients, bias - float(means @ coefficients))


def predict(model: Model, features: np.ndarray) -> np.ndarray:
    """One prediction for each row."""
    return features @ np.asarray(model.coefficients) + model.intercept


def _model(
    features: np.ndarray, targets: np.ndarray, coefficients: np.ndarray, intercept: float
) -> Model:
    left = targets - (features @ coefficients + intercept)
    spread = float(((targets - targets.mean()) ** 2).sum())
    explained = 1.0 if spread == 0 else 1 - float((left**2).sum()) / spread
    return Model(coefficients=coefficients.tolist(), intercept=intercept, r_squared=explained)
