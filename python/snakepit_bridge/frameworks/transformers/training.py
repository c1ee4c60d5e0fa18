"""Fine-tuning: from rows and a base model to an artifact, with progress and an end at any step.

Owns one run: its turn, its model (a copy, so that the base serves on), its measurements and what is
stored. Transformers' Trainer runs the steps, peft makes adapters. Must not know how calls arrive.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import random
import secrets
from collections.abc import Iterator
from typing import Any

import numpy
import torch
import transformers

from snakepit_bridge.errors import (
    AlreadyExists,
    BridgeError,
    InvalidArgument,
    ResourceExhausted,
    Unsupported,
)

from . import artifacts, rows
from .loading import alone, module_of, parameters_of, tokenizer_of
from .models import Check, Models
from .places import Place
from .progress import Progress, Reporter
from .rows import Rows
from .runtime import device_of, versions, wake
from .settings import Settings
from .slots import Slot

__all__ = ["Training"]


@dataclasses.dataclass(slots=True)
class _Run:
    """One run under way."""

    place: Place
    given: dict[str, Any]
    options: dict[str, Any]
    data: Rows
    module: Any
    tokenizer: Any
    check: Check

    @property
    def method(self) -> str:
        return str(self.given.get("method") or "full")


class Training:
    """One run at a time in a worker; others wait in line."""

    def __init__(self, settings: Settings, models: Models) -> None:
        self._settings = settings
        self._models = models
        self._slot = Slot("fine-tuning", WAITING_MAX)

    def run(
        self, given_rows: Any, given: dict[str, Any], progress: Progress, check: Check
    ) -> dict[str, Any]:
        """Trains and stores; returns the result of the operation. `check` raises when the run
        should end, which then leaves nothing.
        """
        root = self._settings.artifacts_dir
        if root is None:
            raise Unsupported("fine_tune needs the option `artifacts_dir` of the framework")
        place = self._models.places.find(given["model"])
        data = rows.read(given_rows)
        name = self._name(given.get("name"), place, str(given.get("method") or "full"))
        self._slot.take(check)
        try:
            wake(self._settings.threads)
            with artifacts.writing(root, name) as artifact, _own_chance():
                with alone(check):
                    run = self._prepared(place, given, data, check)
                figures = _train(run, artifact.folder, progress)
                _save(run, artifact.folder)
                figures["bytes"] = artifacts.bytes_of(artifact.folder)
                told = _metadata(run, name, figures)
                check()
                path = artifact.publish(told)
        except torch.OutOfMemoryError as fault:
            raise ResourceExhausted(f"fine-tuning is out of memory: {fault}") from fault
        finally:
            self._slot.release()
        return {name: value for name, value in told.items() if name in _RESULT} | {"artifact": path}

    def _name(self, name: str | None, place: Place, method: str) -> str:
        if name is None:
            plain = "".join(c if c.isalnum() else "-" for c in place.path.rsplit("/", 1)[-1])
            return f"{plain[:64].strip('-')}-{method}-{secrets.token_hex(4)}"
        if name in self._settings.models:
            raise AlreadyExists(f"a configured model is called {name!r}", details={"name": name})
        return name

    def _prepared(self, place: Place, given: dict[str, Any], data: Rows, check: Check) -> _Run:
        options = {**DEFAULTS, **_present(given.get("training"))}
        tokenizer = tokenizer_of(place)
        more: dict[str, Any] = {}
        if data.kind == "label":
            more = _labels(place, rows.labels_of(data))
        try:
            module = module_of(place, data.task, self._models.places.find, **more)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as fault:
            if isinstance(fault, BridgeError):
                raise
            message = f"model {place.name!r} cannot be trained for {data.task}: {fault}"
            raise InvalidArgument(message) from fault
        # Half precision would lose the small steps of training.
        module = module.float().requires_grad_(True)
        if tokenizer.pad_token_id is not None:
            module.config.pad_token_id = tokenizer.pad_token_id
        elif module.config.pad_token_id is None and data.kind == "label":
            module.config.pad_token_id = tokenizer.eos_token_id or 0
        run = _Run(place, given, options, data, module, tokenizer, check)
        if run.method == "lora":
            run.module = _with_adapter(run)
        return run


def _labels(place: Place, wanted: list[str]) -> dict[str, Any]:
    """The head for these labels: the model's own where it has them all."""
    config = transformers.AutoConfig.from_pretrained(
        place.path, local_files_only=True, trust_remote_code=False
    )
    if set(wanted) <= set(config.label2id):
        return {}
    ids = {label: at for at, label in enumerate(wanted)}
    return {
        "num_labels": len(wanted),
        "label2id": ids,
        "id2label": {at: label for label, at in ids.items()},
        "ignore_mismatched_sizes": True,
    }


