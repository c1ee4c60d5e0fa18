"""The `dspy` framework: its operations, each a run of one program with one language model.

It owns the order of a call: check, build, run in DSPy's per-call context, report. Nothing is kept
between calls, so any worker serves any call, and `dspy.configure`, which is process-wide and
belongs to one thread, is never used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, InvalidArgument
from snakepit_bridge.frameworks.base import Framework, operation

from . import lm, program, schemas
from .abort import CallEnded
from .program import Program, ProgramRefused
from .signature import SignatureRefused
from .streaming import streamed
from .tools import agent_tools

__all__ = ["DSPyFramework"]


class DSPyFramework(Framework):
    """DSPy programs: predict, chain of thought and tool-using agents, with the host as language
    model and tools."""

    id = "dspy"

    def version(self) -> str:
        return dspy.__version__

    def start(self, options: dict[str, Any]) -> None:
        if options:
            raise InvalidArgument(f"framework `dspy` option `{next(iter(options))}`, expected none")
        # A cache on disk would outlive the worker and be shared by nobody who knows of it.
        dspy.configure_cache(
            enable_disk_cache=False, enable_memory_cache=True, memory_max_entries=_CACHE_ENTRIES_MAX
        )

    def stop(self) -> None:
        """Nothing to end: calls own all they use."""

    @operation(parameters=schemas.parameters("predict"), result=schemas.RESULT, streaming=True)
    async def predict(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Fills in the output fields of a signature with one request to a language model."""
        return await _run("predict", ctx, parameters)

    @operation(
        parameters=schemas.parameters("chain_of_thought"), result=schemas.RESULT, streaming=True
    )
    async def chain_of_thought(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Lets the language model reason step by step before it fills in the output fields."""
        return await _run("chain_of_thought", ctx, parameters)

    @operation(parameters=schemas.parameters("react"), result=schemas.RESULT, streaming=True)
    async def react(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """An agent that thinks, calls host tools, looks at what they answer, and ends with the
        output fields."""
        return await _run("react", ctx, parameters)


async def _run(kind: str, ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
    with _faults():
        tools = await agent_tools(ctx, parameters["tools"]) if kind == "react" else []
        module = Program.from_parameters(kind, parameters).build(tools)
        inputs, adapter = parameters["inputs"], parameters.get("adapter") or "chat"
        program.check_inputs(module, inputs)
        calls = _LmCalls()
        settings = {
            "lm": lm.build_lm(parameters["lm"], ctx),
            "adapter": program.make_adapter(adapter),
            "callbacks": [calls],
            # DSPy would keep the last ten thousand of each for the whole process.
            "trace": [],
            "disable_history": True,
            # An untyped input counts as text there, so any other value would be logged as a
            # mismatch.
            "warn_on_type_mismatch": False,
        }
        with dspy.context(**settings), dspy.track_usage() as usage:
            prediction = await _predict(module, inputs, adapter, ctx)
        return _result(kind, prediction, usage.get_total_tokens(), calls.count)


async def _predict(
    module: dspy.Module, inputs: dict[str, Any], adapter: str, ctx: CallContext
) -> dspy.Prediction:
    if not ctx.streaming:
        return await module.acall(**inputs)
    with streamed(module, adapter, ctx):
        return await module.acall(**inputs)


def _result(
    kind: str, prediction: dspy.Prediction, usage: dict[str, dict[str, Any]], lm_calls: int
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "outputs": program.outputs(prediction),
        "usage": _counts(usage),
        "lm_calls": lm_calls,
    }
    if kind == "react":
        result["trajectory"] = program.trajectory(prediction)
    return result


def _counts(usage: dict[str, dict[str, Any]]) -> dict[str, int]:
    """The token counts of all models together; a count that nobody reported is left out, not
    zero."""
    totals: dict[str, int] = {}
    for entry in usage.values():
        for name in _USAGE:
            if (count := entry.get(name)) is not None:
                totals[name] = totals.get(name, 0) + count
    return totals


@contextmanager
def _faults() -> Iterator[None]:
    """Gives each failure its own status instead of DSPy's wrapping of it."""
    try:
        yield
        return
    except CallEnded as ended:
        own: Exception = ended.cause
    except (ProgramRefused, SignatureRefused) as refused:
        own = InvalidArgument(str(refused))
    except Exception as error:
        own = lm.explain_missing_litellm(error) or _bridge_cause(error) or error
    # Raised outside the handlers: DSPy's errors have `own` as their cause, so it must not have them
    # as its context.
    raise own


def _bridge_cause(error: BaseException) -> BridgeError | None:
    """The bridge's own error behind one of DSPy's language model errors."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, BridgeError):
        seen = seen.__cause__
    return seen


class _LmCalls(BaseCallback):
    """Counts requests to the language model, retries of one request not among them."""

    def __init__(self) -> None:
        self.count = 0

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.count += 1


_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")
_CACHE_ENTRIES_MAX = 10_000
