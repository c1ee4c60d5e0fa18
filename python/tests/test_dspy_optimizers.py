"""The optimizers: each makes the program of these tests better, with real DSPy and a model that
learns from its prompt."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import types
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
    "MIPROv2": {"auto": None, "num_candidates": 2, "num_trials": 2, "minibatch": False},
    "GEPA": {"max_metric_calls": 60},
    "InferRules": {"num_candidates": 1},
}


SHAPES: dict[str, dict[str, Any]] = {
    "chain": {"module": "chain_of_thought", "signature": "word -> answer"},
    "agent": {"module": "react", "signature": "word -> answer", "tools": ["look"]},
    "steps": {
        "module": "sequence",
        "programs": {
            "first": {"module": "chain_of_thought", "signature": "word -> note"},
            "second": {"module": "predict", "signature": "word, note -> answer"},
        },
        "options": {
            "steps": [
                {"program": "first", "inputs": {"word": "word"}},
                {"program": "second", "inputs": {"word": "word", "note": "first.note"}},
            ],
        },
    },
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


def test_simba_learns_from_rows_whose_scores_vary():
    ctx = OptimizingContext(Pupil(fickle=True))
    options = {"bsize": 4, "num_candidates": 3, "max_steps": 2}
    result = run(ctx, parameters("SIMBA", options=options, threads=1))
    assert result["before"] < result["after"] == 100.0
    assert [each["examples"] for each in result["trials"]] == [len(ROWS)] * len(result["trials"])


def test_each_default_is_that_of_dspy():
    dspy = pytest.importorskip("dspy")
    for name, optimizer in OPTIMIZERS.items():
        kind = getattr(dspy.teleprompt, name)
        known = {
            **inspect.signature(BootstrapFewShot).parameters,
            **inspect.signature(kind.compile).parameters,
            **inspect.signature(kind).parameters,
        }
        for option, described in optimizer.options.items():
            if option in known and not described.required:
                default = described.schema["default"]
                assert default == known[option].default or option == "bootstrap", (name, option)
            assert described.schema["description"]


@pytest.mark.parametrize(
    ("given", "place", "said"),
    [
        ({"optimizer": "COPROO"}, "optimizer", "did you mean `COPRO`?"),
        ({"options": {"bredth": 3}}, "options", "did you mean `breadth`?"),
        ({"options": {"breadth": 1}}, "options.breadth", "minimum"),
        ({"metric": None}, "metric", "missing, COPRO needs one"),
        ({"data": None}, "data", "missing, COPRO needs data.train"),
        ({"teacher": PROGRAM}, "teacher", "expected none: COPRO has no teacher"),
        ({"reflection_lm": {}}, "reflection_lm", "expected none: COPRO does not use it"),
        ({"optimizer": "GEPA"}, "options", "expected exactly one of `auto`"),
        ({"optimizer": "SIMBA"}, "options.bsize", "32 with 12 training rows"),
        ({"optimizer": "MIPROv2", "options": {"auto": None}}, "options", "`num_trials`"),
        ({"optimizer": "BootstrapFinetune"}, "finetune", "missing, expected who trains"),
        ({"program": {"module": "predict"}}, "program.signature", "missing"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(given, place, said):
    ctx = OptimizingContext()
    more = {"optimizer": "COPRO", **given}
    parts = parameters(more.pop("optimizer"), **more)
    with pytest.raises(errors.InvalidArgument) as caught:
        run(ctx, {name: value for name, value in parts.items() if value is not None})
    assert caught.value.details["place"] == place
    assert said in str(caught.value)
    assert not ctx.model.requests


def test_the_variable_has_a_new_version_and_was_locked_meanwhile():
    ctx = OptimizingContext()
    ctx.session.put("qa", PROGRAM)
    holders = []

    def judge(arguments: dict[str, Any]) -> Any:
        holders.append(dict(ctx.session.locks))
        return arguments["prediction"]["answer"] == arguments["example"]["answer"]

    with host_tool(ctx, "judge", judge):
        metric = {"kind": "host_tool", "tool": "judge"}
        result = run(ctx, parameters("BootstrapFewShot", program="qa", metric=metric))
    assert result["program"] == {"variable": "qa", "version": 2}
    assert all(each["qa"].startswith("optimizing with BootstrapFewShot") for each in holders)
    assert not ctx.session.locks
    new = ctx.session.values["qa"][1]
    assert new["state"]["demos"][0]["augmented"] is True
    assert {name: new[name] for name in PROGRAM} == PROGRAM


def test_a_metric_that_raises_ends_the_run_and_changes_nothing():
    ctx = OptimizingContext()
    ctx.session.put("qa", PROGRAM)

    def judge(arguments: dict[str, Any]) -> Any:
        raise errors.Unavailable("the judge is out")

    for name in ("BootstrapFewShotWithRandomSearch", "SIMBA", "GEPA", "MIPROv2"):
        options = {"SIMBA": {"bsize": 4}, "GEPA": {"auto": "light"}}.get(name, {})
        with host_tool(ctx, "judge", judge) as asked, pytest.raises(errors.Unavailable):
            metric = {"kind": "host_tool", "tool": "judge"}
            run(ctx, parameters(name, program="qa", metric=metric, options=options))
        assert len(asked) <= 8, "no more than were under way"
        asked.clear()
    assert len(ctx.session.values["qa"]) == 1
    assert not ctx.session.locks


def test_a_model_that_always_fails_is_the_outcome():
    ctx = OptimizingContext()

    async def fail(arguments: dict[str, Any], emit: Any) -> Any:
        raise errors.ToolFailed("no money left")

    ctx.session.tools.add("lm", fail)
    with pytest.raises(errors.ToolFailed, match="no money left"):
        run(ctx, parameters("BootstrapFewShot"))


def test_a_budget_ends_the_run():
    ctx = OptimizingContext()
    with pytest.raises(errors.ResourceExhausted) as caught:
        run(ctx, parameters("COPRO", max_lm_calls=20))
    assert caught.value.details == {"limit": "max_lm_calls", "allowed": 20}
    assert len(ctx.model.requests) <= 20
    with pytest.raises(errors.ResourceExhausted, match="max_metric_calls 5"):
        run(ctx, parameters("BootstrapFewShot", max_metric_calls=5))


def test_a_cancelled_run_ends_with_its_threads():
    ctx = OptimizingContext()
    ctx.session.put("qa", PROGRAM)
    before = set(threading.enumerate())

    def judge(arguments: dict[str, Any]) -> Any:
        ctx.cancelled = ctx.cancelled or len(ctx.model.requests) > 30
        return True

    with host_tool(ctx, "judge", judge), pytest.raises(errors.OperationCancelled):
        metric = {"kind": "host_tool", "tool": "judge"}
        run(ctx, parameters("COPRO", program="qa", metric=metric))
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread.name
    assert len(ctx.model.requests) < 60
    assert len(ctx.session.values["qa"]) == 1


def test_progress_is_shown():
    ctx = OptimizingContext(stream=True)
    run(ctx, parameters("COPRO", options={"breadth": 2, "depth": 1}))
    assert ctx.chunks[0]["type"] == "progress"
    last = ctx.chunks[-1]
    assert (last["phase"], last["trial"], last["best"]) == ("after", 2, 100.0)
    assert (last["done"], last["total"]) == (len(ROWS), len(ROWS))


def test_finetuning_asks_the_host_and_the_program_names_what_came_of_it():
    ctx = OptimizingContext()
    own = {"kind": "host_tool", "tool": "lm", "model": {"variable": "model"}, "temperature": 0}
    ctx.session.put("model", "small")
    ctx.session.put("qa", {**PROGRAM, "lm": own})
    taught = Pupil()

    async def answer(request: dict[str, Any], emit: Any) -> Any:
        if request["model"] == "small-tuned":
            request["messages"][0]["content"] += HINT
        return await taught(request, emit)

    ctx.session.tools.add("lm", answer)
    given = parameters(
        "BootstrapFinetune",
        program="qa",
        finetune={"kind": "host_tool", "tool": "train"},
        options={"train_kwargs": {"epochs": 2}},
        metric={"kind": "f1", "field": "answer", "on_error": {"score": 0}},
        teacher={**PROGRAM, "demos": [ROWS[0]]},
    )
    del given["lm"]
    with host_tool(ctx, "train", lambda arguments: {"model": "small-tuned"}) as asked:
        result = run(ctx, given)
    assert (result["before"], result["after"]) == (0.0, 100.0)
    assert asked[0]["options"] == {"epochs": 2}
    assert asked[0]["model"] == "small"
    assert [each["role"] for each in asked[0]["rows"][0]["messages"]][-1] == "assistant"
    assert ctx.session.values["qa"][1]["lm"] == {**own, "model": "small-tuned"}


@pytest.mark.parametrize("spoken", ["no fields at all", "[[ ## answer ## ]]\nnowhere"])
def test_finetuning_on_nothing_is_refused(spoken):
    ctx = OptimizingContext()

    async def answer(request: dict[str, Any], emit: Any) -> Any:
        return spoken

    ctx.session.tools.add("lm", answer)
    given = parameters("BootstrapFinetune", finetune={"kind": "host_tool", "tool": "train"})
    with (
        host_tool(ctx, "train", lambda arguments: {"model": "tuned"}) as asked,
        pytest.raises(errors.BridgeError, match="left to train on") as failed,
    ):
        run(ctx, given)
    assert failed.value.status == errors.Status.TOOL_FAILED
    assert failed.value.details["reason"] == "nothing_to_train_on"
    assert not asked


def test_framework_transformers_may_train(monkeypatch):
    given = parameters("BootstrapFinetune", finetune={"kind": "transformers", "model": "tiny"})
    given["teacher"] = {**PROGRAM, "demos": [ROWS[0]]}
    name = "snakepit_bridge.frameworks.transformers.framework"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(errors.Unsupported, match="framework `transformers`"):
        run(OptimizingContext(), given)
    asked = []

    def fine_tune_rows(base, rows, options, progress, cancelled):
        asked.append((base, len(rows), options, cancelled()))
        return "/artifacts/tiny-1"

    framework = types.SimpleNamespace(fine_tune_rows=fine_tune_rows)
    monkeypatch.setitem(sys.modules, name, framework)
    ctx = OptimizingContext()
    result = run(ctx, given)
    assert asked == [("tiny", len(ROWS), {}, False)]
    assert result["program"]["lm"]["model"] == "/artifacts/tiny-1"
    assert ctx.model.requests[-1]["model"] == "/artifacts/tiny-1"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["BootstrapFewShot", "COPRO", "MIPROv2", "GEPA"])
def test_programs_of_other_kinds_learn_as_well(shape, name):
    ctx = OptimizingContext()
    with host_tool(ctx, "look", lambda arguments: "nothing"):
        result = run(ctx, parameters(name, program=SHAPES[shape], options=SMALL[name]))
    assert (result["before"], result["after"]) == (0.0, 100.0)
    assert {**result["program"], "state": None} == {**SHAPES[shape], "state": None}


def test_a_version_that_is_no_better_is_not_written_on_request():
    ctx = OptimizingContext()
    ctx.session.put("qa", {**PROGRAM, "instructions": HINT})
    given = parameters("LabeledFewShot", program="qa", only_if_better=True)
    result = run(ctx, given)
    assert (result["before"], result["after"], result["written"]) == (100.0, 100.0, False)
    assert result["program"] == {"variable": "qa", "version": 1}
    assert len(ctx.session.values["qa"]) == 1


def test_programs_that_fail_on_every_row_end_the_run_with_the_reason():
    ctx = OptimizingContext()

    async def nonsense(request: dict[str, Any], emit: Any) -> Any:
        return "nonsense"

    ctx.session.tools.add("lm", nonsense)
    with pytest.raises(errors.BridgeError, match="cannot be read"):
        run(ctx, parameters("COPRO"))


def test_better_together_runs_its_members_in_order():
    ctx = OptimizingContext()
    options = {
        "optimizers": {
            "p": {"optimizer": "COPRO", "options": {"breadth": 2, "depth": 1}},
            "w": {"optimizer": "BootstrapFinetune"},
        },
        "strategy": "p -> w",
        "valset_ratio": 0.25,
    }
    train = {"kind": "host_tool", "tool": "train"}
    with host_tool(ctx, "train", lambda arguments: "tuned") as asked:
        result = run(ctx, parameters("BetterTogether", options=options, finetune=train))
    assert (result["before"], result["after"]) == (0.0, 100.0)
    assert len(asked) == 1
    bad = {**options, "strategy": "p -> q"}
    with pytest.raises(errors.InvalidArgument, match="no optimizer `q`"):
        run(ctx, parameters("BetterTogether", options=bad, finetune=train))

    def fail(arguments: dict[str, Any]) -> Any:
        raise errors.ToolFailed("the cluster is down")

    with host_tool(ctx, "train", fail), pytest.raises(errors.ToolFailed, match="cluster"):
        run(ctx, parameters("BetterTogether", options=options, finetune=train))


def test_ensemble_and_neighbours_compose_programs():
    ctx = OptimizingContext()
    ctx.session.put("qa", PROGRAM)
    taught = {**PROGRAM, "instructions": HINT}
    result = run(ctx, parameters("Ensemble", program="qa", options={"programs": [taught, taught]}))
    assert (result["before"], result["after"]) == (0.0, 100.0)
    assert ctx.session.values["qa"][1]["module"] == "ensemble"

    def vectors(arguments: dict[str, Any]) -> Any:
        return [[float(len(text)), 1.0] for text in arguments["texts"]]

    for bootstrap in (True, False):
        with host_tool(ctx, "embed", vectors):
            embedder = {"kind": "host_tool", "tool": "embed"}
            options = {"k": 3, "embedder": embedder, "bootstrap": bootstrap}
            result = run(ctx, parameters("KNNFewShot", options=options))
        assert result["before"] < result["after"] == 100.0
        assert result["program"]["programs"] == {"module": PROGRAM}