def _with_adapter(run: _Run) -> Any:
    try:
        import peft
    except ImportError:
        raise Unsupported("method `lora` needs the package peft, which is not installed") from None
    lora = {"r": 8, "dropout": 0.0, **_present(run.given.get("lora"))}
    is_label = run.data.kind == "label"
    config = peft.LoraConfig(
        task_type="SEQ_CLS" if is_label else "CAUSAL_LM",
        r=lora["r"],
        lora_alpha=lora.get("alpha") or 2 * lora["r"],
        lora_dropout=lora["dropout"],
        target_modules=lora.get("target_modules") or "all-linear",
    )
    torch.manual_seed(run.options["seed"])
    try:
        module = peft.get_peft_model(run.module, config)
    except ValueError as fault:
        raise InvalidArgument(f"lora does not fit the model {run.place.name!r}: {fault}") from fault
    # By this path the adapter finds its base again.
    module.peft_config["default"].base_model_name_or_path = run.place.path
    return module


def _train(run: _Run, folder: str, progress: Progress) -> dict[str, Any]:
    """The steps, with the loss on both sides of them."""
    options = run.options
    positions = getattr(run.module.config, "max_position_embeddings", None) or LENGTH_MAX
    length_max = min(options["max_length"] or LENGTH_MAX, positions)
    label_ids = run.module.config.label2id or {}
    ready = rows.tokenized(run.data, run.tokenizer, length_max, label_ids, run.check)
    learned, measured = rows.split(ready, options["eval_split"], options["seed"])
    pad = run.tokenizer.pad_token_id
    reporter = Reporter(progress, run.check)
    trainer = transformers.Trainer(
        model=run.module,
        args=_arguments(run, folder, bool(measured)),
        train_dataset=learned,
        eval_dataset=measured or None,
        data_collator=rows.collate(pad if pad is not None else run.tokenizer.eos_token_id or 0),
        callbacks=[reporter],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    sample = (measured or learned)[:MEASURED_MAX]
    before = reporter.measured(trainer, sample)
    trainer.train()
    after = reporter.measured(trainer, sample)
    every, trained = parameters_of(run.module)
    return {
        "steps": trainer.state.global_step,
        "epochs": round(float(trainer.state.epoch or 0), 4),
        "loss_before": before,
        "loss_after": after,
        "eval_loss": reporter.eval_loss,
        "rows": len(learned),
        "eval_rows": len(measured),
        "parameters": every,
        "trainable_parameters": trained,
    }


def _arguments(run: _Run, folder: str, evaluates: bool) -> transformers.TrainingArguments:
    options = run.options
    rate = options["learning_rate"] or RATES[run.method]
    return transformers.TrainingArguments(
        output_dir=folder,
        use_cpu=device_of(run.place.settings.device) == "cpu",
        num_train_epochs=options["epochs"],
        max_steps=options["max_steps"] or -1,
        learning_rate=rate,
        per_device_train_batch_size=options["batch_size"],
        per_device_eval_batch_size=options["batch_size"],
        gradient_accumulation_steps=options["gradient_accumulation"],
        weight_decay=options["weight_decay"],
        warmup_steps=options["warmup_steps"],
        seed=options["seed"],
        logging_steps=options["log_every"],
        logging_nan_inf_filter=False,
        eval_strategy="epoch" if evaluates else "no",
        prediction_loss_only=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )


def _save(run: _Run, folder: str) -> None:
    module = run.module
    if run.method == "lora":
        if run.given.get("merge"):
            module = module.merge_and_unload()
        elif run.data.kind == "label":
            # The adapter's file has the head, and this what its rows mean.
            module.get_base_model().config.save_pretrained(folder)
    module.save_pretrained(folder)
    run.tokenizer.save_pretrained(folder)


def _metadata(run: _Run, name: str, figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": 1,
        "name": name,
        "base": run.place.name,
        "base_path": run.place.path,
        "method": run.method,
        "merged": run.method == "lora" and bool(run.given.get("merge")),
        "task": run.data.task,
        "training": run.options,
        "lora": run.given.get("lora"),
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "made_with": versions(),
        **figures,
    }


@contextlib.contextmanager
def _own_chance() -> Iterator[None]:
    """A run seeds the generators of the whole process; the others get theirs back."""
    python, numbers, tensors = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        numpy.random.set_state(numbers)
        torch.set_rng_state(tensors)


def _present(given: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (given or {}).items() if value is not None}


DEFAULTS: dict[str, Any] = {
    "epochs": 3,
    "max_steps": None,
    "learning_rate": None,
    "batch_size": 8,
    "gradient_accumulation": 1,
    "weight_decay": 0.0,
    "warmup_steps": 0,
    "seed": 42,
    "max_length": None,
    "eval_split": 0.0,
    "log_every": 1,
}
RATES = {"full": 5e-5, "lora": 2e-4}
LENGTH_MAX = 512
# Rows that the loss before and after is measured with.
MEASURED_MAX = 64
# Runs are long: who would be further back in line is told so.
WAITING_MAX = 4

_RESULT = frozenset(
    {
        "base",
        "bytes",
        "epochs",
        "eval_loss",
        "eval_rows",
        "loss_after",
        "loss_before",
        "merged",
        "method",
        "name",
        "parameters",
        "rows",
        "steps",
        "task",
        "trainable_parameters",
    }
)
