"""The environment that a process was started with, and how a fork of it gets another.

Looked at once, ahead of all forks, so that each has little to do. Owns what others see of the
environment as well: a descendant is found by it. Must not know what the names mean.
"""

from __future__ import annotations

import contextlib
import ctypes
import os


class Inherited:
    """The environment as it is now, and where each entry of it is shown."""

    def __init__(self) -> None:
        self._known = dict(os.environb)
        # By name: the address of the value in the block that the kernel shows, and its room.
        self._shown: dict[bytes, tuple[int, int]] = {}
        with contextlib.suppress(OSError, ValueError, IndexError):
            self._find()

    def replace(self, block: bytes) -> None:
        """Makes `block`, entries that end with a zero byte, the whole environment, also as others
        see it where that is possible.
        """
        wanted = dict(entry.split(b"=", 1) for entry in block.split(b"\0") if entry)
        for name in self._known.keys() - wanted.keys():
            del os.environb[name]
        for name, value in wanted.items():
            if self._known.get(name) != value:
                os.environb[name] = value
                self._show(name, value)

    def _find(self) -> None:
        with open("/proc/self/stat", "rb") as stat:
            start, end = map(int, stat.read().rpartition(b")")[2].split()[47:49])
        for entry in ctypes.string_at(start, end - start).split(b"\0"):
            name, equals, value = entry.partition(b"=")
            if equals:
                self._shown[name] = (start + len(name) + 1, len(value))
            start += len(entry) + 1

    def _show(self, name: bytes, value: bytes) -> None:
        """Overwrites what is shown, where the value fits in its old place."""
        address, room = self._shown.get(name, (0, -1))
        if len(value) <= room:
            ctypes.memmove(address, value.ljust(room, b"\0"), room)
