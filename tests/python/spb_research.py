"""DSPy programs and metrics of a user's own, as a configured module of the framework `dspy`.

One program asks the host's retriever between two requests to the language model, one needs no
language model at all. The metrics are of the plain kind and of the kind that fails. It must not
know which test uses it.
"""

from __future__ import annotations

from typing import Any

import dspy

from snakepit_bridge import current
from snakepit_bridge.frameworks.dspy import metric, program


@program
class Research(dspy.Module):
    """Asks for a query, lets the host search, answers from what was found."""

    def __init__(self, tool: str, passages: int = 2) -> None:
        super().__init__()
        self._tool, self._passages = tool, passages
        self.plan = dspy.Predict("question -> query")
        self.answer = dspy.ChainOfThought("context: list[str], question -> answer")

    async def aforward(self, question: str) -> dspy.Prediction:
        """One hop."""
        query = (await self.plan.acall(question=question)).query
        tools = current().session.tools
        found = await tools.acall(self._tool, {"query": query, "k": self._passages})
        context = [each["text"] for each in found]
        answered = await self.answer.acall(context=context, question=question)
        return dspy.Prediction(query=query, context=context, answer=answered.answer)


@program
class Sorter(dspy.Module):
    """Labels an amount by its size."""

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound

    async def aforward(self, amount: int) -> dspy.Prediction:
        """Large from the bound on."""
        return dspy.Prediction(label="large" if amount >= self._bound else "small")


@metric
def same_label(example: Any, prediction: Any) -> bool:
    """Whether the label is the one that was wanted."""
    return bool(example.label == prediction.label)


@metric
def broken_scales(example: Any, prediction: Any) -> float:
    """Raises."""
    raise ZeroDivisionError("the scales are broken")
