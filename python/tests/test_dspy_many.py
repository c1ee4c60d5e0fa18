"""Operations on data with the real DSPy, a fake bridge and a rule-based host language model:
evaluate, batch, lm, embed, retrieve, knn; and what results and streams tell of language models.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

dspy = pytest.importorskip("dspy")
import numpy  # noqa: E402

from dspy_fakes import LOOKUP_SCHEMA, FakeContext, RuleModel, lookup  # noqa: E402
from snakepit_bridge.errors import (  # noqa: E402
    BridgeError,
    InvalidArgument,
    Status,
    ToolFailed,
)
from snakepit_bridge.frameworks import load  # noqa: E402
from snakepit_bridge.frameworks.dspy import metric, program  # noqa: E402
from snakepit_bridge.frameworks.dspy.records import Record  # noqa: E402

HOST = {"kind": "host_tool", "tool": "lm"}
QA = {"module": "predict", "signature": "question -> answer", "lm": HOST}
EXACT = {"kind": "exact_match"}
ROWS = [
    {"question": "capital of Peru?", "answer": "Lima"},
    {"question": "capital of Japan?", "answer": "Kyoto"},
    {"question": "capital of Norway?", "answer": "Oslo"},
]


@metric(name="many_raises")
def raises(example: Any, prediction: Any) -> float:
    raise ZeroDivisionError("nothing to compare")


@program(name="many_threads")
class Threads(dspy.Module):
    """Asks twice at once, on threads that DSPy starts."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        example = dspy.Example(question=question).with_inputs("question")
        answers = dspy.Parallel(num_threads=2)([(self.ask, example)] * 2)
        return dspy.Prediction(answers=[answer.answer for answer in answers])


@pytest.fixture(scope="module")
def framework() -> Any:
    framework = load("dspy")
    framework.start({})
    return framework


def context(stream: bool = False, model: Any = None) -> FakeContext:
    ctx = FakeContext(stream)
    ctx.model = RuleModel()
    ctx.session.tools.add("lm", model or ctx.model)
    ctx.session.tools.add("lookup", lookup, "Facts about a country.", LOOKUP_SCHEMA)
    return ctx


def run(framework: Any, operation: str, ctx: FakeContext, **parameters: Any) -> dict[str, Any]:
    handler = framework.operations()[operation].handler
    return asyncio.run(asyncio.wait_for(handler(ctx, **parameters), 30))


def test_evaluate_scores_each_example(framework: Any) -> None:
    ctx = context(stream=True)
    result = run(framework, "evaluate", ctx, program=QA, data=ROWS, metric=EXACT)
    assert (result["score"], result["count"], result["errors"]) == (66.67, 3, 0)
    assert [each["score"] for each in result["results"]] == [1.0, 0.0, 1.0]
    assert result["results"][1] == {"index": 1, "prediction": {"answer": "Tokyo"}, "score": 0.0}
    assert result["lm_calls"] == 3 and result["usage_by_model"]["lm"] == result["usage"]
    assert [chunk["done"] for chunk in ctx.chunks] == [1, 2, 3]
    assert ctx.chunks[-1] == {
        "type": "progress",
        "done": 3,
        "total": 3,
        "score": 66.67,
        "errors": 0,
    }


def test_evaluate_takes_a_host_metric_with_feedback(framework: Any) -> None:
    async def judge(args: dict[str, Any], emit: Any) -> Any:
        good = args["prediction"]["answer"] == args["example"]["answer"]
        return {"score": 1 if good else 0.25, "feedback": f"asked: {args['example']['question']}"}

    ctx = context()
    ctx.session.tools.add("judge", judge)
    metric_ = {"kind": "host_tool", "tool": "judge"}
    result = run(framework, "evaluate", ctx, program=QA, data=ROWS, metric=metric_, threads=1)
    assert result["score"] == 75.0
    assert result["results"][0]["feedback"] == "asked: capital of Peru?"


