"""The optimizers: each makes the program of these tests better, with real DSPy and a model that
learns from its prompt."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

import pytest

pytest.importorskip("dspy")

from dspy.teleprompt import BootstrapFewShot
from optimizer_fakes import HINT, PROGRAM, ROWS, OptimizingContext, Pupil, host_tool, parameters
from snakepit_bridge import errors
from snakepit_bridge.frameworks.dspy.optimizers import OPTIMIZERS, optimize

SMALL: dict[str, dict[str, Any]] = {
    "LabeledFewShot": {"k": 3},
    "BootstrapFewShot": {},
    "BootstrapFewShotWithRandomSearch": {"num_candidate_programs": 1},
    "BootstrapFewShotWithOptuna": {"max_demos": 3, "num_candidate_programs": 2},
    "COPRO": {"breadth": 2, "depth": 1},
    "MIPROv2": {"auto": "light"},
    "GEPA": {"max_metric_calls": 60},
    "InferRules": {"num_candidates": 1},
}


def run(ctx: OptimizingContext, given: dict[str, Any]) -> dict[str, Any]:
    return asyncio.run(optimize(ctx, given))


@pytest.mark.parametrize("name", SMALL)
def test_each_makes_the_program_better(name):
    ctx = OptimizingContext()
    result = run(ctx, parameters(name, options=SMALL[name]))
    assert (result["before"], result["after"]) == (0.0, 100.0)
    assert result["program"]["module"] == "predict"
    assert result["lm_calls"] == len(ctx.model.requests)
    assert result["usage"]["prompt_tokens"] == 10 * result["lm_calls"]
    assert threading.active_count() < 20
