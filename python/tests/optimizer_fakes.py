"""A call that optimizes, without a link: variables that can be locked, and a model that learns.

The model writes a word backwards once its prompt shows how (a demonstration, or an instruction that
says so), and "unknown" otherwise; asked for an instruction, a rule or advice, it knows the right
one. So a program gets better exactly when an optimizer works.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from dspy_fakes import FakeContext, FakeSession, RuleModel
from snakepit_bridge.errors import Busy, OperationCancelled
from snakepit_bridge.variables import Variable

_WORDS = "amber bridge candle dragon ember forest garden harbor island jungle kettle ladder"
ROWS = [{"word": word, "answer": word[::-1]} for word in _WORDS.split()]
PROGRAM = {"module": "predict", "signature": "word -> answer"}
HINT = "Write the word backwards."


class Pupil(RuleModel):
    """The model. `fickle`: untaught, it is right now and then when the temperature is above 0."""

    def __init__(self, fickle: bool = False) -> None:
        super().__init__()
        self.fickle = fickle
        self.lucky = 0

    def text(self, request: dict[str, Any]) -> str:
        self._request = request
        if "Your output fields are:" not in request["messages"][0]["content"]:
            return f"```\n{HINT}\n```"
        return super().text(request)

    def value(self, name: str, type_: str, user: str) -> Any:
        if name == "answer":
            return self._answer(user)
        if name == "module_advice":
            return {"self": HINT}
        if name == "discussion":
            return "It did not know what to do."
        if name == "next_tool_name":
            return "finish"
        if name == "next_tool_args":
            return {}
        return HINT

    def _answer(self, user: str) -> str:
        word = user.split("[[ ## word ## ]]")[-1].split()[0]
        messages = self._request["messages"]
        shown = any("[[ ## answer ## ]]" in each["content"] for each in messages[1:-1])
        told = HINT in messages[0]["content"]
        self.lucky += 1
        lucky = self.fickle and self._request.get("temperature") and self.lucky % 3 == 0
        return word[::-1] if shown or told or lucky else "unknown"


class FakeLock:
    """A lock as the session gives it."""

    def __init__(self, session: LockableSession, name: str, owner: str) -> None:
        self._session, self.name, self.owner = session, name, owner

    async def arefresh(self) -> Variable:
        holder = self._session.locks.setdefault(self.name, self.owner)
        if holder != self.owner:
            raise Busy(f"variable `{self.name}` is locked", details={"owner": holder})
        self._session.owners.append(self.owner)
        return await self._session.avariable(self.name)

    async def aset(self, value: Any, expected_version: int | None = None) -> int:
        return await self._session.aset(self.name, value, expected_version, self.owner)

    async def __aexit__(self, *_: object) -> None:
        if self._session.locks.get(self.name) == self.owner:
            del self._session.locks[self.name]


class LockableSession(FakeSession):
    """Variables with locks."""

    def __init__(self, ctx: FakeContext) -> None:
        super().__init__(ctx)
        self.locks: dict[str, str] = {}
        self.owners: list[str] = []

    def lock(self, name: str, ttl: float = 30.0, owner: str | None = None) -> FakeLock:
        return FakeLock(self, name, owner or "nobody")


class OptimizingContext(FakeContext):
    """A call of `optimize`, with the model as host tool `lm`."""

    def __init__(self, model: RuleModel | None = None, stream: bool = False) -> None:
        super().__init__(stream)
        self.session = LockableSession(self)
        self.model = model or Pupil()
        self.session.tools.add("lm", self.model)

    def check_cancelled(self) -> None:
        if self.cancelled:
            raise OperationCancelled("cancelled by the test")


def parameters(optimizer: str, **more: Any) -> dict[str, Any]:
    """Those of `optimize` for the program of this file."""
    return {
        "program": PROGRAM,
        "optimizer": optimizer,
        "lm": {"kind": "host_tool", "tool": "lm"},
        "data": {"train": json.loads(json.dumps(ROWS))},
        "metric": {"kind": "exact_match", "field": "answer"},
        **more,
    }


@contextlib.contextmanager
def host_tool(ctx: OptimizingContext, name: str, answer: Any) -> Any:
    """Registers a tool; gives the list of what it was asked."""
    asked: list[dict[str, Any]] = []

    async def run(arguments: dict[str, Any], emit: Any) -> Any:
        asked.append(arguments)
        return answer(arguments)

    ctx.session.tools.add(name, run)
    yield asked
