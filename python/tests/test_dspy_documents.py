"""Program documents that are wrong, each refused at its place, and DSPy's own state files in and
out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jsonschema
import pytest

dspy = pytest.importorskip("dspy")

from dspy_fakes import LOOKUP_SCHEMA, FakeContext, lookup  # noqa: E402
from snakepit_bridge.errors import InvalidArgument  # noqa: E402
from snakepit_bridge.frameworks import load  # noqa: E402
from snakepit_bridge.frameworks.dspy.build import build  # noqa: E402
from snakepit_bridge.frameworks.dspy.calls import current_call  # noqa: E402
from snakepit_bridge.frameworks.dspy.documents import DEPTH_MAX, parse  # noqa: E402
from snakepit_bridge.frameworks.dspy.kinds import KINDS  # noqa: E402
from snakepit_bridge.frameworks.dspy.learned import learned, saved, with_state  # noqa: E402

ASK = {"module": "predict", "signature": "question -> answer"}
REWARD = {"kind": "exact_match"}


@pytest.fixture
def ctx() -> FakeContext:
    ctx = FakeContext()
    ctx.session.tools.add("lookup", lookup, "Facts about a country.", LOOKUP_SCHEMA)
    return ctx


def made(document: dict[str, Any], ctx: FakeContext) -> Any:
    return asyncio.run(build(document, ctx))


def best(**options: Any) -> dict[str, Any]:
    return {"module": "best_of_n", "programs": {"module": ASK}, "options": options}


def steps(*all_steps: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {
        "module": "sequence",
        "programs": {"ask": ASK},
        "options": {"steps": list(all_steps), **options},
    }


def output(**field: Any) -> dict[str, Any]:
    fields = [{"name": "q", "kind": "input"}, {"name": "a", "kind": "output", **field}]
    return {"module": "predict", "signature": {"fields": fields}}


WITH = {"program": "ask", "inputs": {"question": "question"}}

WRONG = [
    ({"modul": "predict"}, "program", "no key `modul`, did you mean `module`?"),
    ({"signature": "a -> b"}, "program.module", "missing"),
    ({"module": "predit"}, "program.module", "did you mean `predict`?"),
    ({"module": 7}, "program.module", "7 is not of type 'string'"),
    ({"module": "predict"}, "program.signature", "missing, predict needs one"),
    ({**ASK, "signature": "question"}, "program.signature", "exactly one `->`"),
    ({**ASK, "signature": "q -> a: Path"}, "program.signature", "unknown type `Path`"),
    ({**ASK, "signature": {"feilds": []}}, "program.signature", "key `feilds`"),
    (output(colour=1), "program.signature", "field `a`: key `colour`"),
    (output(type="str", min=1), "program.signature", "min for a type that cannot"),
    (output(pattern="("), "program.signature", "not a regular expression"),
    (output(type="int", max="9"), "program.signature", "max '9', expected a number"),
    (
        {"module": "chain_of_thought", "signature": "q -> reasoning"},
        "program.signature",
        "`reasoning` belongs to chain_of_thought",
    ),
    ({**ASK, "demos": [{}, {"anser": 1}]}, "program.demos[1]", "did you mean `answer`?"),
    ({**ASK, "demos": {}}, "program.demos", "not of type 'array'"),
    ({**ASK, "tools": ["lookup"]}, "program.tools", "predict calls no tools"),
    ({**ASK, "module": "react"}, "program.tools", "missing"),
    ({**ASK, "module": "react", "tools": ["lokup"]}, "program.tools", "no host tool `lokup`"),
    (
        {**ASK, "module": "react", "tools": ["lookup"], "options": {"max_iters": 0}},
        "program.options.max_iters",
        "0 is less than the minimum of 1",
    ),
    (
        {
            **ASK,
            "module": "react",
            "tools": [],
            "demos": [{"answer": "x"}],
            "options": {"native_tool_calls": True},
        },
        "program.demos",
        "expected none with native_tool_calls",
    ),
    ({**ASK, "options": {"n": 1}}, "program.options", "no option of predict `n`"),
    ({**ASK, "lm": {"kind": "ether"}}, "program.lm.kind", "'ether'"),
    ({**ASK, "lm": {"kind": {"variable": "x"}}}, "program.lm.kind", "expected"),
    ({**ASK, "lm": {"kind": "host_tool"}}, "program.lm.tool", "missing"),
    (
        {**ASK, "lm": {"kind": "host_tool", "tool": "lm", "temprature": 1}},
        "program.lm",
        "did you mean `temperature`?",
    ),
    ({**ASK, "config": {"temperature": 3}}, "program.config.temperature", "maximum of 2"),
    ({**ASK, "config": {"top_p": {"variabel": "x"}}}, "program.config.top_p", "not of type"),
    ({**ASK, "adapter": "yaml"}, "program.adapter", "'yaml' is not one of"),
    ({**ASK, "programs": {"a": ASK}}, "program.programs", "expected none"),
    ({"module": "ensemble", "programs": {"a-b": ASK}}, "program.programs", "a-b"),
    ({"module": "ensemble"}, "program.programs", "missing"),
    ({"module": "best_of_n", "programs": {"module": ASK}}, "program.options.reward", "missing"),
    ({"module": "best_of_n"}, "program.programs.module", "missing"),
    (best(reward={"kind": "exct"}), "program.options.reward", "'exct'"),
    (best(reward=REWARD, m=1), "program.options", "no option of best_of_n `m`"),
    (
        {"module": "ensemble", "programs": {"draft": {"module": "predict", "signature": "x"}}},
        "program.programs.draft.signature",
        "exactly one `->`",
    ),
    (
        {"module": "ensemble", "programs": {"a": {**ASK, "adapter": "xml"}}},
        "program.programs.a.adapter",
        "the adapter is that of the whole",
    ),
    (
        {
            "module": "ensemble",
            "programs": {"a": ASK, "b": {**ASK, "signature": "topic -> answer"}},
        },
        "program.programs.b",
        "`topic`, expected those of program `a`: `question`",
    ),
    (
        {
            "module": "ensemble",
            "programs": {"a": ASK, "b": {**ASK, "signature": "question -> anser"}},
        },
        "program.programs.b",
        "no output field `answer`, did you mean `anser`?",
    ),
    (steps({"program": "aks"}), "program.options.steps[0].program", "did you mean `ask`?"),
    (steps({}), "program.options.steps[0]", "exactly one of `program` and `tool`"),
    (steps({"tool": "lookup"}), "program.options.steps[0].tool", "no tool in `tools`"),
    (steps({"program": "ask"}), "program.options.steps[0].inputs", "`question` missing"),
    (steps(WITH, WITH), "program.options.steps[1]", "named twice"),
    (
        steps({"program": "ask", "inputs": {"question": "aks.answer"}}),
        "program.options.steps[0].inputs.question",
        "no step before this one",
    ),
    (
        steps(WITH, outputs={"a": "ask.anwser"}),
        "program.options.outputs.a",
        "did you mean `answer`?",
    ),
    ({"module": "python", "options": {"name": "os"}}, "program.options.name", "`os`"),
    ({**ASK, "state": {"predict": {}}}, "program.state", "no key `predict`"),
    (
        {**ASK, "module": "chain_of_thought", "state": {"self": {}}},
        "program.state",
        "no predictor `self`",
    ),
]


@pytest.mark.parametrize(("document", "place", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_place(ctx, document, place, message):
    with pytest.raises(InvalidArgument) as caught:
        made(document, ctx)
    assert message in caught.value.message
    assert caught.value.details["place"] == place
    assert caught.value.message.startswith("program")
    framework = load("dspy")
    framework.start({})
    verdict = framework.operations()["check_program"].handler(ctx, program=document)
    if "module" in document:
        assert asyncio.run(verdict) == {
            "valid": False,
            "place": place,
            "message": caught.value.message,
        }
    else:
        verdict.close()


def test_a_sequence_takes_what_no_earlier_step_answers():
    draft = {"module": "predict", "signature": "question, hint: str | None -> draft"}
    document = {
        "module": "sequence",
        "programs": {"draft": draft, "question": {**ASK, "signature": "draft -> answer"}},
        "options": {
            "steps": [
                {"program": "draft", "inputs": {"question": "question", "hint": "hint"}},
                {"program": "question", "inputs": {"draft": "draft.draft"}},
            ],
            "outputs": {"answer": "question.answer", "topic": "topic", "whole": "draft"},
        },
    }
    inputs, outputs = parse(document).fields()
    assert inputs == {"question": True, "hint": False, "topic": True}
    assert list(outputs or ()) == ["answer", "topic", "whole"]


def test_programs_within_programs_end_somewhere(ctx):
    document = ASK
    for _ in range(DEPTH_MAX + 1):
        document = {"module": "ensemble", "programs": {"p": document}}
    with pytest.raises(InvalidArgument, match="more than 16 deep"):
        parse(document)


@pytest.mark.parametrize("name", ["predict", "chain_of_thought", "react", "best_of_n", "sequence"])
def test_dspys_own_files_go_in_and_out(ctx, tmp_path, name):
    """What `Module.save` wrote is taken, and what comes out is the same file, byte for byte but
    for the order of keys, which `Module.load` takes again."""
    document = {
        "predict": ASK,
        "chain_of_thought": {**ASK, "module": "chain_of_thought"},
        "react": {**ASK, "module": "react", "tools": ["lookup"]},
        "best_of_n": best(reward=REWARD),
        "sequence": steps(WITH),
    }[name]
    taught = made(document, ctx)
    for predictor in taught.predictors():
        demo = {field: f"some {field}" for field in predictor.signature.fields}
        predictor.demos = [dspy.Example(**demo, augmented=True)]
        predictor.signature = predictor.signature.with_instructions("Think of Peru.")
    file = tmp_path / "learned.json"
    taught.save(file)
    written = json.loads(file.read_bytes())
    stored = with_state(document, made(document, ctx), written)
    again = made(stored, ctx)
    assert saved(again) == written
    assert stored == learned(document, again)
    for predictor in again.predictors():
        assert predictor.signature.instructions == "Think of Peru."
        assert predictor.demos[0]["augmented"] is True
    out = tmp_path / "out.json"
    out.write_text(json.dumps(saved(again)))
    plain = made(document, ctx)
    plain.load(out)
    assert plain.dump_state() == again.dump_state()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.update(other=state["predict"]), "no predictor `other`"),
        (lambda state: state.pop("predict"), "predictor `predict` missing"),
        (lambda state: state["predict"].update(forward=1), "['predict']: no key `forward`"),
        (lambda state: state["predict"].pop("demos"), "['predict'].demos: missing"),
        (
            lambda state: state["predict"].update(demos=[1]),
            "['predict'].demos[0]: 1 is not of type",
        ),
        (
            lambda state: state["predict"]["signature"]["fields"].pop(),
            "['predict'].signature.fields: 2 fields, expected 3: `question`, `reasoning`, `answer`",
        ),
        (
            lambda state: state["predict"]["signature"]["fields"][0].update(prefix="Topic:"),
            "prefix 'Topic:' where field `question` stands",
        ),
        (
            lambda state: state["predict"]["signature"].update(instructions=None),
            "instructions: None is not of type 'string'",
        ),
    ],
)
def test_a_state_of_another_program_is_refused_by_name(ctx, change, message):
    document = {**ASK, "module": "chain_of_thought"}
    state = saved(made(document, ctx))
    change(state)
    with pytest.raises(InvalidArgument) as caught:
        with_state(document, made(document, ctx), state)
    assert message in caught.value.message


def test_a_language_model_in_a_state_is_left_out(ctx):
    module = dspy.Predict("question -> answer")
    module.lm = dspy.LM("openai/gpt-4o-mini", api_base="http://elsewhere", cache=False)
    stored = with_state(ASK, made(ASK, ctx), module.dump_state())
    assert "elsewhere" not in json.dumps(stored) and stored["state"]["lm"] is None
    assert made(stored, ctx).lm is None


def test_each_kind_describes_itself(ctx):
    framework = load("dspy")
    framework.start({})
    told = asyncio.run(framework.operations()["program_kinds"].handler(ctx))
    assert json.loads(json.dumps(told)) == told
    assert list(told["kinds"]) == list(KINDS)
    for name, kind in told["kinds"].items():
        jsonschema.Draft202012Validator.check_schema(kind["options"])
        assert kind["doc"] and set(kind["options"]["required"]) <= set(KINDS[name].options)


def test_a_module_knows_its_call_only_while_one_runs():
    from snakepit_bridge.errors import StateError

    with pytest.raises(StateError, match="no bridge call is running"):
        current_call()
