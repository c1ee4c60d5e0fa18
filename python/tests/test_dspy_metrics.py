"""Metrics from documents: each kind, what a judgement may look like, and how judging fails.

The host is a fake; DSPy's own Evaluate and its threads are real.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

dspy = pytest.importorskip("dspy")

from dspy_fakes import FakeContext, RuleModel  # noqa: E402
from snakepit_bridge.context import current  # noqa: E402
from snakepit_bridge.errors import (  # noqa: E402
    DeadlineExceeded,
    InvalidArgument,
    OperationCancelled,
    Status,
    ToolFailed,
)
from snakepit_bridge.frameworks.dspy import metric  # noqa: E402
from snakepit_bridge.frameworks.dspy.abort import CallEnded  # noqa: E402
from snakepit_bridge.frameworks.dspy.judges import Case  # noqa: E402
from snakepit_bridge.frameworks.dspy.metrics import MetricFailed, build_metric  # noqa: E402


@metric(name="test_length")
def length(example: Any, prediction: Any) -> float:
    return len(prediction.answer) / example.wanted


@metric(name="test_calls_the_host")
def calls_the_host(example: Any, prediction: Any, trace: Any = None) -> Any:
    verdict = current().session.tools.call("judge", {"answer": prediction.answer})
    return dspy.Prediction(score=verdict, feedback=f"traced: {trace is not None}")


@metric(name="test_raises")
def raises(example: Any, prediction: Any, trace: Any = None) -> float:
    raise LookupError("no such country")


@metric(name="test_wrong")
def wrong(example: Any, prediction: Any) -> Any:
    return "good"


def judged(document: dict[str, Any], gold: Any, pred: Any, **more: Any) -> Any:
    return build_metric(document, FakeContext())(
        example(gold), dspy.Prediction(answer=pred), **more
    )


def example(answer: Any, **more: Any) -> Any:
    return dspy.Example(answer=answer, **more).with_inputs("question")


@pytest.mark.parametrize(
    ("document", "gold", "pred", "score"),
    [
        ({"kind": "exact_match"}, "The Eiffel tower", "eiffel  tower!", True),
        ({"kind": "exact_match"}, ["Lima", "Quito"], "lima", True),
        ({"kind": "exact_match"}, "Lima", "Lima, Peru", False),
        ({"kind": "exact_match"}, [1, 2], [1, 2], True),
        ({"kind": "exact_match"}, 3, 3.0, True),
        ({"kind": "exact_match", "normalize": False}, "Lima", "lima", False),
        ({"kind": "exact_match", "normalize": False}, "é 𝄞", "é 𝄞", True),
        ({"kind": "contains"}, "lima", "It is Lima, of course.", True),
        ({"kind": "contains"}, "the", "nothing of the kind", False),
        ({"kind": "contains"}, ["a", "b"], ["b", "a", "c"], True),
        ({"kind": "contains"}, ["a", "x"], ["b", "a", "c"], False),
        ({"kind": "f1"}, "eiffel tower", "eiffel", pytest.approx(2 / 3)),
        ({"kind": "f1", "threshold": 0.5}, "eiffel tower", "eiffel", pytest.approx(2 / 3)),
        ({"kind": "passage_match"}, "Lima", ["Quito is high.", "Lima lies at the sea."], True),
    ],
)
def test_comparisons(document: dict[str, Any], gold: Any, pred: Any, score: Any) -> None:
    given = judged(document, gold, pred)
    assert given == score and type(given) is type(score) or isinstance(given, float)


def test_a_threshold_makes_a_verdict_of_a_traced_prediction() -> None:
    document = {"kind": "f1", "threshold": 0.5}
    assert judged(document, "eiffel tower", "eiffel", trace=[]) is True
    assert judged(document, "eiffel tower", "nothing", trace=[]) is False


def test_fields_are_named() -> None:
    document = {"kind": "exact_match", "field": "capital", "reference": "truth"}
    check = build_metric(document, FakeContext())
    assert check(dspy.Example(truth="Lima"), dspy.Prediction(capital="lima")) is True
    with pytest.raises(CallEnded) as ended:
        check(dspy.Example(truth="Lima"), dspy.Prediction(city="lima"))
    assert "prediction without field `capital`, expected one of `city`" in str(ended.value.cause)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "exakt_match"}, "metric.kind 'exakt_match', expected one of `exact_match`"),
        ({"kind": "f1", "treshold": 1}, "metric.treshold, expected `threshold`"),
        ({"kind": "f1", "threshold": 2}, "metric.threshold 2, expected a number from 0 to 1"),
        ({"kind": "f1", "threshold": True}, "metric.threshold of kind bool, expected a number"),
        ({"kind": "host_tool"}, "metric.tool missing, expected a string"),
        ({"kind": "host_tool", "tool": "x", "timeout_ms": 0}, "timeout_ms 0, expected an integer"),
        ({"kind": "python", "name": "test_lenght"}, "name `test_lenght`, expected `test_length`"),
        ({"kind": "f1", "on_error": 3}, "metric.on_error, expected"),
        ({"kind": "f1", "on_error": {"score": "x"}}, "metric.on_error is a score of kind str"),
    ],
)
def test_a_bad_document_is_refused_by_its_place(document: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        build_metric(document, FakeContext())
    assert message in str(refused.value)


def host(answer: Any) -> FakeContext:
    async def judge(args: dict[str, Any], emit: Any) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer(args) if callable(answer) else answer

    ctx = FakeContext()
    ctx.session.tools.add("judge", judge)
    return ctx


HOST = {"kind": "host_tool", "tool": "judge"}


def test_a_host_tool_is_told_all_there_is_to_judge() -> None:
    ctx = host(0.25)
    check = build_metric(HOST, ctx)
    prediction = dspy.Prediction(answer="Lima", steps=[{"tool": "lookup"}])
    assert check(example("Quito", question="?"), prediction, [], "draft") == 0.25
    (_, asked) = ctx.session.tools.calls[0]
    assert asked == {
        "example": {"answer": "Quito", "question": "?"},
        "prediction": {"answer": "Lima", "steps": [{"tool": "lookup"}]},
        "trace": True,
        "predictor": "draft",
    }


def test_feedback_has_the_form_that_gepa_wants() -> None:
    ctx = host({"score": True, "feedback": "Name the country, too."})
    check = build_metric(HOST, ctx, feedback=True)
    given = check(example("a"), dspy.Prediction(answer="a"), None, None, None)
    assert (given.score, given.feedback) == (1.0, "Name the country, too.")
    plain = build_metric(HOST, host(True), feedback=True)(example("a"), dspy.Prediction(answer="a"))
    assert plain == 1.0 and type(plain) is float
    without = build_metric(HOST, ctx)(example("a"), dspy.Prediction(answer="a"))
    assert without is True


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("good", "metric tool `judge` answered a score of kind str, expected a number"),
        (None, "a score of kind NoneType"),
        ({"points": 1}, "an object without `score`"),
        ({"score": [1]}, "a score of kind list"),
        ({"score": 1, "feedback": 2}, "feedback of kind int, expected a string or null"),
        (float("nan"), "a score of nan, expected a finite number"),
    ],
)
def test_what_is_no_score_is_refused(answer: Any, message: str) -> None:
    with pytest.raises(CallEnded) as ended:
        build_metric(HOST, host(answer))(example("a"), dspy.Prediction(answer="a"))
    assert isinstance(ended.value.cause, ToolFailed) and message in str(ended.value.cause)


def test_a_python_metric_takes_what_it_declares_and_may_ask_the_host() -> None:
    check = build_metric({"kind": "python", "name": "test_length"}, FakeContext())
    assert check(dspy.Example(wanted=8), dspy.Prediction(answer="Lima")) == 0.5
    asking = build_metric(
        {"kind": "python", "name": "test_calls_the_host"}, host(0.5), feedback=True
    )
    given: list[Any] = []

    def elsewhere() -> None:  # a thread of DSPy's, where no call is known
        given.append(asking(example("a"), dspy.Prediction(answer="a"), []))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert (given[0].score, given[0].feedback) == (0.5, "traced: True")


def test_a_metric_that_raises_keeps_its_type_and_message() -> None:
    with pytest.raises(CallEnded) as ended:
        build_metric({"kind": "python", "name": "test_raises"}, FakeContext())(None, None)
    cause = ended.value.cause
    assert isinstance(cause, MetricFailed) and cause.status is Status.PYTHON_EXCEPTION
    assert str(cause) == "metric of kind `python` raised LookupError: no such country"
    assert cause.remote_type == "builtins.LookupError"
    assert isinstance(cause.__cause__, LookupError)


def test_a_metric_that_answers_nonsense_fails() -> None:
    with pytest.raises(CallEnded, match="a score of kind str"):
        build_metric({"kind": "python", "name": "test_wrong"}, FakeContext())(None, None)


def test_on_error_stands_in_for_a_failed_judgement_but_not_for_the_end_of_the_call() -> None:
    document = {**HOST, "on_error": {"score": 0, "feedback": "not judged"}}
    late = host(DeadlineExceeded("too late"))
    assert build_metric(document, late)(example("a"), dspy.Prediction(answer="a")) == 0.0
    cancelled = host(OperationCancelled("cancelled"))
    with pytest.raises(CallEnded):
        build_metric(document, cancelled)(example("a"), dspy.Prediction(answer="a"))


def test_a_failing_metric_stops_dspys_own_evaluation() -> None:
    class Fixed(dspy.Module):
        def forward(self, question: str) -> Any:
            return dspy.Prediction(answer=question)

    rows = [example("a", question="a") for _ in range(4)]
    check = build_metric({"kind": "python", "name": "test_raises"}, FakeContext())
    with pytest.raises(CallEnded, match="no such country"):
        dspy.Evaluate(devset=rows, metric=check, num_threads=2)(Fixed())
    good = build_metric({"kind": "exact_match"}, FakeContext())
    assert dspy.Evaluate(devset=rows, metric=good, num_threads=2)(Fixed()).score == 100.0


def test_on_the_loop_judges_are_awaited() -> None:
    async def scenario() -> list[Any]:
        case = Case(example("a"), dspy.Prediction(answer="b"))
        told = host(lambda args: {"score": 0.5, "feedback": args["prediction"]["answer"]})
        scores = [await build_metric(HOST, told).ascore(case)]
        for document in ({"kind": "python", "name": "test_calls_the_host"}, {"kind": "f1"}):
            scores.append(await build_metric(document, host(0.25)).ascore(case))
        return scores

    scores = asyncio.run(scenario())
    assert [(score.value, score.feedback) for score in scores] == [
        (0.5, "b"),
        (0.25, "traced: False"),
        (0.0, None),
    ]


@pytest.mark.parametrize("kind", ["semantic_f1", "complete_and_grounded"])
def test_a_language_model_judges(kind: str) -> None:
    ctx = FakeContext()
    ctx.model = RuleModel()
    ctx.session.tools.add("judge_lm", ctx.model)
    document = {"kind": kind, "lm": {"kind": "host_tool", "tool": "judge_lm"}, "field": "answer"}
    check = build_metric(document, ctx)
    gold = dspy.Example(question="Which capital?", answer="Lima")
    said = dspy.Prediction(answer="It is Lima.", context=["Lima is the capital of Peru."])
    assert check(gold, said) == 0.5
    assert len(ctx.model.requests) == (1 if kind == "semantic_f1" else 2)
    assert "It is Lima." in ctx.model.requests[0]["messages"][-1]["content"]
