"""Which LangChain and LangGraph this adapter works with, and the environment that they read when
they are imported.

It owns the version rule and the settings that must be in place before the first import. It must not
know operations, pipelines or models: those modules may import LangChain freely because this one ran
first.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys

__all__ = ["UnsupportedLangChain", "prepare_environment", "require"]


class UnsupportedLangChain(ImportError):
    """A package that the adapter needs is missing, is too old, or was imported too early."""


def require() -> str:
    """Checks the installed packages, prepares the environment, and returns LangChain's version.

    Raises `UnsupportedLangChain`, naming what was found and what was expected.
    """
    found = {name: _checked(name, oldest) for name, oldest in _OLDEST.items()}
    prepare_environment()
    return found["langchain"]


def prepare_environment() -> None:
    """Keeps traces at home, and has checkpoints rebuild only the types that a graph declares.

    Raises `UnsupportedLangChain` where LangGraph has read another setting already.
    """
    if not any(name in os.environ for name in _TRACING):
        os.environ["LANGSMITH_TRACING"] = "false"
    os.environ[_STRICT] = "true"
    loaded = sys.modules.get("langgraph.checkpoint.serde._msgpack")
    if loaded is not None and not loaded.STRICT_MSGPACK_ENABLED:
        raise UnsupportedLangChain(
            f"framework `langchain` needs {_STRICT}=true before LangGraph is imported, and some "
            "module of the worker imported it first: set it in the pool's env, or name the "
            "framework `langchain` before the one that imports LangGraph"
        )


def _checked(name: str, oldest: tuple[int, int]) -> str:
    expected = f"{name} {oldest[0]}.{oldest[1]} or later"
    install = f"pip install '{name}>={oldest[0]}.{oldest[1]}'"
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise UnsupportedLangChain(
            f"framework `langchain` needs the package {expected}, and no {name} is installed for "
            f"this Python: {install}"
        ) from None
    match = re.match(r"(\d+)\.(\d+)", found)
    if match is None or (int(match[1]), int(match[2])) < oldest:
        raise UnsupportedLangChain(
            f"framework `langchain` needs {expected}, found {found}: {install}"
        )
    return found


_OLDEST = {
    "langchain": (1, 0),
    "langchain-core": (1, 0),
    "langgraph": (1, 0),
    "langgraph-checkpoint": (4, 0),
}
# Names under which people ask for traces. Without one, nothing is to leave the worker.
_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2")
_STRICT = "LANGGRAPH_STRICT_MSGPACK"
