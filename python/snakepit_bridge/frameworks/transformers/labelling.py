"""The operations that label text: whole texts, their words, and a masked place in them.

Owns the batches and the form of the results; Transformers' own pipelines do the work. Between two
batches a call looks whether it is still wanted. Must not know which models there are.
"""

from __future__ import annotations

from typing import Any

import transformers

from snakepit_bridge.errors import InvalidArgument

from .batches import batches
from .loading import Loaded
from .models import Check, Models

__all__ = ["classify", "fill_mask", "token_classify"]


def classify(models: Models, given: dict[str, Any], check: Check) -> dict[str, Any]:
    """For each text its labels, the most probable first."""
    options = {"top_k": given.get("top_k"), "truncation": True}
    if (function := given.get("function")) is not None:
        options["function_to_apply"] = function
    with models.use(given["model"], "text-classification", check) as loaded:
        return {"results": _run(loaded, given, options, check)}


def token_classify(models: Models, given: dict[str, Any], check: Check) -> dict[str, Any]:
    """For each text its labelled words or, joined, entities."""
    strategy = given.get("aggregation") or "simple"
    with models.use(given["model"], "token-classification", check) as loaded:
        found = _run(loaded, given, {"aggregation_strategy": strategy}, check)
    return {"results": [[_entity(each) for each in entities] for entities in found]}


def fill_mask(models: Models, given: dict[str, Any], check: Check) -> dict[str, Any]:
    """For each text, for each mask in it, the most probable tokens."""
    with models.use(given["model"], "fill-mask", check) as loaded:
        mask = loaded.tokenizer.mask_token
        for at, text in enumerate(given["texts"]):
            if mask not in text:
                raise InvalidArgument(f"texts[{at}] has no mask, expected {mask} in it")
        found = _run(loaded, given, {"top_k": given.get("top_k") or 5}, check)
    return {"results": [[_candidates(mask) for mask in _per_mask(each)] for each in found]}


def _run(
    loaded: Loaded, given: dict[str, Any], options: dict[str, Any], check: Check
) -> list[list[dict[str, Any]]]:
    pipeline = transformers.pipeline(
        loaded.task, model=loaded.module, tokenizer=loaded.tokenizer, device=loaded.device
    )
    results: list[Any] = []
    for texts in batches(given, check):
        found = pipeline(texts, batch_size=len(texts), **options)
        # A single text comes back without the list around it from some pipelines.
        results.extend(found if len(found) == len(texts) and _is_nested(found) else [found])
    return results


def _is_nested(found: list[Any]) -> bool:
    return all(isinstance(each, list) for each in found)


def _per_mask(found: list[Any]) -> list[list[dict[str, Any]]]:
    return found if found and isinstance(found[0], list) else [found]


def _candidates(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "token": each["token_str"].strip(),
            "score": float(each["score"]),
            "text": each["sequence"],
        }
        for each in found
    ]


def _entity(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": found.get("entity_group") or found.get("entity"),
        "score": float(found["score"]),
        "text": found["word"],
        "start": found.get("start"),
        "end": found.get("end"),
    }
