"""Metrics and programs that the tests with DSPy know by name.

Each does one plain thing. Nothing here knows how it is called.
"""

from snakepit_bridge import current
from snakepit_bridge.frameworks.dspy import metric


@metric
def shouted(example, prediction):
    """Whether the answer is the example's, in capitals."""
    return prediction.answer == example.answer.upper()


@metric
def asks_the_host(example, prediction, trace=None):
    """Lets a host tool decide, from whatever thread it runs on."""
    asked = {"answer": prediction.answer, "truth": example.answer}
    return current().session.tools.call("referee", asked)


@metric
def broken(example, prediction):
    """Raises."""
    raise LookupError(f"no ruling on {prediction.answer}")
