"""The way from DSPy's fine-tuning to whoever trains: a tool of the host, or framework
`transformers` of the same worker.

It owns the language model that can be trained, DSPy's providers behind it, and the contract of the
tool: rows of chat messages in, the name of the trained model out. It must not know optimizers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import dspy
from dspy.clients.provider import Provider, TrainingJob

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, ToolFailed, Unsupported

from ..abort import CallEnded, ending
from .run import Run

__all__ = [
    "TRAINING_SCHEMA",
    "can_be_trained",
    "trained_model",
    "trainer_for",
]

Make = Callable[[str], dspy.LM]
Rows = list[dict[str, Any]]


def can_be_trained(lm: dspy.LM, trainer: Provider, make: Make) -> dspy.LM:
    """`lm` with a trainer; `make` gives the language model of a trained one's name."""
    kind = type(lm)
    tuned = object.__new__(type(f"Trainable{kind.__name__}", (_Trainable, kind), {}))
    tuned.__dict__.update(lm.__dict__)
    tuned.provider, tuned.make, tuned.trained = trainer, make, None
    return tuned


def trained_model(module: dspy.Module) -> str | None:
    """The name of the trained model that the module's predictors use; None: none was trained."""
    names = {getattr(predictor.lm, "trained", None) for predictor in module.predictors()}
    return names.pop() if len(names) == 1 else None


def trainer_for(settings: dict[str, Any], model: str, ctx: CallContext, run: Run) -> Provider:
    """Who trains `model`, as `settings` say.

    A tool of the host gets `{"model", "format": "chat", "rows": [{"messages": [...]}], "options"}`
    and answers with the name of the trained model, or `{"model": name}`. Framework `transformers`
    gets the same rows; there the name is the path of the artifact.
    """

    def by_host(rows: Rows, options: dict[str, Any]) -> str:
        tool, timeout_ms = settings["tool"], settings.get("timeout_ms")
        timeout = None if timeout_ms is None else timeout_ms / 1000
        asked = {"model": model, "format": "chat", "rows": rows, "options": options}
        return _name(ctx.session.tools.call(tool, asked, timeout), tool)

    def in_worker(rows: Rows, options: dict[str, Any]) -> str:
        base, train = settings.get("model") or model, _local_training()
        return str(train(base, rows, options, lambda chunk: None, lambda: ctx.cancelled))

    return _Trainer(by_host if settings["kind"] == "host_tool" else in_worker, ctx, run)


class _Trainer(Provider):
    """A provider of DSPy's that does nothing but train."""

    def __init__(
        self, train: Callable[[Rows, dict[str, Any]], str], ctx: CallContext, run: Run
    ) -> None:
        super().__init__()
        self.finetunable = True
        self.TrainingJob = TrainingJob
        self._train, self._ctx, self._run = train, ctx, run

    def finetune(
        self,
        job: TrainingJob,
        model: str,
        train_data: Rows,
        train_data_format: Any,
        train_kwargs: dict[str, Any] | None = None,
    ) -> str:
        """Called by DSPy, on a thread of its own, which must end with a result or an exception."""
        try:
            with ending(self._ctx):
                return self._train(train_data, train_kwargs or {})
        except (BridgeError, CallEnded) as error:
            # DSPy would tell of it as a failed job only.
            self._run.stop(error if isinstance(error, BridgeError) else error.cause)
            raise RuntimeError(f"training failed: {error}") from error


def _local_training() -> Callable[..., Any]:
    try:
        framework = importlib.import_module("snakepit_bridge.frameworks.transformers.framework")
    except ImportError as missing:
        raise Unsupported(
            "finetune of kind `transformers` needs framework `transformers` in the worker: "
            f"{missing}"
        ) from missing
    return framework.fine_tune_rows  # type: ignore[no-any-return]


class _Trainable:
    """What a language model that can be trained has beside its own class: a copy under another name
    asks the trained one."""

    provider: Provider
    make: Make
    trained: str | None

    def __deepcopy__(self, memo: Any) -> Any:
        # It is known by its identity to who trains: programs that are copied share it.
        return self

    def copy(self, **kwargs: Any) -> Any:
        name = kwargs.pop("model", None)
        if name is None:
            return super().copy(**kwargs)  # type: ignore[misc]
        made = can_be_trained(self.make(name), self.provider, self.make)
        made.trained = name
        return made.copy(**kwargs) if kwargs else made


def _name(answer: Any, tool: str) -> str:
    name = answer.get("model") if isinstance(answer, dict) else answer
    if isinstance(name, str) and name:
        return name
    raise ToolFailed(
        f"tool `{tool}` answered {type(name).__name__}, expected the name of the trained model, or "
        '{"model": name}',
        details={"tool": tool},
    )


TRAINING_SCHEMA: dict[str, Any] = {
    "description": "Who trains, for optimizers that change weights.",
    "oneOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind", "tool"],
            "properties": {
                "kind": {"const": "host_tool"},
                "tool": {"type": "string", "minLength": 1},
                "timeout_ms": {"type": "integer", "minimum": 1},
            },
        },
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind"],
            "properties": {
                "kind": {"const": "transformers"},
                "model": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The model to train, as framework `transformers` knows it; the "
                    "one of `lm` without it.",
                },
            },
        },
    ],
}
