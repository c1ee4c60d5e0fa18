"""Makes the package importable from the source tree, with its native half.

That half is beside the sources after `maturin develop`; else it is taken from where the package is
installed; else a stand-in in Python takes its place, and the tests of the real link are skipped.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
NAME = "snakepit_bridge._native"


def native() -> object:
    """The native half, under its own name."""
    try:
        return importlib.import_module(NAME)
    except ImportError:
        pass
    for place in sys.path:
        for suffix in EXTENSION_SUFFIXES:
            built = Path(place, "snakepit_bridge", f"_native{suffix}")
            if built.is_file():
                spec = importlib.util.spec_from_file_location(NAME, built)
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    return importlib.import_module("native_stand_in")


sys.path[:0] = [str(TESTS.parent), str(TESTS)]
package = importlib.import_module("snakepit_bridge")
package._native = sys.modules[NAME] = native()


@pytest.fixture(autouse=True)
def no_call_before() -> Iterator[None]:
    """The call that a test makes current is not current in the next one."""
    from snakepit_bridge.context import CURRENT

    CURRENT.set(None)
    yield
    CURRENT.set(None)
