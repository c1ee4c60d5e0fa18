"""The judges behind metrics: comparisons, functions of configured modules, host tools, and language
models that judge.

It owns each kind's settings and how it comes to a `Score`. A judge raises when it cannot judge;
what that means for the operation is not its business. It must not know optimizers or evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dspy
from dspy.evaluate import CompleteAndGrounded, SemanticF1

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument, ToolFailed

from . import comparisons, registry
from .abort import ending
from .calls import in_thread
from .lm import build_lm
from .scores import Score, parse_score
from .settings import Settings, listed, nearest

__all__ = ["Case", "Judge", "build"]


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be judged: an example, what a program said to it, and perhaps (while an optimizer
    collects demonstrations) how, and which of its predictors is meant."""

    gold: Any
    pred: Any
    trace: Any = None
    pred_name: str | None = None
    pred_trace: Any = None


def build(document: Mapping[str, Any], ctx: CallContext, where: str) -> Judge:
    """The judge for a metric document. Raises `InvalidArgument` naming the place."""
    kind = document.get("kind")
    make = _MAKERS.get(kind) if isinstance(kind, str) else None
    if make is None:
        raise InvalidArgument(f"{where}.kind {kind!r}, expected one of {listed(_MAKERS)}")
    return make(Settings(document, where), ctx)


class Judge:
    """Judges one prediction at a time; both forms may be used by several callers at once."""

    def score(self, case: Case) -> Score:
        """Waits for the judgement."""
        raise NotImplementedError

    async def ascore(self, case: Case) -> Score:
        """As `score`, for the event loop. Here: for what does not wait."""
        return self.score(case)


class _Comparison(Judge):
    """Compares one output field with the example's own value."""

    def __init__(
        self, settings: Settings, compare: Callable[[Any, Any], float | bool], graded: bool
    ) -> None:
        self._field = settings.text("field", "answer")
        self._reference = settings.text("reference", self._field)
        self._threshold = settings.share("threshold") if graded else None
        self._compare = compare
        self._where = settings.where
        settings.finish()

    def score(self, case: Case) -> Score:
        wanted = _field(case.gold, self._reference, f"{self._where}: example")
        given = _field(case.pred, self._field, f"{self._where}: prediction")
        value = self._compare(given, wanted)
        if self._threshold is not None and case.trace is not None:
            return Score(value >= self._threshold)
        return Score(value)


class _Python(Judge):
    """A function of a configured module."""

    def __init__(self, settings: Settings) -> None:
        name = settings.text("name")
        settings.finish()
        if name not in registry.METRICS:
            known = nearest(registry.METRICS, name)
            raise InvalidArgument(
                f"{settings.where}.name `{name}`, expected {known}: a function of a configured "
                "module, marked with @snakepit_bridge.frameworks.dspy.metric"
            )
        self._name, self._function = name, registry.METRICS[name]
        self._takes = registry.arguments(self._function)

    def score(self, case: Case) -> Score:
        given = (case.gold, case.pred, case.trace, case.pred_name, case.pred_trace)
        return parse_score(self._function(*given[: self._takes]), self._refuse)

    async def ascore(self, case: Case) -> Score:
        # It may take its time, or wait for the host.
        return await in_thread(lambda: self.score(case))

    def _refuse(self, fault: str) -> Exception:
        return TypeError(f"metric `{self._name}` answered {fault}")


class _HostTool(Judge):
    """A tool of the host."""

    def __init__(self, settings: Settings, ctx: CallContext) -> None:
        self._tool = settings.text("tool")
        timeout_ms = settings.whole("timeout_ms")
        self._timeout = None if timeout_ms is None else timeout_ms / 1000
        self._ctx = ctx
        settings.finish()

    def score(self, case: Case) -> Score:
        asked = _asked(case)
        with ending(self._ctx):
            answer = self._ctx.session.tools.call(self._tool, asked, timeout=self._timeout)
        return parse_score(answer, self._refuse)

    async def ascore(self, case: Case) -> Score:
        asked = _asked(case)
        with ending(self._ctx):
            answer = await self._ctx.session.tools.acall(self._tool, asked, timeout=self._timeout)
        return parse_score(answer, self._refuse)

    def _refuse(self, fault: str) -> Exception:
        return ToolFailed(f"metric tool `{self._tool}` answered {fault}")


