"""Gathers the memory of this process into huge pages: a fork copies an entry for each page.

For the template, which is forked for each worker and has tens of megabytes that never change: one
huge page stands for 512 small ones. A fork that writes gets the small page that it writes on, as
before. Where the kernel cannot or its owner does not want it, nothing happens. Must not know who
forks.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path


def gather() -> int:
    """Has the kernel move what it can; returns the bytes that lie in huge pages now."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if "[never]" in (SETTINGS / "enabled").read_text():
            return 0
        size = int((SETTINGS / "hpage_pmd_size").read_text())
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
        # A place that the kernel refuses (nothing lies there, no huge page is free) stays as it is.
        return sum(
            size
            for start, end in list(_written())
            for place in range(-(-start // size) * size, end - size + 1, size)
            if madvise(place, size, MADV_COLLAPSE) == 0
        )
    return 0


def _written() -> Iterator[tuple[int, int]]:
    """Begin and end of each mapping that is private, writable and no file's."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, access, _, _, inode, *name = line.split(maxsplit=5)
        if access.startswith("rw-p") and inode == "0" and name in ([], ["[heap]"]):
            start, _, end = addresses.partition("-")
            yield int(start, 16), int(end, 16)


SETTINGS = Path("/sys/kernel/mm/transparent_hugepage")
# Linux 6.1; what is older refuses it.
MADV_COLLAPSE = 25
