"""The kinds that ask a language model once, or several times for the same: predict,
chain_of_thought and multi_chain_comparison.

It owns their options and modules. It must not know documents or calls.
"""

from __future__ import annotations

import asyncio
from typing import Any

import dspy

from ..calls import acall, in_thread
from ..checks import at, refused
from .base import Kind, Parts

__all__ = ["CHAIN_OF_THOUGHT", "MULTI_CHAIN_COMPARISON", "PREDICT"]


class ComparedChains(dspy.Module):
    """Runs `chain` several times, each a little different, and lets a language model compare what
    came out."""

    def __init__(self, signature: Any, chain: dspy.Module, count: int, temperature: float) -> None:
        super().__init__()
        self.chain = chain
        self.compare = dspy.MultiChainComparison(signature, M=count, temperature=temperature)
        self._count, self._temperature = count, temperature

    def forward(self, **inputs: Any) -> dspy.Prediction:
        """One chain after the other, then the comparison."""
        attempts = []
        for number in range(self._count):
            with dspy.context(lm=self._varied(number)):
                attempts.append(self.chain(**inputs))
        return self.compare([_attempt(each) for each in attempts], **inputs)

    async def aforward(self, **inputs: Any) -> dspy.Prediction:
        """All chains at once, then the comparison."""
        attempts = await asyncio.gather(
            *map(self._arun, range(self._count), [inputs] * self._count)
        )
        made = [_attempt(each) for each in attempts]
        return await in_thread(lambda: self.compare(made, **inputs))

    async def _arun(self, number: int, inputs: dict[str, Any]) -> dspy.Prediction:
        with dspy.context(lm=self._varied(number)):
            return await acall(self.chain, **inputs)

    def _varied(self, number: int) -> Any:
        return dspy.settings.lm.copy(rollout_id=number, temperature=self._temperature)


def _attempt(prediction: dspy.Prediction) -> dict[str, Any]:
    """A chain may have no reasoning of its own; the comparison wants a text."""
    told = prediction.get("reasoning") or prediction.get("rationale") or ""
    return {**dict(prediction.items()), "rationale": str(told)}


def _predict(parts: Parts) -> dspy.Module:
    return dspy.Predict(parts.signature)


def _chain_of_thought(parts: Parts) -> dspy.Module:
    return dspy.ChainOfThought(parts.signature)


def _multi_chain_comparison(parts: Parts) -> dspy.Module:
    signature = parts.signature
    if signature is None:
        inner = parts.inner["module"]
        if inner.signature is None:
            place = at(parts.place, "signature")
            raise refused(place, "missing, expected one: the program `module` has none to take")
        signature = inner.signature
        MULTI_CHAIN_COMPARISON.refuse_reserved(signature, at(parts.place, "signature"))
    chain = parts.programs.get("module") or dspy.ChainOfThought(signature)
    options = parts.options
    return ComparedChains(signature, chain, options["chains"], options["temperature"])


PREDICT = Kind("predict", "One request.", _predict, signature="required", demos="self")

CHAIN_OF_THOUGHT = Kind(
    "chain_of_thought",
    "Reasons before it answers.",
    _chain_of_thought,
    signature="required",
    demos="predict",
    reserved=("reasoning",),
)

MULTI_CHAIN_COMPARISON = Kind(
    "multi_chain_comparison",
    "Compares several chains of thought.",
    _multi_chain_comparison,
    signature="optional",
    programs="maybe",
    demos="compare.predict",
    reserved=("reasoning", "rationale"),
    options={
        "chains": {"type": "integer", "minimum": 2, "maximum": 32, "default": 3},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2, "default": 0.7},
    },
)
