"""Which folder a model's name or path means, and whether a caller may load from it.

Owns the rule of the roots: what comes over the wire is a configured name, the name of an artifact,
or a path that lies, all links followed, below a configured root. Also refuses folders whose weights
are not safetensors, since every other kind is pickled code. Must not import torch.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from snakepit_bridge.errors import InvalidArgument, NotFound

from .settings import ModelSettings, Settings

__all__ = ["Place", "Places", "read_json"]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A folder that may be loaded, with the name that a caller knows it by."""

    name: str
    path: str
    settings: ModelSettings

    @property
    def is_adapter(self) -> bool:
        """Whether it holds a LoRA adapter, which needs its base."""
        return os.path.isfile(os.path.join(self.path, ADAPTER_CONFIG))


class Places:
    """Finds places by what callers say."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def find(self, reference: str) -> Place:
        """The place of a name or path. Raises `NotFound`, or `InvalidArgument` for a folder that
        must not be loaded.
        """
        configured = self._settings.models.get(reference)
        if configured is not None:
            return _checked(Place(reference, configured.path, configured))
        if os.path.isabs(reference):
            return self._by_path(reference)
        artifacts = self._settings.artifacts_dir
        if artifacts is not None and _is_plain_name(reference):
            path = os.path.join(artifacts, reference)
            if os.path.isdir(path):
                return self._place(reference, os.path.realpath(path))
        known = ", ".join(sorted({*self._settings.models, *self.artifacts()})) or "none"
        message = f"model {reference!r} is unknown; known are: {known}"
        raise NotFound(message, details={"model": reference})

    def artifacts(self) -> list[str]:
        """The names of the artifacts that are there."""
        folder = self._settings.artifacts_dir
        if folder is None:
            return []
        return sorted(
            entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != "."
        )

    def _by_path(self, reference: str) -> Place:
        path = os.path.realpath(reference)
        roots = [*self._settings.model_roots]
        roots += [each.path for each in self._settings.models.values()]
        if self._settings.artifacts_dir is not None:
            roots.append(self._settings.artifacts_dir)
        if not any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots):
            message = f"model path {reference!r} is outside of the configured roots"
            raise InvalidArgument(message, details={"model": reference})
        if not os.path.isdir(path):
            message = f"model path {reference!r} is not there"
            raise NotFound(message, details={"model": reference})
        return self._place(reference, path)

    def _place(self, name: str, path: str) -> Place:
        device, dtype = self._settings.device, self._settings.dtype
        return _checked(Place(name, path, ModelSettings(name, path, device=device, dtype=dtype)))


def read_json(*parts: str) -> dict[str, Any]:
    """A JSON object from a file. Raises `InvalidArgument` where it is not one."""
    path = os.path.join(*parts)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError) as fault:
        raise InvalidArgument(f"model file {path!r} cannot be read: {fault}") from None
    if not isinstance(content, dict):
        raise InvalidArgument(f"model file {path!r} does not hold an object")
    return content


def _checked(place: Place) -> Place:
    files = set(os.listdir(place.path)) if os.path.isdir(place.path) else set()
    if not files & {"config.json", ADAPTER_CONFIG}:
        message = f"model {place.name!r}: {place.path} holds no config.json"
        raise InvalidArgument(message, details={"model": place.name})
    if not any(name.endswith(".safetensors") for name in files):
        message = (
            f"model {place.name!r}: {place.path} holds no safetensors weights, and no other kind "
            "is loaded because it may run code"
        )
        raise InvalidArgument(message, details={"model": place.name})
    return place


def _is_plain_name(reference: str) -> bool:
    return bool(reference) and reference[0] != "." and "/" not in reference


ADAPTER_CONFIG = "adapter_config.json"
