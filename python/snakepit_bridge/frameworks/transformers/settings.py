"""The options of the framework as checked data.

Owns their names, kinds and defaults, and refusals that name the option at fault. Must not import
torch: a wrong configuration is told at once.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from snakepit_bridge.errors import InvalidArgument

__all__ = ["DEVICES", "DTYPES", "TASKS", "ModelSettings", "Settings", "parse"]


@dataclasses.dataclass(frozen=True, slots=True)
class ModelSettings:
    """One configured model: `task` None is found out from its `config.json`."""

    name: str
    path: str
    task: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    preload: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All options. `threads` None: as many as the worker may use processors."""

    models: dict[str, ModelSettings]
    model_roots: tuple[str, ...] = ()
    artifacts_dir: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    loaded_max: int = 8
    waiting_max: int = 64


def parse(options: dict[str, Any]) -> Settings:
    """Checks the options of the configuration. Raises `InvalidArgument`."""
    known = {field.name for field in dataclasses.fields(Settings)}
    for name in options:
        if name not in known:
            _refuse(name, f"is unknown, expected one of {', '.join(sorted(known))}")
    given = options.get("models") or {}
    if not isinstance(given, dict):
        _refuse("models", f"is {_kind(given)}, expected an object of models by name")
    roots = options.get("model_roots") or []
    if not isinstance(roots, list):
        _refuse("model_roots", f"is {_kind(roots)}, expected a list of folders")
    artifacts = options.get("artifacts_dir")
    return Settings(
        models={name: _model(name, each, options) for name, each in given.items()},
        model_roots=tuple(_folder(f"model_roots[{at}]", root) for at, root in enumerate(roots)),
        artifacts_dir=None if artifacts is None else _folder("artifacts_dir", artifacts),
        device=_choice("device", options.get("device", "auto"), DEVICES),
        dtype=_choice("dtype", options.get("dtype", "auto"), DTYPES),
        threads=_count("threads", options.get("threads")),
        loaded_max=_count("loaded_max", options.get("loaded_max")) or LOADED_MAX,
        waiting_max=_count("waiting_max", options.get("waiting_max")) or WAITING_MAX,
    )


def _model(name: str, given: Any, options: dict[str, Any]) -> ModelSettings:
    place = f"models.{name}"
    if not isinstance(given, dict):
        _refuse(place, f"is {_kind(given)}, expected an object with `path`")
    known = {field.name for field in dataclasses.fields(ModelSettings)} - {"name"}
    for key in given:
        if key not in known:
            _refuse(f"{place}.{key}", f"is unknown, expected one of {', '.join(sorted(known))}")
    if not name or "/" in name or name.startswith("."):
        _refuse(place, "is no name of a model: it must not be empty, hold `/` or begin with `.`")
    preload = given.get("preload", False)
    if not isinstance(preload, bool):
        _refuse(f"{place}.preload", f"is {_kind(preload)}, expected true or false")
    task = given.get("task")
    return ModelSettings(
        name=name,
        path=_folder(f"{place}.path", given.get("path")),
        task=None if task is None else _choice(f"{place}.task", task, TASKS),
        device=_choice(
            f"{place}.device", given.get("device", options.get("device", "auto")), DEVICES
        ),
        dtype=_choice(f"{place}.dtype", given.get("dtype", options.get("dtype", "auto")), DTYPES),
        preload=preload,
    )


def _folder(place: str, given: Any) -> str:
    if not isinstance(given, str) or not os.path.isabs(given):
        _refuse(place, f"is {_shown(given)}, expected an absolute path")
    if not os.path.isdir(given):
        _refuse(place, f"is {given!r}, where no folder is")
    return os.path.realpath(given)


def _choice(place: str, given: Any, choices: tuple[str, ...]) -> str:
    if given not in choices:
        _refuse(place, f"is {_shown(given)}, expected one of {', '.join(choices)}")
    return str(given)


def _count(place: str, given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        _refuse(place, f"is {_shown(given)}, expected a whole number from 1 on")
    return int(given)


def _refuse(place: str, fault: str) -> None:
    raise InvalidArgument(f"framework `transformers` option `{place}` {fault}")


def _kind(given: Any) -> str:
    return "null" if given is None else f"a {type(given).__name__}"


def _shown(given: Any) -> str:
    return repr(given) if isinstance(given, (str, int, float)) else _kind(given)


TASKS = (
    "text-generation",
    "text-classification",
    "feature-extraction",
    "fill-mask",
    "token-classification",
)
DEVICES = ("cpu", "cuda", "auto")
DTYPES = ("auto", "float32", "float16", "bfloat16")
LOADED_MAX = 8
WAITING_MAX = 64
