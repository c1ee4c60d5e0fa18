"""The operation `embed`: texts to one tensor of float32, a row for each.

Owns pooling and what a folder in the layout of sentence-transformers says about it. Must not know
which models there are.
"""

from __future__ import annotations

import os
from typing import Any

import torch

from .batches import batches
from .loading import Loaded
from .models import Check, Models
from .places import Place, read_json

__all__ = ["embed"]


def embed(models: Models, given: dict[str, Any], check: Check) -> dict[str, Any]:
    """The vectors of all texts, with the tokens they took."""
    place = models.places.find(given["model"])
    pooling = given.get("pooling") or _pooling_of(place)
    normalize = given.get("normalize", True)
    rows = []
    tokens = 0
    with models.use(given["model"], "feature-extraction", check) as loaded:
        length_max = given.get("max_length") or _length_of(place, loaded)
        for texts in batches(given, check):
            encoded = loaded.tokenizer(
                texts, padding=True, truncation=True, max_length=length_max, return_tensors="pt"
            ).to(loaded.device)
            with torch.inference_mode():
                states = loaded.module(**encoded).last_hidden_state.float()
            vectors = _pooled(states, encoded["attention_mask"], pooling)
            if normalize:
                vectors = torch.nn.functional.normalize(vectors, dim=1)
            rows.append(vectors.cpu())
            tokens += int(encoded["attention_mask"].sum())
    vectors = torch.cat(rows)
    return {
        "embeddings": vectors.numpy(),
        "dimensions": int(vectors.shape[1]),
        "pooling": pooling,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _pooled(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector for each text out of one for each token; padding does not count."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        # The last token that is none of the padding, on whichever side that is.
        positions = torch.arange(mask.shape[1], device=mask.device) * mask
        return states[torch.arange(states.shape[0], device=mask.device), positions.argmax(dim=1)]
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def _pooling_of(place: Place) -> str:
    folder = os.path.join(place.path, "1_Pooling")
    if os.path.isfile(os.path.join(folder, "config.json")):
        told = read_json(folder, "config.json")
        if told.get("pooling_mode_cls_token") is True:
            return "cls"
        if told.get("pooling_mode_lasttoken") is True:
            return "last"
    return "mean"


def _length_of(place: Place, loaded: Loaded) -> int:
    """The most tokens that the folder says a text should have, and never more than fit."""
    lengths = [LENGTH_MAX, loaded.tokenizer.model_max_length]
    if loaded.positions_max is not None:
        lengths.append(loaded.positions_max)
    if os.path.isfile(os.path.join(place.path, "sentence_bert_config.json")):
        told = read_json(place.path, "sentence_bert_config.json").get("max_seq_length")
        if isinstance(told, int) and told > 0:
            lengths.append(told)
    return int(min(lengths))


# For models whose folder says nothing of a limit.
LENGTH_MAX = 8192