def broken_for(word: str) -> Any:
    rules = RuleModel()

    async def model(request: dict[str, Any], emit: Any) -> Any:
        if word in request["messages"][-1]["content"]:
            raise ToolFailed(f"no word about {word}")
        return await rules(request, emit)

    return model


def test_a_failed_example_is_told_and_scores_nothing(framework: Any) -> None:
    ctx = context(model=broken_for("Japan"))
    parameters = {"program": QA, "data": ROWS, "metric": EXACT}
    result = run(framework, "evaluate", ctx, **parameters, results="errors")
    assert (result["score"], result["errors"]) == (66.67, 1)
    (failed,) = result["results"]
    assert failed["index"] == 1 and failed["error"]["status"] == "TOOL_FAILED"
    assert failed["error"]["message"] == "no word about Japan"
    assert "prediction" not in failed
    half = run(framework, "evaluate", ctx, **parameters, failure_score=0.5, results="none")
    assert half["score"] == 83.33 and half["results"] == []


def test_too_many_failures_end_the_evaluation_with_the_last(framework: Any) -> None:
    ctx = context(model=broken_for("capital"))
    with pytest.raises(BridgeError, match="given up after 2 failures") as ended:
        run(framework, "evaluate", ctx, program=QA, data=ROWS * 9, metric=EXACT, max_errors=2)
    assert ended.value.status is Status.TOOL_FAILED and ended.value.details["errors"] == 2


def test_a_metric_that_fails_ends_the_evaluation(framework: Any) -> None:
    failing = {"kind": "python", "name": "many_raises"}
    with pytest.raises(BridgeError, match="ZeroDivisionError: nothing to compare") as ended:
        run(framework, "evaluate", context(), program=QA, data=ROWS, metric=failing)
    assert ended.value.status is Status.PYTHON_EXCEPTION
    lenient = {**failing, "on_error": {"score": 0.5}}
    result = run(framework, "evaluate", context(), program=QA, data=ROWS, metric=lenient)
    assert result["score"] == 50.0


def test_bad_data_is_refused_before_the_model_is_asked(framework: Any) -> None:
    ctx = context()
    rows = [*ROWS, {"answer": "?"}]
    with pytest.raises(InvalidArgument, match=r"data\[3\]: field `question` missing"):
        run(framework, "evaluate", ctx, program=QA, data=rows, metric=EXACT)
    assert ctx.model.requests == []


def test_a_batch_keeps_its_order_and_tells_each_outcome(framework: Any) -> None:
    waiting = 0
    most = 0
    rules = broken_for("Japan")

    async def model(request: dict[str, Any], emit: Any) -> Any:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        # The first to be asked is the last to be answered.
        await asyncio.sleep(0.02 if "Peru" in request["messages"][-1]["content"] else 0)
        waiting -= 1
        return await rules(request, emit)

    ctx = context(stream=True, model=model)
    inputs = [{"question": row["question"]} for row in ROWS]
    result = run(framework, "batch", ctx, program=QA, inputs=[*inputs, {"q": 1}])
    assert [each.get("outputs") for each in result["results"]] == [
        {"answer": "Lima"},
        None,
        {"answer": "Oslo"},
        None,
    ]
    assert result["errors"] == 2 and most == 3
    assert result["results"][1]["error"]["status"] == "TOOL_FAILED"
    assert result["results"][3]["error"]["status"] == "INVALID_ARGUMENT"
    shown = {chunk["index"]: chunk for chunk in ctx.chunks}
    assert sorted(shown) == [0, 1, 2, 3] and ctx.chunks[-1]["index"] == 0
    assert shown[0] == {"type": "result", "index": 0, "outputs": {"answer": "Lima"}}
    most = 0
    run(framework, "batch", context(model=model), program=QA, inputs=inputs * 4, max_concurrency=2)
    assert most == 2


async def plain_model(request: dict[str, Any], emit: Any) -> Any:
    words = [f"{message['role']}:{message['content']}" for message in request["messages"]]
    text = f"{' '.join(words)} at {request.get('temperature')}"
    if request["stream"]:
        for piece in text.split(" "):
            await emit(piece + " ")
        return {"usage": {"total_tokens": 3}, "model": "m-1"}
    return {"content": text, "usage": {"total_tokens": 3}, "model": "m-1"}


