"""Stand-ins for the tests of the LangChain adapter: a session whose variables lie in this process,
and a chat model that follows rules.

The variables answer with the objects and errors that the real session gives, for the verbs that the
adapter uses. Tools come from `dspy_fakes`. Whatever is written is encoded and decoded as on its way
to the host.
"""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

from dspy_fakes import FakeContext as ToolContext
from snakepit_bridge.context import CURRENT
from snakepit_bridge.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    ToolFailed,
    VersionConflict,
)
from snakepit_bridge.values import decode, encode
from snakepit_bridge.variables import Past, Variable

HOST = {"kind": "host_tool", "tool": "lm"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


class FakeVariables:
    """The variable verbs of a session, blocking."""

    def __init__(self) -> None:
        self.kept: dict[str, list[tuple[bytes, list[Any]]]] = {}
        self.types: dict[str, str] = {}

    def register(self, name: str, type: str, initial: Any) -> Variable:
        if not NAME.fullmatch(name):
            raise InvalidArgument(f"variable name {name!r}")
        if name in self.kept:
            raise AlreadyExists(f"variable {name!r}")
        self.types[name] = type
        self.kept[name] = [encode(initial)]
        return self.variable(name)

    def get(self, name: str) -> Any:
        if name not in self.kept:
            raise NotFound(f"no variable {name!r}")
        return decode(*self.kept[name][-1])

    def variable(self, name: str) -> Variable:
        value = self.get(name)
        return Variable(name, self.types[name], value, len(self.kept[name]), {}, {})

    def get_many(self, names: list[str]) -> dict[str, Any]:
        assert len(names) <= 1000
        return {name: self.get(name) for name in names if name in self.kept}

    def set(self, name: str, value: Any, expected_version: int | None = None) -> int:
        version = self.variable(name).version
        if expected_version not in (None, version):
            raise VersionConflict(f"variable {name!r} is at {version}")
        self.kept[name].append(encode(value))
        return version + 1

    def update(self, name: str, **change: Any) -> Any:
        ((verb, by),) = change.items()
        value = self.get(name)
        if verb == "extend":
            value = value + by
        else:
            assert [each["path"] for each in by] == ["/ids/-"], by
            value["ids"].append(by[0]["value"])
        self.set(name, value)
        return self.get(name)

    def delete(self, name: str) -> None:
        self.get(name)
        del self.kept[name]

    def list(self, pattern: str = "", after: str = "", limit: int = 0) -> list[Variable]:
        found = [name for name in sorted(self.kept) if fnmatch.fnmatchcase(name, pattern or "*")]
        return [self.variable(name) for name in (found[:limit] if limit else found)]

    def history(self, name: str) -> list[Past]:
        self.get(name)
        return [Past(at, decode(*kept)) for at, kept in enumerate(self.kept[name], start=1)]


class FakeSession(FakeVariables):
    """Those, their awaitable twins, and tools."""

    def __init__(self, tools: Any) -> None:
        super().__init__()
        self.tools = tools

    def __getattr__(self, name: str) -> Any:
        verb = getattr(FakeVariables, name.removeprefix("a"), None)
        if not name.startswith("a") or verb is None:
            raise AttributeError(name)

        async def twin(*args: Any, **kwargs: Any) -> Any:
            return verb(self, *args, **kwargs)

        return twin


class FakeContext(ToolContext):
    """A call under way, current where it was made."""

    def __init__(self, stream: bool = False) -> None:
        super().__init__(stream)
        self.session = FakeSession(self.session.tools)
        self.model = RuleModel()
        self.session.tools.add("lm", self.model)
        CURRENT.set(self)

    def check_cancelled(self) -> None:
        """Nothing cancels these calls."""


class RuleModel:
    """A chat model: calls the first tool it is given once, then says what it heard. `script` has
    answers, or errors, that come first."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.script: list[Any] = []

    async def __call__(self, request: dict[str, Any], emit: Any) -> Any:
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            answer = {"content": answer}
        if emit is not None and request["stream"]:
            for piece in re.findall(r"\S+\s*", answer.get("content") or ""):
                await emit({"content": piece})
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        return {"usage": usage, **answer}

    def answer(self, request: dict[str, Any]) -> Any:
        last = request["messages"][-1]
        if last["role"] == "tool":
            return f"it says {last['content']}"
        if request.get("tools"):
            function = request["tools"][0]["function"]
            arguments = {name: last["content"] for name in function["parameters"]["properties"]}
            return {"content": None, "tool_calls": [call("c1", function["name"], arguments)]}
        return f"you said {last['content']}"


def call(id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A tool call as a model writes it."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": id, "type": "function", "function": function}


async def weather(args: dict[str, Any], emit: Any) -> Any:
    """A tool that knows one city."""
    if args["city"] == "Bern":
        return {"sky": "clear"}
    raise ToolFailed("no such city", details={"city": args["city"]})


WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "A city's name."}},
    "required": ["city"],
}
