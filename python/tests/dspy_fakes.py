"""Stand-ins for the tests of the DSPy adapter: a bridge without a link, and a language model that
follows rules.

The fake bridge answers tool calls in this process with the same objects and errors that the real
one gives. The model reads the prompt that the real DSPy wrote and answers by rules over it; it
knows no question by heart.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from xml.sax.saxutils import escape

from snakepit_bridge.errors import NotFound, OperationCancelled, VersionConflict
from snakepit_bridge.tools import ToolInfo
from snakepit_bridge.variables import Past, Variable

COUNTRIES = {
    "peru": {"capital": "Lima", "population": 34_000_000},
    "japan": {"capital": "Tokyo", "population": 124_000_000},
    "norway": {"capital": "Oslo", "population": 5_500_000},
}


class FakeStream:
    """One streamed tool call; iterates its chunks and then holds `result`."""

    def __init__(self, tools: FakeTools, name: str, args: dict[str, Any]) -> None:
        self._tools, self._name, self._args = tools, name, args
        self._queue: asyncio.Queue[Any] = asyncio.Queue(4)
        self._task: asyncio.Task[Any] | None = None
        self.result: Any = None

    def __aiter__(self) -> FakeStream:
        return self

    async def __anext__(self) -> Any:
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        item = await self._queue.get()
        if item is _END:
            self.result = await self._task
            raise StopAsyncIteration
        return item

    async def _run(self) -> Any:
        try:
            return await self._tools.answer(self._name, self._args, self._queue.put)
        finally:
            await self._queue.put(_END)

    async def aclose(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()


class FakeTools:
    """The tools that a host registered: name -> (description, schema, async function(args,
    emit))."""

    def __init__(self, ctx: FakeContext) -> None:
        self._ctx = ctx
        self._tools: dict[str, tuple[str, dict[str, Any], Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def add(self, name: str, function: Any, description: str = "", schema: Any = None) -> None:
        self._tools[name] = (description, schema or {"type": "object"}, function)

    async def alist(self) -> list[ToolInfo]:
        return [
            ToolInfo(name, description, "session", schema, None)
            for name, (description, schema, _) in self._tools.items()
        ]

    async def acall(self, name: str, args: dict[str, Any], timeout: float | None = None) -> Any:
        return await self.answer(name, args, None)

    def call(self, name: str, args: dict[str, Any], timeout: float | None = None) -> Any:
        return asyncio.run(self.answer(name, args, None))

    def astream(self, name: str, args: dict[str, Any], timeout: float | None = None) -> FakeStream:
        return FakeStream(self, name, args)

    def stream(self, name: str, args: dict[str, Any], timeout: float | None = None) -> Any:
        return _Finished(asyncio.run(_collect(self.astream(name, args, timeout))))

    async def answer(self, name: str, args: dict[str, Any], emit: Any) -> Any:
        if self._ctx.cancelled:
            raise OperationCancelled("cancelled by the test")
        if name not in self._tools:
            raise NotFound(f"host tool `{name}`")
        args = json.loads(json.dumps(args))
        self.calls.append((name, args))
        return await self._tools[name][2](args, emit)


class FakeSession:
    """Tools, and variables with their history."""

    def __init__(self, ctx: FakeContext) -> None:
        self.id = "session-1"
        self.tools = FakeTools(ctx)
        self.values: dict[str, list[Any]] = {}

    def put(self, name: str, value: Any) -> int:
        """A new version of variable `name`."""
        self.values.setdefault(name, []).append(json.loads(json.dumps(value)))
        return len(self.values[name])

    async def aget(self, name: str) -> Any:
        return (await self.avariable(name)).value

    async def avariable(self, name: str) -> Variable:
        past = await self.ahistory(name)
        kind = "program" if isinstance(past[-1].value, dict) else "json"
        return Variable(name, kind, past[-1].value, past[-1].version, {}, {}, id=len(name))

    async def ahistory(self, name: str) -> list[Past]:
        if name not in self.values:
            raise NotFound(f"variable `{name}`")
        copies = json.loads(json.dumps(self.values[name]))
        return [Past(number, value) for number, value in enumerate(copies, start=1)]

    async def aset(
        self, name: str, value: Any, expected_version: int | None = None, owner: str = ""
    ) -> int:
        if expected_version is not None and expected_version != len(self.values[name]):
            raise VersionConflict(f"variable `{name}` is not at version {expected_version}")
        return self.put(name, value)


class FakeContext:
    """A call under way."""

    def __init__(self, stream: bool = False) -> None:
        self.streaming = stream
        self.cancelled = False
        self.ended = False
        self.remaining: float | None = None
        self.session = FakeSession(self)
        self.chunks: list[Any] = []

    def deadline_remaining(self) -> float | None:
        return self.remaining

    async def aemit(self, chunk: Any) -> None:
        self.emit(chunk)

    def emit(self, chunk: Any) -> None:
        self.chunks.append(json.loads(json.dumps(chunk)))


class RuleModel:
    """A host language model: follows the prompt's own list of output fields and its format."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.overrides: dict[str, Any] = {}

    async def __call__(self, request: dict[str, Any], emit: Any) -> Any:
        self.requests.append(request)
        text = self.text(request)
        if emit is not None and request["stream"]:
            for piece in re.findall(r"\S+\s*|\s+", text):
                await emit({"content": piece})
        count = len(text.split())
        usage = {"prompt_tokens": 10, "completion_tokens": count, "total_tokens": 10 + count}
        return {"content": text, "finish_reason": "stop", "usage": usage, "model": "rules-1"}

    def text(self, request: dict[str, Any]) -> str:
        system = request["messages"][0]["content"]
        user = request["messages"][-1]["content"]
        section = system.split("Your output fields are:")[1]
        fields = re.findall(r"^\d+\. `(\w+)` \((.+?)\):?", section, re.M)
        values = [(name, self.value(name, type_, user)) for name, type_ in fields]
        if "[[ ## completed ## ]]" in system:
            body = "\n\n".join(f"[[ ## {name} ## ]]\n{_text(value)}" for name, value in values)
            return body + "\n\n[[ ## completed ## ]]\n"
        if f"<{fields[0][0]}>" in system:
            return "\n".join(
                f"<{name}>\n{escape(_text(value))}\n</{name}>" for name, value in values
            )
        return json.dumps(dict(values))

    def value(self, name: str, type_: str, user: str) -> Any:
        if name in self.overrides:
            return self.overrides[name]
        text = user.lower()
        country = next((name for name in COUNTRIES if name in text), "")
        looked_up = re.findall(r"observation_\d+.*?\n(.*)", text)
        if name == "next_thought":
            return "I have what I need." if looked_up else f"I should look up {country}."
        if name == "next_tool_name":
            return "finish" if looked_up else "lookup"
        if name == "next_tool_args":
            return {} if looked_up else {"country": country}
        if name == "reasoning":
            return f"The question is about {country or 'something else'}."
        if type_.startswith("int"):
            return 42
        if type_.startswith("float"):
            return 0.5
        if type_.startswith("bool"):
            return True
        if type_.startswith("list[int]"):
            return [1, 2]
        if type_.startswith("list"):
            return ["a", "b"]
        if type_.startswith("dict"):
            return {"k": 1}
        return COUNTRIES[country]["capital"] if country else "unknown"


async def lookup(args: dict[str, Any], emit: Any) -> Any:
    return COUNTRIES[args["country"]]


async def _collect(stream: FakeStream) -> tuple[list[Any], Any]:
    return [chunk async for chunk in stream], stream.result


class _Finished:
    """A tool's stream for synchronous code, all of it read beforehand."""

    def __init__(self, collected: tuple[list[Any], Any]) -> None:
        self._chunks, self.result = collected

    def __iter__(self) -> Any:
        return iter(self._chunks)

    def close(self) -> None:
        pass


LOOKUP_SCHEMA = {
    "type": "object",
    "properties": {"country": {"type": "string", "description": "A country's name."}},
    "required": ["country"],
}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_END = object()
