"""Which DSPy this adapter works with, checked before anything else of DSPy is imported.

It owns the version rule and the settings that must be in place before DSPy's first import. It must
not know operations, signatures or language models: those modules may import DSPy freely because
this one ran first.
"""

from __future__ import annotations

import importlib.metadata
import os
import re

__all__ = ["UnsupportedDspy", "check_version", "prepare_environment", "require"]


class UnsupportedDspy(ImportError):
    """DSPy is missing, or is a release whose engine interface this adapter does not speak."""


def require() -> str:
    """Checks the installed DSPy and returns its version.

    Raises `UnsupportedDspy`, naming what was found and what was expected.
    """
    try:
        found = importlib.metadata.version("dspy")
    except importlib.metadata.PackageNotFoundError:
        raise UnsupportedDspy(
            f"framework `dspy` needs the package dspy {_EXPECTED}, and no dspy is installed for "
            "this Python: see python/requirements-dspy.txt"
        ) from None
    check_version(found)
    prepare_environment()
    return found


def check_version(found: str) -> None:
    """Refuses a DSPy version without the engine interface."""
    match = re.match(r"(\d+)\.(\d+)", found)
    number = (int(match[1]), int(match[2])) if match else None
    if number is None or number < _VERSION_MIN:
        raise UnsupportedDspy(
            f"framework `dspy` needs dspy {_EXPECTED} (language model engines), found {found}"
        )


def prepare_environment() -> None:
    """Keeps DSPy's import quiet: litellm must not fetch its price list from the network."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


_VERSION_MIN = (3, 4)
_EXPECTED = "3.4 or later"
