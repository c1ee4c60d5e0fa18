"""What the Trainer tells while it runs: progress for the caller, and looks whether to go on.

Owns the form of a progress chunk. Ends a run by an exception out of a step, whether the caller is
gone or the loss is no number any more. Must not know data or artifacts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from snakepit_bridge.errors import BridgeError, Status

__all__ = ["Progress", "Reporter"]

Progress = Callable[[dict[str, Any]], None]


class Reporter(TrainerCallback):
    """Goes along with one run. `eval_loss` is the last one measured at the end of an epoch."""

    def __init__(self, progress: Progress, check: Callable[[], None]) -> None:
        self._progress = progress
        self._check = check
        self._is_measuring = False
        self.eval_loss: float | None = None

    def measured(self, trainer: Trainer, rows: list[Any]) -> float:
        """The mean loss over `rows` as the model is now."""
        self._is_measuring = True
        try:
            loss = float(trainer.evaluate(rows)["eval_loss"])
        finally:
            self._is_measuring = False
        return _finite(loss, "the loss")

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Before each step."""
        self._check()

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Within a step that gathers gradients."""
        self._check()

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Within a measurement."""
        self._check()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **more: Any,
    ) -> None:
        """The figures of the last steps, or those of the measurement at the end of an epoch."""
        logs = logs or {}
        if self._is_measuring:
            return
        chunk = {
            "type": "progress",
            "step": state.global_step,
            "steps": state.max_steps,
            "epoch": round(float(state.epoch or 0), 4),
        }
        if "eval_loss" in logs:
            self.eval_loss = _finite(logs["eval_loss"], f"the loss after step {state.global_step}")
            self._progress({**chunk, "eval_loss": self.eval_loss})
        elif "loss" in logs:
            loss = _finite(logs["loss"], f"the loss of step {state.global_step}")
            self._progress({**chunk, "loss": loss, "learning_rate": logs.get("learning_rate")})


def _finite(loss: float, what: str) -> float:
    if math.isfinite(loss):
        return float(loss)
    raise BridgeError(
        f"{what} is not finite: a smaller training.learning_rate may help",
        status=Status.PYTHON_EXCEPTION,
    )
