"""The example on its own: its mathematics, and its operations as a worker would call them."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest

from snakepit_bridge import InvalidArgument
from spb_regression.adapter import Regression


@pytest.fixture
def operations():
    framework = Regression()
    framework.start({})
    return framework.operations()


@pytest.fixture
def data():
    features = np.random.default_rng(1).normal(size=(50, 2))
    return {"features": features, "targets": features @ [2.0, -1.0] + 3.0}


def call(operation, **parameters):
    return operation.handler(None, **operation.prepare(parameters))


def test_a_line_is_found_and_used(operations, data):
    model = call(operations["fit"], **data)
    assert model.coefficients == pytest.approx([2.0, -1.0])
    assert model.intercept == pytest.approx(3.0)
    assert model.r_squared == pytest.approx(1.0)
    given = {"model": model.model_dump(), "features": np.array([[1.0, 1.0]])}
    assert call(operations["predict"], **given) == pytest.approx([4.0])


def test_ridge_keeps_coefficients_small(operations, data):
    model = call(operations["fit"], **data, ridge=100.0)
    assert abs(model.coefficients[0]) < 1.5


def test_a_descent_arrives_at_the_same(operations, data):
    descent = call(operations["descend"], **data, steps=200)
    seen = []
    with pytest.raises(StopIteration) as end:
        while True:
            seen.append(next(descent))
    assert [each.step for each in seen] == list(range(1, 201))
    assert seen[0].error > 1 > seen[-1].error
    assert end.value.value.coefficients == pytest.approx([2.0, -1.0], abs=1e-3)


def test_what_does_not_belong_together_is_refused(operations, data):
    with pytest.raises(InvalidArgument, match="targets have 49 rows"):
        call(operations["fit"], features=data["features"], targets=data["targets"][1:])
    with pytest.raises(InvalidArgument, match=r"at \$\.features: .* of float64, not of float32"):
        call(operations["fit"], **{**data, "features": data["features"].astype("float32")})


def test_options_are_checked():
    with pytest.raises(pydantic.ValidationError, match="ridge"):
        Regression().start({"ridge": -1})
    with pytest.raises(pydantic.ValidationError, match="riddge"):
        Regression().start({"riddge": 1})