class _Model(Judge):
    """A language model as judge: `lm`, or the one of the program that is judged."""

    def __init__(self, settings: Settings, ctx: CallContext, grounded: bool) -> None:
        self._names = {
            "question": settings.text("question", "question"),
            "response": settings.text("field", "response"),
        }
        self._reference = settings.text("reference", self._names["response"])
        self._context = settings.text("context", "context") if grounded else None
        threshold = settings.share("threshold")
        limit = {} if threshold is None else {"threshold": threshold}
        if grounded:
            self._module: dspy.Module = CompleteAndGrounded(**limit)
        else:
            thorough = bool(settings.take("decompositional", (bool,), "a boolean"))
            self._module = SemanticF1(**limit, decompositional=thorough)
        lm = settings.take("lm", (dict,), "an object")
        self._settings = {} if lm is None else {"lm": build_lm(lm, ctx)}
        self._where = settings.where
        settings.finish()

    def score(self, case: Case) -> Score:
        example, prediction = self._renamed(case)
        with dspy.context(**self._settings):
            return Score(self._module(example, prediction, case.trace).score)

    async def ascore(self, case: Case) -> Score:
        return await in_thread(lambda: self.score(case))

    def _renamed(self, case: Case) -> tuple[dspy.Example, dspy.Prediction]:
        """Both with the field names that DSPy's judges look for."""
        example = dspy.Example(
            question=_field(case.gold, self._names["question"], f"{self._where}: example"),
            response=_field(case.gold, self._reference, f"{self._where}: example"),
        )
        holder = f"{self._where}: prediction"
        said = {"response": _field(case.pred, self._names["response"], holder)}
        if self._context is not None:
            said["context"] = _field(case.pred, self._context, holder)
        return example, dspy.Prediction(**said)


def _exact(settings: Settings, ctx: CallContext) -> Judge:
    plain = settings.take("normalize", (bool,), "a boolean") is False
    return _Comparison(settings, comparisons.identical if plain else comparisons.same, graded=False)


def _field(holder: Any, name: str, what: str) -> Any:
    try:
        return holder[name]
    except (KeyError, TypeError, AttributeError):
        keys = list(holder.keys()) if hasattr(holder, "keys") else []
        raise InvalidArgument(
            f"{what} without field `{name}`, expected one of {listed(keys)}"
        ) from None


def _asked(case: Case) -> dict[str, Any]:
    return {
        "example": _document(case.gold),
        "prediction": _document(case.pred),
        "trace": case.trace is not None,
        "predictor": case.pred_name,
    }


def _document(value: Any) -> Any:
    return value.toDict() if isinstance(value, dspy.Example) else value


def _graded(settings: Settings, ctx: CallContext) -> Judge:
    return _Comparison(settings, comparisons.f1, graded=True)


def _verdict(compare: Callable[[Any, Any], bool]) -> _Maker:
    return lambda settings, ctx: _Comparison(settings, compare, graded=False)


_Maker = Callable[[Settings, CallContext], Judge]
_MAKERS: dict[str, _Maker] = {
    "exact_match": _exact,
    "contains": _verdict(comparisons.contains),
    "f1": _graded,
    "passage_match": _verdict(comparisons.passage_match),
    "semantic_f1": lambda settings, ctx: _Model(settings, ctx, grounded=False),
    "complete_and_grounded": lambda settings, ctx: _Model(settings, ctx, grounded=True),
    "python": lambda settings, ctx: _Python(settings),
    "host_tool": _HostTool,
}
