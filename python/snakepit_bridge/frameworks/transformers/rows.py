"""Training rows: from texts, chats and labelled texts to tokens.

Owns the kinds of rows, what of a row the model is to learn, and batches. A row that does not fit is
refused by its number. Must not know how training goes.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import jinja2
import torch

from snakepit_bridge.errors import InvalidArgument

__all__ = ["IGNORED", "Rows", "collate", "labels_of", "read", "tokenized"]


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one kind: `text`, `completion`, `chat` or `label`."""

    kind: str
    rows: list[dict[str, Any]]

    @property
    def task(self) -> str:
        """What a model trained on them does."""
        return "text-classification" if self.kind == "label" else "text-generation"


def read(given: Any) -> Rows:
    """Checks the rows. Raises `InvalidArgument` naming the first one at fault."""
    if not isinstance(given, list) or not given:
        kind = "an empty list" if given == [] else f"a {type(given).__name__}"
        raise InvalidArgument(f"data is {kind}, expected a list of rows")
    rows = [{"text": row} if isinstance(row, str) else row for row in given]
    kind = _kind_of(rows[0], 0)
    for at, row in enumerate(rows):
        if _kind_of(row, at) != kind:
            raise InvalidArgument(f"data[{at}] is another kind of row than data[0], a {kind}")
    return Rows(kind, rows)


def labels_of(rows: Rows) -> list[str]:
    """The labels that occur, in order."""
    return sorted({row["label"] for row in rows.rows})


def tokenized(
    rows: Rows,
    tokenizer: Any,
    length_max: int,
    label_ids: dict[str, int],
    check: Callable[[], None],
) -> list[dict[str, Any]]:
    """What the model sees: `input_ids` and `labels`, for each row."""
    made = []
    for at, row in enumerate(rows.rows):
        if at % CHECK_EVERY == 0:
            check()
        if rows.kind == "label":
            ids = tokenizer(row["text"], truncation=True, max_length=length_max)["input_ids"]
            labels: Any = label_ids[row["label"]]
        else:
            prompt, ids = _ids(rows.kind, row, tokenizer, at)
            prompt, ids = min(prompt, length_max), ids[:length_max]
            labels = [IGNORED] * prompt + ids[prompt:]
            if all(label == IGNORED for label in labels):
                fault = f"has nothing to learn within {length_max} tokens (training.max_length)"
                raise InvalidArgument(f"data[{at}] {fault}")
        made.append({"input_ids": ids, "labels": labels})
    return made


def split(rows: list[Any], share: float, seed: int) -> tuple[list[Any], list[Any]]:
    """Rows to train with and rows to measure with; none of these for a share of 0."""
    count = round(len(rows) * share)
    if count == 0 or count == len(rows):
        return rows, []
    mixed = random.Random(seed).sample(rows, len(rows))
    return mixed[count:], mixed[:count]


def collate(pad: int) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
    """Makes batches of equal length; what is added is neither looked at nor learned."""

    def together(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        missing = [longest - len(row["input_ids"]) for row in rows]
        batch = {
            "input_ids": [r["input_ids"] + [pad] * n for r, n in zip(rows, missing, strict=True)],
            "attention_mask": [[1] * (longest - n) + [0] * n for n in missing],
            "labels": [
                r["labels"] + [IGNORED] * n if isinstance(r["labels"], list) else r["labels"]
                for r, n in zip(rows, missing, strict=True)
            ],
        }
        return {name: torch.tensor(values) for name, values in batch.items()}

    return together


def _kind_of(row: Any, at: int) -> str:
    if not isinstance(row, dict):
        raise InvalidArgument(f"data[{at}] is a {type(row).__name__}, expected a text or an object")
    keys = set(row)
    for kind, (wanted, kinds) in _KINDS.items():
        if keys == wanted:
            for key in sorted(wanted):
                if not isinstance(row[key], kinds):
                    fault = f"is a {type(row[key]).__name__}, expected {_NAMES[kinds]}"
                    raise InvalidArgument(f"data[{at}].{key} {fault}")
            return kind
    given = ", ".join(sorted(map(str, keys))) or "none"
    raise InvalidArgument(
        f"data[{at}] has the keys {given}, expected text; prompt and completion; messages; or text "
        "and label"
    )


def _ids(kind: str, row: dict[str, Any], tokenizer: Any, at: int) -> tuple[int, list[int]]:
    """How many tokens are given, and all tokens, with the one that ends a text at their end."""
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    if kind == "text":
        return 0, tokenizer(row["text"])["input_ids"] + end
    if kind == "completion":
        prompt = tokenizer(row["prompt"])["input_ids"]
        added = tokenizer(row["completion"], add_special_tokens=False)["input_ids"]
        return len(prompt), prompt + added + end
    return _chat_ids(row["messages"], tokenizer, end, at)


def _chat_ids(
    messages: list[Any], tokenizer: Any, end: list[int], at: int
) -> tuple[int, list[int]]:
    """The last message is learned; everything before it is given."""
    if not tokenizer.chat_template:
        raise InvalidArgument("data has chats, but the model has no chat template")
    if not messages or not all(isinstance(each, dict) for each in messages):
        raise InvalidArgument(f"data[{at}].messages is no list of messages")
    if messages[-1].get("role") != "assistant":
        raise InvalidArgument(f"data[{at}].messages does not end with a message of the assistant")
    write = tokenizer.apply_chat_template
    try:
        prompt = write(messages[:-1], tokenize=False, add_generation_prompt=True)
        text = write(messages, tokenize=False)
    except jinja2.TemplateError as fault:
        message = f"data[{at}].messages do not fit the model's chat template: {fault}"
        raise InvalidArgument(message) from fault
    encode = _without_specials(tokenizer)
    if not text.startswith(prompt):
        # A template that writes a finished chat differently: then all of it is learned.
        return 0, encode(text)
    ids = encode(text[len(prompt) :])
    ends = bool(ids) and ids[-1:] == end
    return len(encode(prompt)), encode(prompt) + ids + ([] if ends else end)


def _without_specials(tokenizer: Any) -> Callable[[str], list[int]]:
    """A chat template writes the special tokens itself."""
    return lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]


_KINDS: dict[str, tuple[set[str], Any]] = {
    "text": ({"text"}, str),
    "completion": ({"prompt", "completion"}, str),
    "chat": ({"messages"}, list),
    "label": ({"text", "label"}, str),
}
_NAMES = {str: "a text", list: "a list"}
# What the loss does not count, as torch has it.
IGNORED = -100
# Rows between two looks whether the call is still wanted.
CHECK_EVERY = 256
