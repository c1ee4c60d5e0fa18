"""One run of a program: resolved, built, run in DSPy's settings for this call, reported.

It owns the order of a run. `dspy.configure`, which is process-wide
and belongs to one thread, is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import InvalidArgument

from . import results
from .build import gather, make, own_lm
from .cache import ModuleCache
from .calls import acall, calling
from .documents import Program
from .faults import faults
from .kinds import PYTHON, uses_native_calls
from .models import HostModel
from .records import Record, recording
from .stored import Resolved, resolve
from .streaming import streamed

__all__ = ["Prepared", "Runner", "make_adapter"]


class Prepared:
    """A program ready to run for one call, any number of times, also at once."""

    def __init__(
        self,
        source: Resolved,
        program: Program,
        module: dspy.Module,
        model: dspy.LM,
        adapter: str,
    ) -> None:
        self.source, self.program, self.module = source, program, module
        self.lm, self.adapter = model, adapter
        self.native = _native(program, module)

    @contextmanager
    def settings(self, ctx: CallContext, *callbacks: BaseCallback) -> Iterator[None]:
        """DSPy's settings for runs of this program."""
        settings = {
            "lm": self.lm,
            "adapter": make_adapter(self.adapter, native_tools=self.native),
            "callbacks": list(callbacks),
            # DSPy would keep the last ten thousand of each for the whole process.
            "trace": [],
            "disable_history": True,
            # An untyped input counts as text there, so any other value would be logged as a
            # mismatch.
            "warn_on_type_mismatch": False,
        }
        with dspy.context(**settings), calling(ctx):
            yield

    async def predict(self, inputs: dict[str, Any]) -> dspy.Prediction:
        """One run, inside `settings`. Raises `ConstraintViolation` for outputs that break a
        field's constraint."""
        results.check_inputs(self.program, self.module, inputs)
        return results.check_outputs(self.program, await acall(self.module, **inputs))


class Runner:
    """What runs of a worker share: the cache, and the interpreter that the framework was
    configured with (None: none)."""

    def __init__(self, interpreter: Callable[..., Any] | None = None) -> None:
        self.interpreter = interpreter
        self._cache = ModuleCache(_ENTRIES_MAX)

    async def prepare(
        self,
        reference: Any,
        ctx: CallContext,
        *,
        call_lm: dict[str, Any] | None = None,
        adapter: str | None = None,
        config: dict[str, Any] | None = None,
        place: str = "program",
    ) -> Prepared:
        """The program that `reference` means, ready to run. `call_lm`, `adapter` and `config` of
        the call go before the program's own."""
        source = await resolve(reference, ctx, where=place or "program")
        document = source.document
        if config and isinstance(document.get("config"), dict | None):
            document = {**document, "config": {**(document.get("config") or {}), **config}}
        program, content = self._cache.program(document, place)
        material = await gather(program, ctx, self.interpreter)
        module = self._cache.module(
            program, content, material, lambda: make(program, material, ctx)
        )
        model = own_lm(program, call_lm, material, ctx)
        prepared = Prepared(source, program, module, model, adapter or program.adapter or "chat")
        _check_supports(prepared)
        return prepared

    async def run(
        self,
        reference: Any,
        inputs: dict[str, Any],
        ctx: CallContext,
        *,
        history: bool = False,
        status: list[str] | None = None,
        **call: Any,
    ) -> dict[str, Any]:
        """Runs a program once and reports, with `history` what was said to language models too;
        streams if the caller listens, messages of the kinds in `status`. `call` as for
        `prepare`."""
        with faults():
            prepared = await self.prepare(reference, ctx, **call)
            record = Record(history)
            with prepared.settings(ctx), recording(record):
                if ctx.streaming:
                    wanted = ("tool",) if status is None else status
                    with streamed(prepared.module, prepared.adapter, ctx, wanted):
                        prediction = await prepared.predict(inputs)
                else:
                    prediction = await prepared.predict(inputs)
            result: dict[str, Any] = {"outputs": results.outputs(prediction), **record.report()}
            steps = results.trajectory(prepared.program, prediction)
            if steps is not None:
                result["trajectory"] = steps
            stored = prepared.source.describe()
            if stored is not None:
                result["program"] = stored
            return result


def make_adapter(name: str, *, native_tools: bool = False) -> dspy.Adapter:
    """The adapter of that name: how fields are written into prompts and read from answers."""
    return _ADAPTERS[name](**({"use_native_function_calling": True} if native_tools else {}))


def _native(program: Program, module: dspy.Module) -> bool:
    """Whether an agent in it wants the model's own tool calls. To look for it in the module takes
    a while, and is needed only where that has classes of the user's own."""
    parts = list(program.walk())
    if any(part.kind is PYTHON for part in parts):
        return uses_native_calls(module)
    return any(part.options.get("native_tool_calls", False) for part in parts)


def _check_supports(prepared: Prepared) -> None:
    model = prepared.lm
    if not prepared.native or not isinstance(model, HostModel) or model.supports_function_calling:
        return
    raise InvalidArgument(
        'lm.supports without "tools", which native_tool_calls of the program needs: the host '
        "tool must answer with tool_calls (docs/host_lm.md)"
    )


_ADAPTERS: dict[str, Any] = {
    "chat": dspy.ChatAdapter,
    "json": dspy.JSONAdapter,
    "xml": dspy.XMLAdapter,
}
_ENTRIES_MAX = 256