def test_a_model_is_asked_directly(framework: Any) -> None:
    lm = {**HOST, "model": "small/er", "temperature": 0.5}
    result = run(framework, "lm", context(model=plain_model), lm=lm, prompt="hello", n=2)
    choice = {"content": "user:hello at 0.5", "finish_reason": "stop", "model": "m-1"}
    assert result["choices"] == [choice, choice]
    assert result["lm_calls"] == 2 and result["usage_by_model"] == {"small/er": {"total_tokens": 6}}
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    ctx = context(stream=True, model=plain_model)
    cooler = {"lm": lm, "messages": messages, "config": {"temperature": 0.1}, "history": True}
    result = run(framework, "lm", ctx, **cooler)
    assert result["history"][0]["settings"] == {"temperature": 0.1}
    assert result["history"][0]["messages"] == messages
    text = "system:be brief user:hi at 0.1 "
    assert result["choices"][0]["content"] == text
    assert "".join(chunk["text"] for chunk in ctx.chunks) == text
    assert {(chunk["type"], chunk["index"]) for chunk in ctx.chunks} == {("token", 0)}
    assert len(ctx.chunks) == 5


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "exactly one of `prompt` and `messages`"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "exactly one"),
        ({"prompt": "a", "tools": []}, "tools, expected none: lm.supports is without"),
        ({"messages": [{"role": "wizard", "content": "b"}]}, "messages: "),
    ],
)
def test_a_bad_direct_request_is_refused(
    framework: Any, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        run(framework, "lm", context(model=plain_model), lm=HOST, **parameters)


def test_a_direct_request_may_offer_tools(framework: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}

    async def calls(request: dict[str, Any], emit: Any) -> Any:
        assert request["tools"][0]["function"]["name"] == "add"
        return {"tool_calls": [call]}

    add = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    lm = {**HOST, "supports": ["tools"]}
    result = run(framework, "lm", context(model=calls), lm=lm, prompt="1+1", tools=[add])
    (choice,) = result["choices"]
    assert choice["tool_calls"] == [{"id": "c1", "name": "add", "arguments": {"a": 1}}]
    assert choice["finish_reason"] == "tool_calls" and choice["content"] is None


async def letters(args: dict[str, Any], emit: Any) -> Any:
    return [[text.lower().count(letter) for letter in "abcdefghij"] for text in args["texts"]]


EMBEDDER = {"kind": "host_tool", "tool": "letters"}


def embedding_context() -> FakeContext:
    ctx = context()
    ctx.session.tools.add("letters", letters)
    return ctx


def test_embed_answers_a_tensor(framework: Any) -> None:
    texts = ["abba", "cab", "hij"]
    ctx = embedding_context()
    embedder = {**EMBEDDER, "batch_size": 2}
    vectors = run(framework, "embed", ctx, embedder=embedder, texts=texts)["vectors"]
    assert isinstance(vectors, numpy.ndarray) and vectors.dtype == numpy.float32
    assert vectors.shape == (3, 10) and vectors[0][:2].tolist() == [2.0, 2.0]
    assert [len(args["texts"]) for _, args in ctx.session.tools.calls] == [2, 1]


def test_retrieve_finds_what_is_nearest_and_keeps_vectors(framework: Any) -> None:
    ctx = embedding_context()
    corpus = ["a bad cabbage", {"text": "high jig", "id": 7}, "a bad cab", "feed"]
    parameters = {"corpus": corpus, "embedder": EMBEDDER, "k": 2}
    result = run(framework, "retrieve", ctx, queries=["a cab", "jig"], **parameters)
    first, second = result["results"]
    assert first["indices"] == [0, 2] or first["indices"] == [2, 0]
    assert second["passages"][0] == {"text": "high jig", "id": 7}
    assert first["scores"] == sorted(first["scores"], reverse=True) and first["scores"][0] <= 1.001
    run(framework, "retrieve", ctx, queries=["fee"], **parameters)
    asked = [args["texts"] for _, args in ctx.session.tools.calls]
    assert [len(texts) for texts in asked] == [4, 2, 1], "the corpus was embedded once"
    with pytest.raises(InvalidArgument, match=r"corpus\[1\] is an integer"):
        run(framework, "retrieve", ctx, queries=["x"], corpus=["a", 1], embedder=EMBEDDER)


def test_knn_finds_the_nearest_examples(framework: Any) -> None:
    data = [{"q": "abab", "label": "ab"}, {"q": "jjjj", "label": "j"}, {"q": "ghgh", "label": "gh"}]
    inputs = {"q": "hg"}
    ctx = embedding_context()
    result = run(framework, "knn", ctx, data=data, inputs=inputs, embedder=EMBEDDER, k=1)
    assert result["examples"] == [data[2]] and result["indices"] == [2]


def test_history_tells_what_was_said(framework: Any) -> None:
    ctx = context()
    lm = {**HOST, "model": "small", "temperature": 0.5}
    question = {"question": "capital of Peru?"}
    result = run(framework, "run", ctx, program=QA, inputs=question, lm=lm, history=True)
    (entry,) = result["history"]
    assert entry["model"] == "small" and entry["answered_by"] == "rules-1"
    assert entry["settings"] == {"temperature": 0.5}
    assert [message["role"] for message in entry["messages"]] == ["system", "user"]
    assert "Lima" in entry["outputs"][0] and entry["usage"] == result["usage_by_model"]["small"]
    assert result["history_dropped"] == 0
    streamed = context(stream=True)
    same = run(framework, "run", streamed, program=QA, inputs=question, lm=lm, history=True)
    assert same["history"][0]["messages"] == entry["messages"]
    assert same["history"][0]["outputs"] == entry["outputs"]
    assert same["history"][0]["settings"] == entry["settings"]
    assert same["usage"] == result["usage"]
    assert "history" not in run(framework, "run", context(), program=QA, inputs=question)


def test_history_has_a_limit() -> None:
    record = Record(history=True)
    for number in range(1003):
        record.told({"number": number})
    told = record.report()
    assert len(told["history"]) == 1000 and told["history_dropped"] == 3
    assert told["history"][0] == {"number": 3}
    record.told({"text": "x" * (9 * 1024 * 1024)})
    assert record.report()["history"] == []


def test_an_unreadable_answer_is_told_with_its_text(framework: Any) -> None:
    async def mumbles(request: dict[str, Any], emit: Any) -> Any:
        return "mumble " * 3000

    for adapter in ("chat", "json", "xml"):
        ctx = context(model=mumbles)
        program = {**QA, "signature": "question -> answer: int, why"}
        with pytest.raises(BridgeError, match="cannot be read") as failed:
            run(framework, "run", ctx, program=program, inputs={"question": "?"}, adapter=adapter)
        error = failed.value
        assert error.status is Status.TOOL_FAILED
        assert error.details["reason"] == "unreadable_answer"
        assert error.details["expected"] == ["answer", "why"]
        assert error.details["completion"].startswith("mumble mumble")
        assert len(error.details["completion"]) < 9000


def test_a_prompt_that_is_too_long_makes_an_agent_forget(framework: Any) -> None:
    rules = RuleModel()

    async def short_of_room(request: dict[str, Any], emit: Any) -> Any:
        asked = request["messages"][-1]["content"]
        if "observation_0" in asked and "observation_1" in asked:
            raise ToolFailed("too long", details={"reason": "context_window"})
        answer = rules.value
        rules.value = lambda name, type_, user: (
            {"next_tool_name": "lookup", "next_tool_args": {"country": "peru"}}.get(name)
            or answer(name, type_, user)
        )
        said = await rules(request, emit)
        rules.value = answer
        return said

    agent = {
        "module": "react",
        "signature": "question -> answer",
        "tools": ["lookup"],
        "options": {"max_iters": 3},
        "lm": HOST,
    }
    ctx = context(model=short_of_room)
    result = run(framework, "run", ctx, program=agent, inputs={"question": "capital of Peru?"})
    assert result["outputs"]["answer"] == "Lima"
    plain = context(model=short_of_room)
    with pytest.raises(ToolFailed, match="too long"):
        question = {"question": "observation_0 observation_1"}
        run(framework, "run", plain, program=QA, inputs=question)


def test_statuses_of_modules_and_models_come_in_order(framework: Any) -> None:
    ctx = context(stream=True)
    agent = {"module": "react", "signature": "question -> answer", "tools": ["lookup"], "lm": HOST}
    run(
        framework,
        "run",
        ctx,
        program=agent,
        inputs={"question": "capital of Peru?"},
        status=["module", "lm", "tool"],
    )
    messages = [chunk["message"] for chunk in ctx.chunks if chunk["type"] == "status"]
    assert messages == [
        "running ReAct",
        "running Predict react",
        "asking lm",
        "calling lookup",
        "lookup answered",
        "running Predict react",
        "asking lm",
        "running ChainOfThought extract",
        "running Predict extract.predict",
        "asking lm",
    ]
    quiet = context(stream=True)
    question = {"question": "capital of Peru?"}
    run(framework, "run", quiet, program=agent, inputs=question, status=[])
    assert {chunk["type"] for chunk in quiet.chunks} == {"token"}
    requests = {chunk["request"]: chunk["predictor"] for chunk in quiet.chunks}
    assert requests == {1: "react", 2: "react", 3: "extract.predict"}


def test_chains_at_once_do_not_mix_their_tokens(framework: Any) -> None:
    ctx = context(stream=True)
    rules = RuleModel()

    async def slowly(request: dict[str, Any], emit: Any) -> Any:
        text = rules.text(request)
        if emit is not None and request["stream"]:
            for piece in text:
                await emit(piece)
                await asyncio.sleep(0)
        return text

    ctx.session.tools.add("lm", slowly)
    program = {"module": "multi_chain_comparison", "signature": "question -> answer", "lm": HOST}
    run(framework, "run", ctx, program=program, inputs={"question": "capital of Peru?"})
    texts: dict[tuple[int, str], str] = {}
    for chunk in ctx.chunks:
        if chunk["type"] == "token":
            key = (chunk["request"], chunk["field"])
            texts[key] = texts.get(key, "") + chunk["text"]
    answers = [text for (_, field), text in texts.items() if field == "answer"]
    assert answers.count("Lima") == 4, texts


def test_attempts_of_one_program_are_streamed_each(framework: Any) -> None:
    async def half(args: dict[str, Any], emit: Any) -> Any:
        return 0.5

    ctx = context(stream=True)
    ctx.session.tools.add("judge", half)
    inner = {"module": "chain_of_thought", "signature": "question -> answer"}
    options = {"reward": {"kind": "host_tool", "tool": "judge"}, "n": 2}
    program = {"module": "best_of_n", "programs": {"module": inner}, "options": options, "lm": HOST}
    run(framework, "run", ctx, program=program, inputs={"question": "capital of Peru?"})
    answers = [chunk for chunk in ctx.chunks if chunk.get("field") == "answer"]
    told = [(chunk["predictor"], chunk["request"], chunk["text"]) for chunk in answers]
    assert told == [("module.predict", 1, "Lima"), ("module.predict", 2, "Lima")]


@pytest.mark.parametrize("stream", [False, True])
def test_threads_of_a_program_are_counted_though_not_streamed(framework: Any, stream: bool) -> None:
    ctx = context(stream=stream)
    threads = {"module": "python", "options": {"name": "many_threads"}, "lm": HOST}
    question = {"question": "capital of Peru?"}
    result = run(framework, "run", ctx, program=threads, inputs=question, status=["lm"])
    assert result["outputs"] == {"answers": ["Lima", "Lima"]}
    assert result["lm_calls"] == 2 and result["usage"]["prompt_tokens"] == 20
    assert [chunk["type"] for chunk in ctx.chunks] == ["status", "status"] * stream
