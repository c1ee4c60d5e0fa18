"""The language model and the atlas of the C example, compiled, under the real DSPy and a fake
bridge.

`make demo` runs the whole example; this finds out without a worker when DSPy writes its prompts in
a way that the rules in C no longer read.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest

pytest.importorskip("dspy")

from dspy_fakes import FakeContext  # noqa: E402
from snakepit_bridge.errors import ToolFailed  # noqa: E402
from snakepit_bridge.frameworks import load  # noqa: E402

EXAMPLES = pathlib.Path(__file__).parents[2] / "bindings" / "c" / "examples"
SHIM = """
#include "atlas.h"
#include "model.h"
char *ask_model(const char *json)
{
    struct text out = {0}, wanted = {0};
    cJSON *request = cJSON_Parse(json);
    bool readable = model_answer(request, &out, &wanted);
    cJSON_Delete(request);
    text_free(&wanted);
    return readable ? out.ptr : NULL;
}
bool ask_atlas(const char *json, struct text *out) { return atlas_lookup(json, out); }
const char *ask_schema(void) { return ATLAS_SCHEMA; }
const char *ask_description(void) { return ATLAS_DESCRIPTION; }
"""


class Text(ctypes.Structure):
    _fields_ = [
        ("ptr", ctypes.c_char_p),
        ("len", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
    ]


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Any:
    if shutil.which("cc") is None or not pathlib.Path("/usr/include/cjson/cJSON.h").exists():
        pytest.skip("no C compiler or no libcjson-dev")
    directory = tmp_path_factory.mktemp("model")
    (directory / "shim.c").write_text(SHIM)
    sources = [EXAMPLES / f"{name}.c" for name in ("text", "atlas", "prompt", "findings", "model")]
    built = directory / "model.so"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    command = ["cc", *flags, "-shared", "-fPIC", f"-I{EXAMPLES}", directory / "shim.c"]
    subprocess.run([*command, *sources, "-lcjson", "-o", built], check=True, timeout=60)
    library = ctypes.CDLL(str(built))
    for name in ("ask_model", "ask_schema", "ask_description"):
        getattr(library, name).restype = ctypes.c_char_p
    library.ask_atlas.restype = ctypes.c_bool
    return library


def context(library: Any) -> FakeContext:
    async def model(request: dict[str, Any], emit: Any) -> Any:
        text = library.ask_model(json.dumps(request).encode()).decode()
        for piece in re.findall(r"[^ \n]*[ \n]+", text) if request["stream"] else ():
            await emit(piece)
        return {"content": text, "model": "rules"}

    async def atlas(arguments: dict[str, Any], emit: Any) -> Any:
        text = Text()
        known = library.ask_atlas(json.dumps(arguments).encode(), ctypes.byref(text))
        if not known:
            raise ToolFailed(text.ptr.decode())
        return json.loads(text.ptr)

    ctx = FakeContext(stream=True)
    ctx.session.tools.add("model", model)
    description, schema = library.ask_description().decode(), json.loads(library.ask_schema())
    ctx.session.tools.add("lookup", atlas, description, schema)
    return ctx


def run(ctx: FakeContext, operation: str, **parameters: Any) -> dict[str, Any]:
    framework = load("dspy")
    framework.start({})
    parameters["lm"] = {"kind": "host_tool", "tool": "model"}
    handler = framework.operations()[operation].handler
    return asyncio.run(asyncio.wait_for(handler(ctx, **parameters), 20))


@pytest.mark.parametrize(
    ("question", "answer", "lookups"),
    [
        (
            "What is the capital of Peru, and which currency is used there?",
            "The capital of Peru is Lima, and the currency of Peru is the sol.",
            [("Peru", "capital"), ("Peru", "currency")],
        ),
        (
            "Do more people live in Norway or in New Zealand?",
            "It is Norway: Norway has 5,550,000 inhabitants, "
            "and New Zealand has 5,200,000 inhabitants.",
            [("Norway", "population"), ("New Zealand", "population")],
        ),
        (
            "Which language is spoken in Atlantis?",
            "The atlas does not know the language of Atlantis.",
            [("Atlantis", "language")],
        ),
        ("Why is the sky blue?", "I do not know.", []),
    ],
)
def test_the_agent_answers_by_looking_up(library, question, answer, lookups):
    ctx = context(library)
    parameters = {"signature": "question -> answer", "inputs": {"question": question}}
    result = run(ctx, "react", tools=["lookup"], **parameters)
    assert result["outputs"]["answer"] == answer
    steps = [step["arguments"] for step in result["trajectory"][:-1]]
    assert [(step["country"], step["fact"]) for step in steps] == lookups
    tokens = [chunk["text"] for chunk in ctx.chunks if chunk.get("field") == "answer"]
    assert "".join(tokens) == answer and len(tokens) > 1


def test_the_model_tells_notes_as_a_paragraph(library):
    fields = [
        {"name": "notes", "kind": "input", "type": "list[str]"},
        {"name": "paragraph", "kind": "output"},
    ]
    signature = {"instructions": "Tell the notes as one short paragraph.", "fields": fields}
    inputs = {"notes": ["One is odd.", "Two is even.", "Three is odd."]}
    result = run(context(library), "chain_of_thought", signature=signature, inputs=inputs)
    paragraph = "First: One is odd. Next: Two is even. Finally: Three is odd."
    assert result["outputs"]["paragraph"] == paragraph


def test_the_model_refuses_what_it_cannot_read(library):
    assert library.ask_model(b"{}") is None
    assert library.ask_model(b'{"messages":[{"role":"user","content":"hello"}]}') is None
