"""The operation `generate`: from a prompt or a chat to text, piece by piece.

Owns the order of one generation: its turn, its tokens, a thread that runs the model, and a reader
that passes the text on. They are apart so that a slow caller does not keep the model from others,
and so that a cancel is answered while the model computes; it stops at its next token. Must not know
which models there are.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jinja2
import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from snakepit_bridge.errors import InvalidArgument, ResourceExhausted

from .loading import Loaded
from .models import Check, Model, Models
from .pieces import Pieces
from .sampling import processors
from .slots import POLL_SECONDS

__all__ = ["Generation", "TASK", "generate", "stream"]


def generate(
    models: Models, parameters: dict[str, Any], check: Check, emit: Callable[[str], None] | None
) -> dict[str, Any]:
    """Runs one generation to its end; `emit` gets each piece of text. Returns the result."""
    text: list[str] = []
    for item in stream(models, parameters, check):
        if isinstance(item, str):
            text.append(item)
            if emit is not None:
                emit(item)
            continue
        item["text"] = "".join(text)
        return item
    raise AssertionError("a generation ended without its result")


def stream(
    models: Models, parameters: dict[str, Any], check: Check
) -> Iterator[str | dict[str, Any]]:
    """The pieces of text, then the result without the text."""
    given = {name: value for name, value in parameters.items() if value is not None}
    if ("prompt" in given) == ("messages" in given):
        raise InvalidArgument("generate takes either `prompt` or `messages`")
    model = models.begin(given["model"], TASK, check)
    generation = _started(model, given)
    try:
        yield from generation.pieces(check)
        yield {"model": model.place.name, **generation.outcome()}
    finally:
        generation.leave()


class Generation:
    """One run of a model. Whoever made it must call `leave`; the model's slot comes back when the
    model has really ended.
    """

    def __init__(self, model: Model, given: dict[str, Any]) -> None:
        assert model.loaded is not None
        self._slot = model.slot
        self._loaded = model.loaded
        self._given = given
        self._left = threading.Event()
        self._fault: BaseException | None = None
        self._inputs = _inputs(self._loaded, given)
        self._prompt_tokens = int(self._inputs["input_ids"].shape[1])
        self._tokens_max = _tokens_max(self._loaded, self._prompt_tokens, given)
        self._pieces = Pieces(self._loaded.tokenizer, given.get("stop", []), self._tokens_max)

    def start(self) -> None:
        """Lets the model run on a thread of its own, which belongs to the call."""
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._run,), name="spb-generate", daemon=True).start()

    def pieces(self, check: Check) -> Iterator[str]:
        """The text as it comes. Raises what the model raised, or what `check` raises."""
        while True:
            try:
                piece = self._pieces.queue.get(timeout=POLL_SECONDS)
            except queue.Empty:
                check()
                continue
            if piece is None:
                break
            check()
            yield piece
        if self._fault is not None:
            raise _explained(self._fault)

    def outcome(self) -> dict[str, Any]:
        """Why it ended and what it took."""
        made = len(self._pieces.ids)
        by_itself = self._pieces.stopped or made < self._tokens_max or self._ended_by_token()
        return {
            "finish_reason": "stop" if by_itself else "length",
            "usage": {
                "prompt_tokens": self._prompt_tokens,
                "completion_tokens": made,
                "total_tokens": self._prompt_tokens + made,
            },
        }

    def leave(self) -> None:
        """The reader is gone: the model ends at its next token."""
        self._left.set()

    def _run(self) -> None:
        try:
            with torch.inference_mode():
                self._loaded.module.generate(
                    **self._inputs,
                    max_new_tokens=self._tokens_max,
                    do_sample=False,
                    num_beams=1,
                    num_return_sequences=1,
                    repetition_penalty=self._given.get("repetition_penalty", 1.0),
                    pad_token_id=_pad(self._loaded),
                    logits_processor=processors(self._given),
                    stopping_criteria=StoppingCriteriaList([_Ended(self._pieces, self._left)]),
                    streamer=self._pieces,
                )
        except BaseException as fault:
            self._fault = fault
        finally:
            self._slot.release()
            self._pieces.close()

    def _ended_by_token(self) -> bool:
        ends = _list(self._loaded.module.generation_config.eos_token_id)
        return bool(self._pieces.ids) and self._pieces.ids[-1] in ends


class _Ended(StoppingCriteria):
    """Ends a generation whose text is complete or whose reader is gone."""

    def __init__(self, pieces: Pieces, left: threading.Event) -> None:
        self._pieces = pieces
        self._left = left

    def __call__(self, input_ids: Any, scores: Any, **more: Any) -> Any:
        """Asked after each token."""
        ended = self._pieces.stopped or self._left.is_set()
        return torch.full((input_ids.shape[0],), ended, device=input_ids.device, dtype=torch.bool)


def _started(model: Model, given: dict[str, Any]) -> Generation:
    try:
        generation = Generation(model, given)
        generation.start()
    except BaseException:
        model.slot.release()
        raise
    return generation


def _inputs(loaded: Loaded, given: dict[str, Any]) -> dict[str, Any]:
    tokenizer = loaded.tokenizer
    if "prompt" in given:
        encoded = tokenizer(given["prompt"], return_tensors="pt")
    else:
        if not tokenizer.chat_template:
            raise InvalidArgument("the model has no chat template, expected `prompt`")
        try:
            encoded = tokenizer.apply_chat_template(
                given["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except jinja2.TemplateError as fault:
            message = f"`messages` do not fit the model's chat template: {fault}"
            raise InvalidArgument(message) from fault
    if encoded["input_ids"].shape[1] == 0:
        raise InvalidArgument("the prompt is empty, expected at least one token")
    known = ("input_ids", "attention_mask")
    return {name: encoded[name].to(loaded.device) for name in known if name in encoded}


def _tokens_max(loaded: Loaded, prompt_tokens: int, given: dict[str, Any]) -> int:
    wanted = given.get("max_new_tokens")
    positions = loaded.positions_max
    if positions is None:
        return int(wanted or TOKENS_DEFAULT)
    left = positions - prompt_tokens
    if left < (wanted or 1):
        raise InvalidArgument(
            f"the prompt has {prompt_tokens} tokens and {wanted or 1} more are asked for, but the "
            f"model can look at {positions}",
            details={"prompt_tokens": prompt_tokens, "positions_max": positions},
        )
    return int(wanted or min(left, TOKENS_DEFAULT))


def _pad(loaded: Loaded) -> int:
    pad = loaded.tokenizer.pad_token_id
    ends = _list(loaded.module.generation_config.eos_token_id)
    return int(pad if pad is not None else (ends or [0])[0])


def _list(value: Any) -> list[int]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [int(value)]


def _explained(fault: BaseException) -> BaseException:
    if isinstance(fault, torch.OutOfMemoryError):
        made = ResourceExhausted(f"the model's device is out of memory: {fault}")
        made.__cause__ = fault
        return made
    return fault


TASK = "text-generation"
TOKENS_DEFAULT = 256
