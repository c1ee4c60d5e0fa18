"""The folder of artifacts: trained models that are there whole or not at all.

Owns how an artifact comes into being. It is written in a hidden folder beside, which its writer
holds a lock on, and gets its name when it is complete. A hidden folder that nobody holds is what a
killed worker left, and is removed by the next writer. Must not know models.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from typing import Any

from snakepit_bridge.errors import AlreadyExists

__all__ = ["METADATA", "Artifact", "bytes_of", "writing"]


class Artifact:
    """One that is being written in `folder`."""

    def __init__(self, root: str, name: str, folder: str) -> None:
        self._root = root
        self.name = name
        self.folder = folder

    def publish(self, metadata: dict[str, Any]) -> str:
        """Gives it its name; returns its path. Raises `AlreadyExists`."""
        with open(os.path.join(self.folder, METADATA), "w", encoding="utf-8") as file:
            json.dump(metadata, file, indent=2, sort_keys=True)
            file.write("\n")
        _sync(self.folder)
        target = os.path.join(self._root, self.name)
        with _locked(self._root):
            refuse_existing(self._root, self.name)
            os.rename(self.folder, target)
        _sync_folder(self._root)
        return target


@contextlib.contextmanager
def writing(root: str, name: str) -> Iterator[Artifact]:
    """A new one; whatever of it was not published is gone behind the block."""
    with _locked(root):
        refuse_existing(root, name)
        _sweep(root)
        folder = os.path.join(root, f"{HIDDEN}{name}-{secrets.token_hex(4)}")
        os.mkdir(folder)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield Artifact(root, name, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def refuse_existing(root: str, name: str) -> None:
    """Raises `AlreadyExists` for a name that is taken."""
    if os.path.lexists(os.path.join(root, name)):
        raise AlreadyExists(f"artifact {name!r} is there already", details={"name": name})


def bytes_of(folder: str) -> int:
    """The size of all files in it."""
    found = 0
    for place, _, names in os.walk(folder):
        found += sum(os.path.getsize(os.path.join(place, name)) for name in names)
    return found


@contextlib.contextmanager
def _locked(root: str) -> Iterator[None]:
    """For moments only: nobody waits here for longer than a folder takes to remove."""
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _sweep(root: str) -> None:
    for entry in os.scandir(root):
        if not entry.name.startswith(HIDDEN) or not entry.is_dir(follow_symlinks=False):
            continue
        held = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry.path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(held)


def _sync(folder: str) -> None:
    """What has a name must have its content, too, when power fails."""
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                os.fsync(file.fileno())
        _sync_folder(place)


def _sync_folder(folder: str) -> None:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


HIDDEN = ".writing-"
METADATA = "artifact.json"
