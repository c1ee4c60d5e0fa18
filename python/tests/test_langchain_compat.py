"""What the LangChain adapter needs, what it says when that is missing, and that its import stays
quiet."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain")

from snakepit_bridge.frameworks.langchain import compat  # noqa: E402

TESTS = Path(__file__).parent


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch: Any) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(compat.importlib.metadata, "version", version)
    with pytest.raises(compat.UnsupportedLangChain) as caught:
        compat.require()
    assert str(caught.value) == (
        "framework `langchain` needs the package langchain 1.0 or later, and no langchain is "
        "installed for this Python: pip install 'langchain>=1.0'"
    )


@pytest.mark.parametrize("found", ["0.3.27", "unknown"])
def test_an_old_package_is_named_with_its_version(monkeypatch: Any, found: str) -> None:
    monkeypatch.setattr(
        compat.importlib.metadata,
        "version",
        lambda name: found if name == "langgraph" else "99.0",
    )
    with pytest.raises(compat.UnsupportedLangChain, match="needs langgraph 1.0 or later, found"):
        compat.require()


QUIET = """
import sys, threading
sys.path[:0] = [{tests!r}]
import conftest
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if event in HOOKED else None)
HOOKED = ("socket.connect", "socket.getaddrinfo")
from snakepit_bridge.frameworks import load
framework = load("langchain")
framework.start({{}})
framework.schema()
import os
print(seen, threading.active_count(), os.environ["LANGSMITH_TRACING"])
"""


def alone(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if "LANG" not in name}
    return subprocess.run(
        [sys.executable, "-c", program.format(tests=str(TESTS))],
        capture_output=True,
        text=True,
        timeout=100,
        env={**inherited, **environment},
    )


def test_its_import_reaches_for_no_network_and_starts_no_thread() -> None:
    ran = alone(QUIET)
    assert ran.stdout.strip() == "[] 1 false", ran.stderr
    assert alone(QUIET, LANGSMITH_TRACING="true").stdout.strip() == "[] 1 true"


EARLY = """
import sys
sys.path[:0] = [{tests!r}]
import conftest, langgraph.graph
from snakepit_bridge.frameworks import load
load("langchain")
"""


def test_a_langgraph_that_would_rebuild_any_type_is_refused() -> None:
    ran = alone(EARLY)
    expected = "FrameworkLoadError: framework 'langchain' cannot be loaded: framework `langchain` "
    assert f"{expected}needs LANGGRAPH_STRICT_MSGPACK=true before" in ran.stderr
    assert alone(EARLY, LANGGRAPH_STRICT_MSGPACK="true").returncode == 0
