"""The `dspy` framework: its operations, each a run of one program with one language model.

It owns the order of a call: check, build, run in DSPy's per-call context, report. Nothing is kept
between calls, so any worker serves any call, and `dspy.configure`, which is process-wide and
belongs to one thread, is never used.
"""

from __future__ import annotations

from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument
from snakepit_bridge.frameworks.base import Framework, operation

from . import lm, program, schemas
from .faults import faults
from .program import Program
from .records import Record, recording
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
    with faults():
        tools = await agent_tools(ctx, parameters["tools"]) if kind == "react" else []
        module = Program.from_parameters(kind, parameters).build(tools)
        inputs, adapter = parameters["inputs"], parameters.get("adapter") or "chat"
        program.check_inputs(module, inputs)
        settings = {
            "lm": lm.build_lm(parameters["lm"], ctx),
            "adapter": program.make_adapter(adapter),
            # DSPy would keep the last ten thousand for the whole process.
            "trace": [],
            # An untyped input counts as text there, so any other value would be logged as a
            # mismatch.
            "warn_on_type_mismatch": False,
        }
        record = Record(history=bool(parameters.get("history")))
        with recording(record), dspy.context(**settings):
            prediction = await _predict(module, inputs, adapter, ctx)
        return _result(kind, prediction, record)


async def _predict(
    module: dspy.Module, inputs: dict[str, Any], adapter: str, ctx: CallContext
) -> dspy.Prediction:
    if not ctx.streaming:
        return await module.acall(**inputs)
    with streamed(module, adapter, ctx):
        return await module.acall(**inputs)


def _result(kind: str, prediction: dspy.Prediction, record: Record) -> dict[str, Any]:
    result: dict[str, Any] = {"outputs": program.outputs(prediction), **record.report()}
    if kind == "react":
        result["trajectory"] = program.trajectory(prediction)
    return result


_CACHE_ENTRIES_MAX = 10_000
