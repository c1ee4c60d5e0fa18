"""The models of this worker: each loaded once, used by one call at a time, dropped when unused.

Owns the table of models, how many are kept, and who may use one when. Loading happens in the
model's own turn, so that calls of other models go on. Must not know what a call does with a model.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from snakepit_bridge.errors import InvalidArgument, ResourceExhausted

from . import loading
from .loading import Loaded
from .places import Place, Places
from .runtime import wake
from .settings import Settings
from .slots import Slot

__all__ = ["Check", "Model", "Models"]

Check = Callable[[], None]


class Model:
    """One folder for one task. What `begin` returns is the caller's until `slot.release()`."""

    def __init__(self, place: Place, task: str, waiting_max: int) -> None:
        self.place = place
        self.task = task
        self.slot = Slot(f"model {place.name!r}", waiting_max)
        self.loaded: Loaded | None = None
        self.pinned = place.settings.preload
        self.used = 0

    def describe(self) -> dict[str, Any]:
        """What `models` tells of it."""
        loaded = self.loaded
        told = {
            "name": self.place.name,
            "path": self.place.path,
            "task": self.task,
            "loaded": loaded is not None,
            "waiting": self.slot.waiting,
        }
        if loaded is not None:
            told["device"] = loaded.device
            told["dtype"] = str(loaded.module.dtype).removeprefix("torch.")
            told["parameters"] = loading.parameters_of(loaded.module)[0]
            told["bytes"] = loaded.bytes
        return told


class Models:
    """All of them, by folder and task."""

    def __init__(self, settings: Settings) -> None:
        self.places = Places(settings)
        self._settings = settings
        self._lock = threading.Lock()
        self._models: dict[tuple[str, str], Model] = {}
        self._uses = itertools.count(1)

    def preload(self) -> None:
        """Loads what is to be shared, while no thread may be started yet."""
        for each in self._settings.models.values():
            place = self.places.find(each.name)
            if each.preload:
                self._load(self._model(place, loading.task_of(place)), _nobody)

    def begin(self, reference: str, task: str, check: Check) -> Model:
        """A model that is loaded, on its device and the caller's alone, until its slot is released.

        `check` raises when the caller should give up waiting.
        """
        place = self.places.find(reference)
        self._refuse_other_task(place, task)
        model = self._model(place, task)
        model.slot.take(check)
        try:
            wake(self._settings.threads)
            if model.loaded is None:
                self._make_room()
                self._load(model, check)
            assert model.loaded is not None
            model.loaded.put(place.settings.device)
            model.used = next(self._uses)
        except BaseException:
            model.slot.release()
            raise
        return model

    @contextlib.contextmanager
    def use(self, reference: str, task: str, check: Check) -> Iterator[Loaded]:
        """As `begin`, for the time of a block."""
        model = self.begin(reference, task, check)
        try:
            assert model.loaded is not None
            yield model.loaded
        finally:
            model.slot.release()

    def describe(self) -> list[dict[str, Any]]:
        """Configured models, artifacts and what else is loaded, by name."""
        with self._lock:
            told = {(each.place.name, each.task): each.describe() for each in self._seen()}
        names = {name for name, _ in told}
        for name in [*self._settings.models, *self.places.artifacts()]:
            if name not in names:
                with contextlib.suppress(InvalidArgument):
                    place = self.places.find(name)
                    task = loading.task_of(place)
                    told[name, task] = Model(place, task, 0).describe()
        return [told[key] for key in sorted(told)]

    def _seen(self) -> list[Model]:
        return [each for each in self._models.values() if each.loaded or each.slot.waiting]

    def _model(self, place: Place, task: str) -> Model:
        key = (place.path, task)
        with self._lock:
            # A table entry is small; what is large is bounded by `_make_room`.
            if key not in self._models:
                self._models[key] = Model(place, task, self._settings.waiting_max)
            return self._models[key]

    def _load(self, model: Model, check: Check) -> None:
        model.loaded = loading.load(model.place, model.task, self.places.find, check)

    def _make_room(self) -> None:
        """Drops the model that was not used for the longest time, where there are too many."""
        with self._lock:
            loaded = [each for each in self._models.values() if each.loaded is not None]
            if len(loaded) < self._settings.loaded_max:
                return
            for each in sorted(loaded, key=lambda each: each.used):
                if not each.pinned and each.slot.take_if_free():
                    each.loaded = None
                    each.slot.release()
                    return
        raise ResourceExhausted(
            f"{len(loaded)} models are loaded and in use, at most {self._settings.loaded_max} are",
            details={"loaded_max": self._settings.loaded_max},
        )

    @staticmethod
    def _refuse_other_task(place: Place, task: str) -> None:
        configured = place.settings.task
        if configured not in (None, task):
            message = f"model {place.name!r} is configured for {configured}, not for {task}"
            raise InvalidArgument(message, details={"model": place.name})


def _nobody() -> None:
    """Nobody waits for a preload."""
