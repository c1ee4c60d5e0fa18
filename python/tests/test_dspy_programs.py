"""Program documents with the real DSPy: each kind is built and run, by document and by name, with a
fake bridge and a rule-based host language model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

dspy = pytest.importorskip("dspy")

from dspy_fakes import LOOKUP_SCHEMA, FakeContext, RuleModel, lookup  # noqa: E402
from snakepit_bridge.errors import (  # noqa: E402
    BridgeError,
    ConstraintViolation,
    InvalidArgument,
    NotFound,
    ToolFailed,
    TypeMismatch,
    Unavailable,
    Unsupported,
    VersionConflict,
)
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


def test_a_program_runs_by_name_and_by_version(framework, ctx):
    session = ctx.session
    session.put("qa", PREDICT)
    session.put("qa", {**PREDICT, "instructions": "Answer in capitals."})
    newest = run(framework, ctx, "qa")
    assert newest["program"] == {"variable": "qa", "version": 2}
    assert "Answer in capitals." in ctx.model.requests[-1]["messages"][0]["content"]
    pinned = run(framework, ctx, {"variable": "qa", "version": 1})
    assert pinned["program"]["version"] == 1
    assert "Answer in capitals." not in ctx.model.requests[-1]["messages"][0]["content"]
    assert "program" not in run(framework, ctx, PREDICT)
    with pytest.raises(NotFound, match="no version 7, kept are 1, 2"):
        run(framework, ctx, {"variable": "qa", "version": 7})
    with pytest.raises(NotFound, match="nobody"):
        run(framework, ctx, "nobody")
    session.put("rows", [1])
    with pytest.raises(TypeMismatch, match="`rows` of type json, expected a program document"):
        run(framework, ctx, "rows")


def test_bound_settings_are_read_at_each_run(framework, ctx):
    ctx.session.put("heat", 0.25)
    ctx.session.put("longest", 90)
    document = {
        **PREDICT,
        "lm": {**HOST, "temperature": {"variable": "heat"}},
        "config": {"max_tokens": {"variable": "longest"}},
    }
    run(framework, ctx, document, lm=None)
    ctx.session.put("heat", 0.75)
    ctx.session.put("longest", 91)
    run(framework, ctx, document, lm=None)
    asked = [(each["temperature"], each["max_tokens"]) for each in ctx.model.requests]
    assert asked == [(0.25, 90), (0.75, 91)]
    run(framework, ctx, document, config={"max_tokens": 5})
    assert "temperature" not in ctx.model.requests[-1], "the lm of a call takes its whole place"
    assert ctx.model.requests[-1]["max_tokens"] == 5
    ctx.session.put("heat", "hot")
    missing = {"top_p": {"variable": "nope"}}
    expected = r"program.lm.temperature \(variable `heat`\): 'hot' is not of type 'number'"
    with pytest.raises(TypeMismatch, match=expected):
        run(framework, ctx, document, lm=None)
    verdict = call(framework, "check_program", ctx, program={**PREDICT, "config": missing})
    assert verdict["place"] == "program.config.top_p" and "`nope`" in verdict["message"]
    with pytest.raises(NotFound, match="nobody"):
        call(framework, "check_program", ctx, program="nobody")
    with pytest.raises(InvalidArgument, match="lm missing"):
        run(framework, ctx, PREDICT, lm=None)


def test_settings_go_down_to_sub_programs_which_may_have_their_own(framework, ctx):
    ctx.session.put("cold", 0.0)
    ctx.session.tools.add("small", ctx.model)
    own = {"kind": "host_tool", "tool": "small", "model": "small"}
    document = {
        "module": "ensemble",
        "config": {"max_tokens": 7, "temperature": 0.5},
        "programs": {
            "a": {**PREDICT, "lm": own, "config": {"temperature": {"variable": "cold"}}},
            "b": PREDICT,
        },
    }
    for _ in range(2):
        run(framework, ctx, document)
    seen = {(each["model"], each["temperature"], each["max_tokens"]) for each in ctx.model.requests}
    assert seen == {("small", 0.0, 7), ("default", 0.5, 7)}


def test_a_kept_module_holds_nothing_of_the_call_before(framework):
    """One object serves all these calls: each has its own model, tools and inputs, at once."""

    async def scenario() -> None:
        contexts = [context() for _ in range(8)]
        handler = framework.operations()["run"].handler

        async def one(number: int, ctx: FakeContext) -> Any:
            async def found(args: Any, emit: Any) -> Any:
                await asyncio.sleep(0)
                return f"observed by {number}"

            ctx.session.tools.add("lookup", found, "Facts about a country.", LOOKUP_SCHEMA)
            ctx.model.overrides["answer"] = f"answer {number}"
            return await handler(
                ctx, program=KINDS["react"], inputs={"question": f"Peru? {number}"}, lm=HOST
            )

        results = await asyncio.gather(*(one(n, ctx) for n, ctx in enumerate(contexts)))
        for number, result in enumerate(results):
            assert result["outputs"]["answer"] == f"answer {number}"
            assert result["trajectory"][0]["observation"] == f"observed by {number}"
            assert result["lm_calls"] == 3
        for number, ctx in enumerate(contexts):
            asked = json.dumps(ctx.model.requests)
            others = [n for n in range(8) if n != number]
            assert not any(f"observed by {n}" in asked or f"Peru? {n}" in asked for n in others)

    asyncio.run(scenario())


def test_the_cache_keeps_what_is_the_same_and_is_bounded(framework, ctx, monkeypatch):
    made = []
    real = dspy.Predict.__init__

    def counted(self: Any, *args: Any, **more: Any) -> None:
        made.append(self)
        real(self, *args, **more)

    monkeypatch.setattr(dspy.Predict, "__init__", counted)
    for _ in range(5):
        run(framework, ctx, PREDICT)
    assert len(made) == 1
    cache = framework.runner._cache
    for number in range(cache._entries_max + 10):
        document = {**PREDICT, "instructions": f"Number {number}."}
        cache.program(document, "program")
    assert len(cache._entries) == cache._entries_max


def test_a_reward_that_fails_ends_the_call_with_its_own_status(framework, ctx):
    async def judge(args: Any, emit: Any) -> Any:
        raise ToolFailed("the judge is ill", details={"since": "monday"})

    ctx.session.tools.add("judge", judge)
    with pytest.raises(ToolFailed, match="the judge is ill") as caught:
        run(framework, ctx, KINDS["best_of_n"])
    assert caught.value.details["since"] == "monday"
    assert len(ctx.model.requests) == 1


def test_a_model_that_fails_each_attempt_is_the_failure_of_the_whole(framework, ctx):
    async def broken(args: Any, emit: Any) -> Any:
        raise ToolFailed("no model today")

    ctx.session.tools.add("lm", broken)
    for name in ("best_of_n", "refine"):
        with pytest.raises(BridgeError, match="no model today"):
            run(framework, ctx, KINDS[name])


def test_the_best_of_several_runs_is_chosen(framework, ctx):
    answers = iter(["bad", "good", "never asked"])
    rewards = {"bad": 0.1, "good": 0.9}

    async def model(request: Any, emit: Any) -> Any:
        assert request["temperature"] == 1.0
        return f"[[ ## answer ## ]]\n{next(answers)}\n\n[[ ## completed ## ]]"

    async def judge(args: Any, emit: Any) -> Any:
        assert args["example"] == ASK
        return rewards[args["prediction"]["answer"]]

    ctx.session.tools.add("lm", model)
    ctx.session.tools.add("judge", judge)
    document = json.loads(json.dumps(KINDS["best_of_n"]))
    document["options"].update(n=3, threshold=0.8)
    assert run(framework, ctx, document)["outputs"] == {"answer": "good"}


def test_neighbours_are_the_demos_and_are_embedded_once(framework, ctx):
    asked: list[str] = []

    async def embed(args: Any, emit: Any) -> Any:
        asked.extend(args["texts"])
        return [[float("pan" in text), float("way" in text)] for text in args["texts"]]

    ctx.session.tools.add("embed", embed)
    rows = KINDS["knn_few_shot"]["options"]["data"]
    ctx.session.put("rows", rows)
    document = json.loads(json.dumps(KINDS["knn_few_shot"]))
    document["options"]["data"] = {"variable": "rows"}
    for question, demo in (("Japan, again?", "Tokyo"), ("Norway, again?", "Oslo")):
        parameters = {"program": document, "inputs": {"question": question}, "lm": HOST}
        call(framework, "run", ctx, **parameters)
        shown = ctx.model.requests[-1]["messages"][2]["content"]
        assert demo in shown and len(ctx.model.requests[-1]["messages"]) == 4
    assert len(asked) == 4, "two rows once, and each question"
    ctx.session.put("rows", rows[:1])
    call(framework, "run", ctx, **parameters)
    assert "Tokyo" in ctx.model.requests[-1]["messages"][2]["content"]


def test_neighbours_may_be_worked_out_first(framework, ctx):
    async def embed(args: Any, emit: Any) -> Any:
        return [[float("pan" in text), float("way" in text)] for text in args["texts"]]

    ctx.session.tools.add("embed", embed)
    document = json.loads(json.dumps(KINDS["knn_few_shot"]))
    document["programs"]["module"]["module"] = "chain_of_thought"
    document["options"]["bootstrap"] = {"max_bootstrapped_demos": 1}
    inputs = {"question": "Japan, again?"}
    result = call(framework, "run", ctx, program=document, inputs=inputs, lm=HOST)
    assert result["outputs"]["answer"] == "Tokyo"
    first, last = ctx.model.requests
    assert "capital of Japan?" in first["messages"][-1]["content"]
    assert "The question is about japan." in last["messages"][2]["content"], "its own reasoning"


def test_many_runs_of_one_program_at_once_do_not_count_each_others_failures(framework):
    async def scenario() -> None:
        ctx = context()
        begun = 0

        async def model(request: Any, emit: Any) -> Any:
            nonlocal begun
            begun += 1
            await asyncio.sleep(0)
            if begun % 2:
                raise ToolFailed("every second one")
            return ctx.model.text(request)

        async def judge(args: Any, emit: Any) -> Any:
            return 1

        ctx.session.tools.add("lm", model)
        ctx.session.tools.add("judge", judge)
        document = json.loads(json.dumps(KINDS["best_of_n"]))
        document["options"]["n"] = 50
        handler = framework.operations()["run"].handler
        calls = [handler(ctx, program=document, inputs=ASK, lm=HOST) for _ in range(10)]
        for result in await asyncio.gather(*calls):
            assert result["outputs"]["answer"] == "Lima"

    asyncio.run(scenario())


def test_code_runs_only_where_the_configuration_says_so(framework, ctx):
    document = {"module": "program_of_thought", "signature": "question -> answer"}
    with pytest.raises(Unsupported, match=r'off: turn it on with the option \{"interpreter"'):
        run(framework, ctx, document)
    assert ctx.model.requests == []
    ctx.model.overrides["generated_code"] = "SUBMIT({'answer': 'Li' + 'ma'})"
    result = run(started({"interpreter": "local"}), ctx, document)
    assert result["outputs"]["answer"] == "Lima" and result["lm_calls"] == 2
    assert '"Lima"' in ctx.model.requests[-1]["messages"][-1]["content"]
    with pytest.raises(ValueError, match="interpreter is 'wasm', expected one of"):
        started({"interpreter": "wasm"})


def test_code_reaches_host_tools_as_functions(ctx):
    document = {"module": "code_act", "signature": "question -> answer", "tools": ["lookup"]}
    ctx.model.overrides["generated_code"] = "print(lookup('peru')['capital'].upper())"
    ctx.model.overrides["finished"] = True
    result = run(started({"interpreter": "local"}), ctx, document)
    assert "LIMA" in result["trajectory"][0]["observation"]
    assert ("lookup", {"country": "peru"}) in ctx.session.tools.calls


def test_code_that_runs_ends_with_its_call(ctx):
    """Its process is gone soon, although nothing of it would ever ask the host again."""
    document = {"module": "code_act", "signature": "question -> answer", "tools": ["lookup"]}
    code = "import os, time; print(lookup('peru')); lookup(str(os.getpid())); time.sleep(600)"
    ctx.model.overrides["generated_code"] = code
    pids: list[int] = []

    async def scenario() -> None:
        inside = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def told(args: Any, emit: Any) -> Any:
            if args["country"].isdigit():
                pids.append(int(args["country"]))
                loop.call_soon_threadsafe(inside.set)
            return "noted"

        ctx.session.tools.add("lookup", told, "Facts.", LOOKUP_SCHEMA)
        handler = started({"interpreter": "local"}).operations()["run"].handler
        task = asyncio.ensure_future(handler(ctx, program=document, inputs=ASK, lm=HOST))
        await asyncio.wait_for(inside.wait(), 20)
        ctx.cancelled = True
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone(), 20)

    async def gone() -> None:
        while Path(f"/proc/{pids[0]}").exists():
            await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_native_tool_calls_are_the_models_own(framework, ctx):
    answers = iter([("lookup", {"country": "peru"}), ("submit", {"answer": "Lima"})])
    seen: list[Any] = []

    async def model(request: Any, emit: Any) -> Any:
        seen.append(request)
        name, arguments = next(answers)
        function = {"name": name, "arguments": json.dumps(arguments)}
        return {"tool_calls": [{"id": f"c-{name}", "type": "function", "function": function}]}

    ctx.session.tools.add("lm", model)
    document = {**KINDS["react"], "options": {"native_tool_calls": True}}
    with pytest.raises(InvalidArgument, match=r'lm.supports without "tools"'):
        run(framework, ctx, document)
    result = run(framework, ctx, document, lm={**HOST, "supports": ["tools"]})
    assert result["outputs"] == {"answer": "Lima"}
    assert [step["tool"] for step in result["trajectory"]] == ["lookup", "submit"]
    assert result["trajectory"][0]["observation"]["capital"] == "Lima"
    offered = [tool["function"]["name"] for tool in seen[0]["tools"]]
    assert offered == ["lookup", "submit"]
    assert "tool" in [message["role"] for message in seen[1]["messages"]]


def test_constraints_are_told_to_the_model_and_checked(framework, ctx):
    fields = [
        {"name": "question", "kind": "input"},
        {"name": "n", "kind": "output", "type": "int", "min": 1, "max": 40},
        {"name": "code", "kind": "output", "pattern": "^[A-Z]{2}$"},
    ]
    document = {"module": "predict", "signature": {"fields": fields}}
    ctx.model.overrides.update(n=7, code="PE")
    assert run(framework, ctx, document)["outputs"] == {"n": 7, "code": "PE"}
    system = ctx.model.requests[0]["messages"][0]["content"]
    assert "less than or equal to: 40" in system and "^[A-Z]{2}$" in system
    ctx.model.overrides["n"] = 41
    with pytest.raises(ConstraintViolation, match="`n`: .* less than or equal to 40.* 41"):
        run(framework, ctx, document)
    ctx.model.overrides.update(n=7, code="Peru")
    with pytest.raises(ConstraintViolation, match="`code`"):
        run(framework, ctx, document)


def test_what_a_tool_answers_without_a_wanted_field_is_refused_by_name(framework, ctx):
    document = json.loads(json.dumps(KINDS["sequence"]))
    document["options"]["outputs"] = {"answer": "facts.colour"}
    with pytest.raises(InvalidArgument, match="step facts: answered without `colour`"):
        run(framework, ctx, document)


def test_a_later_step_may_take_the_whole_answer_of_an_earlier_one(framework, ctx):
    async def keep(args: Any, emit: Any) -> Any:
        return args["all"]

    schema = {"type": "object", "properties": {"all": {"type": "object"}}}
    ctx.session.tools.add("keep", keep, "Keeps.", schema)
    document = {
        "module": "sequence",
        "tools": ["keep"],
        "programs": {"draft": KINDS["chain_of_thought"]},
        "options": {
            "steps": [
                {"program": "draft", "inputs": {"question": "question"}},
                {"tool": "keep", "inputs": {"all": "draft"}},
            ],
        },
    }
    kept = run(framework, ctx, document)["outputs"]["result"]
    assert kept == {"reasoning": "The question is about peru.", "answer": "Lima"}


def test_a_tool_that_fails_in_a_sequence_ends_it_with_the_tools_own_status(framework, ctx):
    async def closed(args: Any, emit: Any) -> Any:
        raise Unavailable("the atlas is closed", details={"opens": "monday"})

    ctx.session.tools.add("lookup", closed, "Facts.", LOOKUP_SCHEMA)
    with pytest.raises(Unavailable, match="the atlas is closed") as caught:
        run(framework, ctx, KINDS["sequence"])
    assert caught.value.details == {"opens": "monday"} and ctx.model.requests == []


def test_the_write_of_a_state_is_a_version_of_its_variable(framework, ctx):
    ctx.session.put("qa", KINDS["chain_of_thought"])
    module = dspy.ChainOfThought("question -> answer")
    module.predict.demos = [dspy.Example(question="2+2?", reasoning="Sums.", answer="4")]
    state = module.dump_state()
    written = call(framework, "load_state", ctx, program="qa", state=state)
    assert written == {"program": {"variable": "qa", "version": 2}}
    told = call(framework, "describe_program", ctx, program="qa")
    assert told["learned"] and told["predictors"][0]["demos"] == 1
    assert not call(framework, "describe_program", ctx, program={"variable": "qa", "version": 1})[
        "learned"
    ]
    run(framework, ctx, "qa")
    assert "2+2?" in ctx.model.requests[-1]["messages"][1]["content"]
    with pytest.raises(VersionConflict):
        call(framework, "load_state", ctx, program="qa", state=state, expected_version=1)
