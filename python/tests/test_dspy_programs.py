"""Program documents with the real DSPy: each kind is built and run, by document and by name, with a
fake bridge and a rule-based host language model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

dspy = pytest.importorskip("dspy")

from dspy_fakes import LOOKUP_SCHEMA, FakeContext, RuleModel, lookup  # noqa: E402
from snakepit_bridge.frameworks import load  # noqa: E402
from snakepit_bridge.frameworks.dspy import program  # noqa: E402

HOST = {"kind": "host_tool", "tool": "lm"}
ASK = {"question": "What is the capital of Peru?"}
PREDICT = {"module": "predict", "signature": "question -> answer"}


@program
class Doubter(dspy.Module):
    """A module of a user's own: no `aforward`, so it runs on a thread."""

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self.answerer = dspy.Predict("question -> answer")
        self.times = times

    def forward(self, question: str) -> Any:
        for _ in range(self.times):
            answer = self.answerer(question=question).answer
        return dspy.Prediction(answer=f"perhaps {answer}")


@pytest.fixture
def framework() -> Any:
    return started({})


@pytest.fixture
def ctx() -> FakeContext:
    return context()


def started(options: dict[str, Any]) -> Any:
    framework = load("dspy")
    framework.start(options)
    return framework


def context(stream: bool = False) -> FakeContext:
    ctx = FakeContext(stream)
    ctx.model = RuleModel()
    ctx.session.tools.add("lm", ctx.model)
    ctx.session.tools.add("lookup", lookup, "Facts about a country.", LOOKUP_SCHEMA)
    return ctx


def call(framework: Any, operation: str, ctx: FakeContext, **parameters: Any) -> dict[str, Any]:
    handler = framework.operations()[operation].handler
    return asyncio.run(asyncio.wait_for(handler(ctx, **parameters), 20))


def run(framework: Any, ctx: FakeContext, program: Any, **parameters: Any) -> dict[str, Any]:
    return call(framework, "run", ctx, program=program, inputs=ASK, **{"lm": HOST, **parameters})


KINDS = {
    "predict": PREDICT,
    "chain_of_thought": {"module": "chain_of_thought", "signature": "question -> answer"},
    "react": {"module": "react", "signature": "question -> answer", "tools": ["lookup"]},
    "multi_chain_comparison": {
        "module": "multi_chain_comparison",
        "signature": "question -> answer",
    },
    "comparison of a program": {
        "module": "multi_chain_comparison",
        "programs": {"module": PREDICT},
        "options": {"chains": 2},
    },
    "best_of_n": {
        "module": "best_of_n",
        "programs": {"module": PREDICT},
        "options": {"n": 2, "reward": {"kind": "host_tool", "tool": "judge"}},
    },
    "refine": {
        "module": "refine",
        "programs": {"module": PREDICT},
        "options": {"n": 2, "reward": {"kind": "host_tool", "tool": "judge"}},
    },
    "ensemble": {"module": "ensemble", "programs": {"a": PREDICT, "b": PREDICT}},
    "knn_few_shot": {
        "module": "knn_few_shot",
        "programs": {"module": PREDICT},
        "options": {
            "k": 1,
            "data": [
                {"question": "capital of Japan?", "answer": "Tokyo"},
                {"question": "capital of Norway?", "answer": "Oslo"},
            ],
            "embedder": {"kind": "host_tool", "tool": "embed"},
        },
    },
    "sequence": {
        "module": "sequence",
        "tools": ["lookup"],
        "programs": {"draft": PREDICT, "polish": {"module": "predict", "signature": "d -> answer"}},
        "options": {
            "steps": [
                {"tool": "lookup", "inputs": {"country": {"value": "peru"}}, "as": "facts"},
                {"program": "draft", "inputs": {"question": "question"}},
                {"program": "polish", "inputs": {"d": "facts.capital"}},
            ],
            "outputs": {"answer": "draft.answer", "people": "facts.population"},
        },
    },
    "python": {"module": "python", "options": {"name": "Doubter", "arguments": {"times": 2}}},
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("stream", [False, True])
def test_each_kind_is_built_from_its_document_and_runs(framework, name, stream):
    ctx = context(stream)

    async def judge(args: Any, emit: Any) -> Any:
        assert args["prediction"]["answer"]
        return 0.5

    async def embed(args: Any, emit: Any) -> Any:
        return [[1.0, float("norway" in text.lower())] for text in args["texts"]]

    ctx.session.tools.add("judge", judge)
    ctx.session.tools.add("embed", embed)
    ctx.model.overrides["advice"] = {"self": "be sure"}
    if name == "sequence":
        ctx.model.overrides["answer"] = "Lima"
    result = run(framework, ctx, KINDS[name])
    assert "Lima" in result["outputs"]["answer"]
    assert result["lm_calls"] >= 1
    if name == "sequence":
        assert result["outputs"]["people"] == 34_000_000
