"""From a folder to a model that can run: architecture by task, adapters merged, then the device.

Owns every call that reads weights. All of them are told: local files only, no code from the folder,
safetensors only. Must not know calls, nor who may load which folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch
import transformers

from snakepit_bridge.errors import BridgeError, InvalidArgument, Unsupported

from .places import Place, read_json
from .runtime import device_of
from .slots import Slot

__all__ = ["Loaded", "load", "alone", "module_of", "parameters_of", "task_of", "tokenizer_of"]

BaseOf = Callable[[str], Place]


@dataclasses.dataclass(slots=True)
class Loaded:
    """A model with its tokenizer. `device` is None until it is put there."""

    module: Any
    tokenizer: Any
    task: str
    device: str | None = None

    def put(self, wanted: str) -> None:
        """Puts it on its device; only in a process that will not be forked any more."""
        if self.device is None:
            device = device_of(wanted)
            if device != "cpu":
                self.module.to(device)
            self.device = device

    @property
    def positions_max(self) -> int | None:
        """How many tokens it can look at, if its configuration says so."""
        most = getattr(self.module.config, "max_position_embeddings", None)
        return most if isinstance(most, int) and most > 0 else None

    @property
    def bytes(self) -> int:
        """The size of its parameters in memory."""
        return sum(each.numel() * each.element_size() for each in self.module.parameters())


@contextlib.contextmanager
def alone(check: Callable[[], None]) -> Iterator[None]:
    """For whoever makes a model: one at a time in a process. While Transformers makes one, it
    changes functions of torch and of its own classes for every thread.
    """
    _making.take(check)
    try:
        yield
    finally:
        _making.release()


def load(place: Place, task: str, base_of: BaseOf, check: Callable[[], None]) -> Loaded:
    """Reads model and tokenizer into main memory. Raises `InvalidArgument` for a folder that does
    not hold what it should, and what `check` raises while others load.
    """
    try:
        with alone(check):
            module = module_of(place, task, base_of)
        # A model's folder may lack the tokenizer's settings, an adapter's never does.
        tokenizer = tokenizer_of(place)
    except BridgeError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as fault:
        message = f"model {place.name!r} at {place.path} cannot be loaded: {fault}"
        raise InvalidArgument(message, details={"model": place.name}) from fault
    module.eval()
    module.requires_grad_(False)
    return Loaded(module, tokenizer, task)


def module_of(
    place: Place, task: str, base_of: BaseOf, depth: int = 0, **more: Any
) -> torch.nn.Module:
    """The bare model. A LoRA adapter is merged into its base, which may be merged itself."""
    kind = getattr(transformers, _KINDS[task])
    if not place.is_adapter:
        return kind.from_pretrained(
            place.path, use_safetensors=True, dtype=place.settings.dtype, **_SAFE, **more
        )
    if depth >= ADAPTERS_MAX:
        raise InvalidArgument(f"model {place.name!r} rests on more than {ADAPTERS_MAX} adapters")
    try:
        import peft
    except ImportError:
        message = f"model {place.name!r} is a LoRA adapter, which needs the package peft"
        raise Unsupported(message) from None
    base = base_of(_base_path(place))
    if os.path.isfile(os.path.join(place.path, "config.json")):
        # Its own configuration: the labels that it was trained for.
        config = transformers.AutoConfig.from_pretrained(place.path, **_SAFE)
        more = {**more, "config": config, "ignore_mismatched_sizes": True}
    module = module_of(base, task, base_of, depth + 1, **more)
    merged: torch.nn.Module = peft.PeftModel.from_pretrained(
        module, place.path, local_files_only=True
    ).merge_and_unload()
    return merged


def tokenizer_of(place: Place) -> Any:
    """The tokenizer that lies beside the weights."""
    return transformers.AutoTokenizer.from_pretrained(place.path, **_SAFE)


def task_of(place: Place) -> str:
    """The configured task, or the one that the folder's `config.json` names."""
    if place.settings.task is not None:
        return place.settings.task
    if not os.path.isfile(os.path.join(place.path, "config.json")):
        return "text-generation"
    named = read_json(place.path, "config.json").get("architectures") or []
    name = str(named[0]) if named else ""
    for ending, task in _BY_ARCHITECTURE.items():
        if name.endswith(ending):
            return task
    return "feature-extraction"


def parameters_of(module: Any) -> tuple[int, int]:
    """How many parameters it has, and how many of them are trained."""
    every = [(each.numel(), each.requires_grad) for each in module.parameters()]
    return sum(count for count, _ in every), sum(count for count, trained in every if trained)


def _base_path(place: Place) -> str:
    base = read_json(place.path, "adapter_config.json").get("base_model_name_or_path")
    if not isinstance(base, str) or not os.path.isabs(base):
        raise InvalidArgument(f"model {place.name!r} is an adapter without the path of its base")
    return base


_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}

_KINDS = {
    "text-generation": "AutoModelForCausalLM",
    "text-classification": "AutoModelForSequenceClassification",
    "feature-extraction": "AutoModel",
    "fill-mask": "AutoModelForMaskedLM",
    "token-classification": "AutoModelForTokenClassification",
}

_BY_ARCHITECTURE = {
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForSequenceClassification": "text-classification",
    "ForMaskedLM": "fill-mask",
    "ForPreTraining": "fill-mask",
    "ForTokenClassification": "token-classification",
}

ADAPTERS_MAX = 4
MAKING_WAITING_MAX = 1024
_making = Slot("the loading of models", MAKING_WAITING_MAX)
