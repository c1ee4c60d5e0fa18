"""Programs and metrics of a user's own for the tests of framework `dspy`.

They are what a configured module may offer to program documents. Nothing here knows how it is
called.
"""

import os

import dspy

from snakepit_bridge.frameworks.dspy import program


@program
class Stamped(dspy.Module):
    """Answers a question and says which process did."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.answerer = dspy.ChainOfThought("question -> answer")
        self.prefix = prefix

    async def aforward(self, question: str) -> dspy.Prediction:
        answered = await self.answerer.acall(question=question)
        return dspy.Prediction(answer=self.prefix + answered.answer, pid=os.getpid())


@program(name="backwards")
def made_backwards() -> dspy.Module:
    """A function that makes a module, which knows plain calls only."""

    class Backwards(dspy.Module):
        def forward(self, text: str) -> dspy.Prediction:
            return dspy.Prediction(text=text[::-1])

    return Backwards()
