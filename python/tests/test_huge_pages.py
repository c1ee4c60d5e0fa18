"""Huge pages: what is gathered, that nothing of it changes, and where nothing is done."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

import pytest

from snakepit_bridge import huge_pages

BYTES = 8 << 20
PATTERN = bytes(range(256)) * (BYTES // 256)


@pytest.fixture
def memory():
    with mmap.mmap(-1, BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as mapped:
        mapped[:] = PATTERN
        yield mapped


def in_huge_pages():
    shown = Path("/proc/self/smaps_rollup").read_text()
    return int(re.search(r"^AnonHugePages: *(\d+) kB", shown, re.MULTILINE)[1]) * 1024


def test_what_is_gathered_keeps_its_content_and_a_fork_writes_on_its_own(memory):
    gathered = huge_pages.gather()
    assert gathered <= in_huge_pages()
    assert memory[:] == PATTERN
    child = os.fork()
    if child == 0:
        memory[:] = bytes(BYTES)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert memory[:] == PATTERN


@pytest.mark.parametrize("said", ["always madvise [never]\n", None])
def test_nothing_is_gathered_where_it_is_not_wanted_or_not_known(
    memory, tmp_path, monkeypatch, said
):
    if said is not None:
        (tmp_path / "enabled").write_text(said)
        (tmp_path / "hpage_pmd_size").write_text("2097152\n")
    monkeypatch.setattr(huge_pages, "SETTINGS", tmp_path)
    before = in_huge_pages()
    assert huge_pages.gather() == 0
    assert in_huge_pages() <= before
