"""Examples from documents: inline rows, rows in a variable, and each refusal by row and field."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

dspy = pytest.importorskip("dspy")

from snakepit_bridge.errors import InvalidArgument, NotFound  # noqa: E402
from snakepit_bridge.frameworks.dspy.data import aload_examples, load_examples  # noqa: E402
from snakepit_bridge.variables import Past  # noqa: E402


class Session:
    """A session with one variable, `rows`, at version 3."""

    def __init__(self, *versions: Any) -> None:
        self._versions = versions

    def get(self, name: str) -> Any:
        if name != "rows":
            raise NotFound(f"variable `{name}`")
        return self._versions[-1]

    def history(self, name: str) -> list[Past]:
        return [Past(version, value) for version, value in enumerate(self._versions, start=1)]

    async def aget(self, name: str) -> Any:
        return self.get(name)

    async def ahistory(self, name: str) -> list[Past]:
        return self.history(name)


class Context:
    def __init__(self, *versions: Any) -> None:
        self.session = Session(*versions)


ROWS = [{"question": "?", "answer": 1}, {"question": "!", "answer": 2, "base": "x"}]


def test_rows_become_examples_with_inputs_and_labels() -> None:
    first, second = load_examples(ROWS, Context(), ["question"])
    assert first.inputs().toDict() == {"question": "?"}
    assert second.labels().toDict() == {"answer": 2, "base": "x"}
    assert isinstance(first, dspy.Example) and first == dspy.Example(ROWS[0])


def test_rows_come_from_a_variable_at_a_version() -> None:
    ctx = Context([ROWS[0]], ROWS)
    assert len(load_examples({"variable": "rows"}, ctx, ["question"])) == 2
    assert len(load_examples({"variable": "rows", "version": 1}, ctx, ["question"])) == 1
    awaited = asyncio.run(aload_examples({"variable": "rows", "version": 1}, ctx, ["question"]))
    assert awaited[0].inputs().toDict() == {"question": "?"}
    with pytest.raises(NotFound, match=r"has no version 9, kept are 1, 2"):
        load_examples({"variable": "rows", "version": 9}, ctx, ["question"])


def test_the_document_may_say_what_is_an_input() -> None:
    (first, _) = load_examples({"rows": ROWS, "inputs": ["answer"]}, Context(), None)
    assert first.inputs().toDict() == {"answer": 1}
    (first, _) = load_examples(ROWS, Context(), None)
    assert set(first.inputs().keys()) == {"question", "answer"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "data without rows, expected at least one"),
        ("rows", "data is a string, expected an array of objects"),
        ([{"question": "?"}, 7], r"data\[1\] is an integer, expected an object"),
        ([{"question": "?"}, {"q": "?"}], r"data\[1\]: field `question` missing"),
        ({"rows": [], "variable": "x"}, "data, expected exactly one of `rows` and `variable`"),
        ({"variabel": "x"}, "data.variabel, expected one of `rows`"),
        ({"variable": 3}, "data.variable is an integer, expected the name"),
        ({"variable": "rows", "version": True}, "data.version is a boolean, expected an integer"),
        ({"variable": "rows"}, r"data \(variable `rows`\)\[0\] is null, expected an object"),
    ],
)
def test_bad_data_is_refused_by_its_place(document: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        load_examples(document, Context([None]), ["question"])


def test_an_optional_input_may_be_missing() -> None:
    (only,) = load_examples([{"a": 1}], Context(), ["a", "b"], optional={"b"})
    assert only.inputs().toDict() == {"a": 1}


def test_fifty_thousand_rows_are_read_in_one_go() -> None:
    rows = [{"question": f"q{n}", "answer": n} for n in range(50_000)]
    loaded = load_examples({"variable": "rows"}, Context(rows), ["question"])
    assert len(loaded) == 50_000 and sum(each.answer for each in loaded) == sum(range(50_000))
    assert loaded[-1].inputs().toDict() == {"question": "q49999"}
