"""How the next token is chosen: the most probable one, or drawn with the caller's temperature.

Owns the drawing. It does not use torch's one random generator: that would let calls that run at the
same time change each other's results, and a seed would mean nothing. Adding Gumbel noise to the
logits and taking the largest draws from the same distribution. Must not know text.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

__all__ = ["processors"]


class Drawn(LogitsProcessor):
    """Makes the largest logit a draw from the distribution that the logits stand for."""

    def __init__(self, seed: int | None) -> None:
        self._generator = torch.Generator()
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The logits with noise; what is impossible stays so."""
        uniform = torch.rand(scores.shape, generator=self._generator, dtype=torch.float32)
        noise = -torch.log(-torch.log(uniform.clamp_(min=SMALLEST, max=LARGEST)))
        return scores.float() + noise.to(scores.device)


def processors(parameters: dict[str, Any]) -> LogitsProcessorList:
    """What the parameters of a call ask for, in the usual order: none for temperature 0."""
    steps: list[LogitsProcessor] = []
    temperature = parameters.get("temperature") or 0.0
    if temperature > 0:
        steps.append(TemperatureLogitsWarper(float(temperature)))
        if (top_k := parameters.get("top_k")) is not None:
            steps.append(TopKLogitsWarper(top_k))
        if (top_p := parameters.get("top_p")) is not None and top_p < 1:
            steps.append(TopPLogitsWarper(float(top_p)))
        if (min_p := parameters.get("min_p")) is not None:
            steps.append(MinPLogitsWarper(float(min_p)))
        steps.append(Drawn(parameters.get("seed")))
    return LogitsProcessorList(steps)


# Neither may become infinite by the logarithms.
SMALLEST = 1e-10
LARGEST = 1 - 1e-7
