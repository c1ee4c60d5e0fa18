"""The `transformers` framework: its operations, and the way of other frameworks to its models.

Owns the life of the adapter in one worker and the translation of calls. Models, generation,
training and the rest are in files of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import transformers

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import OperationCancelled, Unsupported
from snakepit_bridge.frameworks.base import Framework, operation

from . import embedding, generation, labelling, runtime, schemas, settings, training
from .models import Models

__all__ = ["TransformersFramework", "fine_tune_rows", "generated", "running"]


class TransformersFramework(Framework):
    """Language models from local folders: text generation, classification, embeddings and
    fine-tuning. Each model is loaded once per worker, and shared by forked workers if preloaded."""

    id: ClassVar[str] = "transformers"

    def version(self) -> str:
        """The version of Transformers."""
        return str(transformers.__version__)

    def start(self, options: dict[str, Any]) -> None:
        """Checks the options and loads what is to be shared; starts no thread."""
        global _running
        runtime.check_versions()
        self.settings = settings.parse(options)
        self.models = Models(self.settings)
        self.models.preload()
        self.training = training.Training(self.settings, self.models)
        _running = self

    def stop(self) -> None:
        """Lets other frameworks find nothing any more."""
        global _running
        _running = None

    @operation(
        parameters=schemas.GENERATE,
        result=schemas.RESULTS["generate"],
        chunk=schemas.CHUNKS["generate"],
        streaming=True,
        idempotent=True,
    )
    def generate(self, ctx: CallContext, **given: Any) -> dict[str, Any]:
        """Continues a prompt or a chat. Streams `{"type": "token", "text": …}`; the texts, joined,
        are the result's."""
        emit = _token_emitter(ctx) if ctx.streaming else None
        return generation.generate(self.models, given, ctx.check_cancelled, emit)

    @operation(parameters=schemas.CLASSIFY, result=schemas.RESULTS["labels"], idempotent=True)
    def classify(self, ctx: CallContext, **given: Any) -> dict[str, Any]:
        """Labels and scores of each text, the most probable first."""
        return labelling.classify(self.models, given, ctx.check_cancelled)

    @operation(parameters=schemas.EMBED, result=schemas.RESULTS["embed"], idempotent=True)
    def embed(self, ctx: CallContext, **given: Any) -> dict[str, Any]:
        """One vector for each text, as a tensor of float32."""
        return embedding.embed(self.models, given, ctx.check_cancelled)

    @operation(parameters=schemas.FILL_MASK, result=schemas.RESULTS["labels"], idempotent=True)
    def fill_mask(self, ctx: CallContext, **given: Any) -> dict[str, Any]:
        """The most probable tokens for each mask in each text."""
        return labelling.fill_mask(self.models, given, ctx.check_cancelled)

    @operation(parameters=schemas.TOKEN_CLASSIFY, result=schemas.RESULTS["labels"], idempotent=True)
    def token_classify(self, ctx: CallContext, **given: Any) -> dict[str, Any]:
        """The labelled words or entities of each text."""
        return labelling.token_classify(self.models, given, ctx.check_cancelled)

    @operation(
        name="models",
        parameters=schemas.MODELS,
        result=schemas.RESULTS["models"],
        idempotent=True,
    )
    def list_models(self, ctx: CallContext) -> dict[str, Any]:
        """The models of this worker: configured ones, artifacts, and what is loaded."""
        return {"models": self.models.describe(), "process": {"id": os.getpid(), **_memory()}}

    @operation(
        parameters=schemas.FINE_TUNE,
        result=schemas.RESULTS["fine_tune"],
        chunk=schemas.CHUNKS["fine_tune"],
        streaming=True,
    )
    def fine_tune(self, ctx: CallContext, **given: Any) -> dict[str, Any]:
        """Trains a model on rows of text and stores the result as an artifact. Streams
        `{"type": "progress", "step", "steps", "loss", "epoch"}`."""
        rows = given["data"]
        if isinstance(rows, dict):
            rows = ctx.session[rows["variable"]]
        return self.training.run(rows, given, ctx.emit, ctx.check_cancelled)


def generated(
    parameters: dict[str, Any], check: Callable[[], None]
) -> Iterator[str | dict[str, Any]]:
    """For other frameworks: the pieces of a text, then its result, as of the operation `generate`.

    Blocks its thread. `check` raises when the caller should give up; closing the iterator ends the
    generation.
    """
    return generation.stream(running().models, parameters, check)


def running() -> TransformersFramework:
    """The adapter that this worker serves. Raises `Unsupported` where it serves none."""
    if _running is None:
        raise Unsupported("framework `transformers` is not configured in this worker's pool")
    return _running


def fine_tune_rows(
    base: str,
    rows: list[Any],
    options: dict[str, Any],
    progress: Callable[[dict[str, Any]], None],
    cancelled: Callable[[], bool],
) -> str:
    """For other frameworks: trains `base` (a name or path) on rows and returns the artifact's path.

    `options` are those of the operation `fine_tune` except `model` and `data`; `progress` gets its
    chunks. Blocks. Raises `OperationCancelled` soon after `cancelled` turns true.
    """

    def check() -> None:
        if cancelled():
            raise OperationCancelled("operation was cancelled")

    given = {"model": base, **options}
    result = running().training.run(rows, given, progress, check)
    return str(result["artifact"])


def _token_emitter(ctx: CallContext) -> Callable[[str], None]:
    return lambda text: ctx.emit({"type": "token", "text": text})


def _memory() -> dict[str, int]:
    """What this process has in main memory, and how much of it no other process shares."""
    told = {}
    with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if name in _MEMORY:
                told[_MEMORY[name]] = told.get(_MEMORY[name], 0) + int(rest.split()[0]) * 1024
    return told


_MEMORY = {
    "Rss": "resident_bytes",
    "Private_Clean": "private_bytes",
    "Private_Dirty": "private_bytes",
}
_running: TransformersFramework | None = None
