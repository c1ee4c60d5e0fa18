"""Rewards of programs that choose among several runs: a metric document, judged for the call that
is running.

It owns the way from a metric to DSPy's reward function. It must not know kinds of metric.
"""

from __future__ import annotations

from typing import Any

import dspy

from .calls import current_call
from .evaluation_schemas import METRIC
from .metrics import build_metric

__all__ = ["REWARD_SCHEMA", "Reward"]


class Reward:
    """Called by DSPy with the inputs of a run and its prediction; answers a number.

    It holds the document only, so a module with a reward can be kept between calls. The inputs are
    the example, so a metric that compares needs a reference among them. What fails ends the call.
    """

    def __init__(self, document: dict[str, Any], where: str) -> None:
        self._document, self._where = document, where

    def __call__(self, inputs: dict[str, Any], prediction: dspy.Prediction) -> float:
        metric = build_metric(self._document, current_call(), where=self._where)
        example = dspy.Example(**inputs).with_inputs(*inputs)
        return float(metric(example, prediction))


REWARD_SCHEMA: dict[str, Any] = {**METRIC, "description": "A metric, judged without an example."}
