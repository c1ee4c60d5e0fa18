"""The `dspy` framework: its options and its operations on programs.

It owns the words of the operations. What a program is, how one is built and run, and what became of
it are other files' business. Nothing that a later call needs is kept between calls, so any worker
serves any call.
"""

from __future__ import annotations

import importlib
from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument
from snakepit_bridge.frameworks.base import Framework, operation

from . import schemas
from .chunk_schemas import TOKENS
from .data_operations import DataOperations
from .kinds import interpreter_of
from .optimizer_operations import OptimizerOperations
from .program_operations import ProgramOperations
from .retrieval import Retriever
from .running import Runner

__all__ = ["DSPyFramework"]


class DSPyFramework(ProgramOperations, DataOperations, OptimizerOperations, Framework):
    """DSPy programs, kept as data in variables, with the host as language model and tools.

    Options: `modules`, importable modules with metrics and programs of the user's own;
    `interpreter` ("local" or "deno"; none) and `interpreter_timeout_ms`, for programs that run code
    which a language model wrote.
    """

    id = "dspy"
    options_schema = schemas.OPTIONS

    def version(self) -> str:
        return dspy.__version__

    def start(self, options: dict[str, Any]) -> None:
        for name in options:
            if name not in schemas.OPTIONS["properties"]:
                expected = ", ".join(schemas.OPTIONS["properties"])
                raise InvalidArgument(f"framework `dspy` option `{name}`, expected {expected}")
        modules = options.get("modules") or []
        if not isinstance(modules, list) or not all(isinstance(name, str) for name in modules):
            raise InvalidArgument("framework `dspy` option `modules`, expected module names")
        self.runner = Runner(interpreter_of(options))
        self.retriever = Retriever()
        # A cache on disk would outlive the worker and be shared by nobody who knows of it.
        dspy.configure_cache(
            enable_disk_cache=False, enable_memory_cache=True, memory_max_entries=_CACHE_ENTRIES_MAX
        )
        for name in modules:
            importlib.import_module(name)

    def stop(self) -> None:
        """Nothing to end: calls own all they use."""

    @operation(
        parameters=schemas.parameters("predict"),
        result=schemas.RESULT,
        chunk=TOKENS,
        streaming=True,
    )
    async def predict(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Fills in the output fields of a signature with one request to a language model."""
        return await self._run("predict", ctx, parameters)

    @operation(
        parameters=schemas.parameters("chain_of_thought"),
        result=schemas.RESULT,
        chunk=TOKENS,
        streaming=True,
    )
    async def chain_of_thought(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """Lets the language model reason step by step before it fills in the output fields."""
        return await self._run("chain_of_thought", ctx, parameters)

    @operation(
        parameters=schemas.parameters("react"), result=schemas.RESULT, chunk=TOKENS, streaming=True
    )
    async def react(self, ctx: CallContext, **parameters: Any) -> dict[str, Any]:
        """An agent that thinks, calls host tools, looks at what they answer, and ends with the
        output fields."""
        return await self._run("react", ctx, parameters)

    async def _run(self, kind: str, ctx: CallContext, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters are a program and what to run it with."""
        document = {"module": kind}
        for name in ("signature", "demos", "tools", "config"):
            if parameters.get(name) is not None:
                document[name] = parameters[name]
        options = {
            name: parameters[name]
            for name in ("max_iters", "native_tool_calls")
            if parameters.get(name) is not None
        }
        if options:
            document["options"] = options
        return await self.runner.run(
            document,
            parameters["inputs"],
            ctx,
            call_lm=parameters["lm"],
            adapter=parameters.get("adapter"),
            history=bool(parameters.get("history")),
            status=parameters.get("status"),
            # The parameters are where the document's keys stand.
            place="",
        )


_CACHE_ENTRIES_MAX = 10_000
