"""The way from DSPy's fine-tuning to whoever trains: a tool of the host.

It owns the language model that can be trained, DSPy's provider behind it, and the contract of the
tool: rows of chat messages in, the name of the trained model out. It must not know optimizers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dspy
from dspy.clients.provider import Provider, TrainingJob

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, ToolFailed

from ..abort import CallEnded, ending
from .run import Run

__all__ = ["TRAINING_SCHEMA", "HostTrainer", "can_be_trained", "trained_model"]

Make = Callable[[str], dspy.LM]


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


class HostTrainer(Provider):
    """Lets a tool of the host train. It gets `{"model", "format": "chat", "rows": [{"messages":
    [...]}], "options"}` and answers with the name of the trained model, or `{"model": name}`."""

    def __init__(self, ctx: CallContext, run: Run, settings: dict[str, Any], model: str) -> None:
        super().__init__()
        self.finetunable = True
        self.TrainingJob = TrainingJob
        self._ctx = ctx
        self._run = run
        self._model = model
        self._tool = settings["tool"]
        timeout_ms = settings.get("timeout_ms")
        self._timeout = None if timeout_ms is None else timeout_ms / 1000

    def finetune(
        self,
        job: TrainingJob,
        model: str,
        train_data: list[dict[str, Any]],
        train_data_format: Any,
        train_kwargs: dict[str, Any] | None = None,
    ) -> str:
        """Called by DSPy, on a thread of its own, which must end with a result or an exception."""
        arguments = {
            "model": self._model,
            "format": "chat",
            "rows": train_data,
            "options": train_kwargs or {},
        }
        try:
            with ending(self._ctx):
                answer = self._ctx.session.tools.call(self._tool, arguments, self._timeout)
            return _name(answer, self._tool)
        except (BridgeError, CallEnded) as error:
            # DSPy would tell of it as a failed job only.
            self._run.stop(error if isinstance(error, BridgeError) else error.cause)
            raise RuntimeError(f"training failed: {error}") from error


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
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "tool"],
    "properties": {
        "kind": {"const": "host_tool"},
        "tool": {"type": "string", "minLength": 1},
        "timeout_ms": {"type": "integer", "minimum": 1},
    },
    "description": "Who trains, for optimizers that change weights.",
}
