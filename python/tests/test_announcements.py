"""What the built-in frameworks announce is complete: texts, descriptions, schemas that are some."""

from __future__ import annotations

import jsonschema
import pytest

from snakepit_bridge import functions
from snakepit_bridge.frameworks import BUILT_IN, FrameworkLoadError, load
from snakepit_bridge.frameworks.base import DIALECT


@pytest.fixture(params=sorted(BUILT_IN))
def announced(request, monkeypatch):
    """The announcement of a built-in framework, without functions that other tests registered."""
    monkeypatch.setattr(functions, "_REGISTRY", {})
    try:
        framework = load(request.param)
        framework.start({})
    except (FrameworkLoadError, ImportError) as fault:
        pytest.skip(f"a package of it is not installed: {fault}")
    schema = framework.schema()
    framework.stop()
    return schema


def test_everything_has_a_text(announced):
    assert announced["doc"]
    assert announced["version"]
    for name, operation in announced["operations"].items():
        assert operation["doc"], name
        for parameter, about in operation["parameters"]["properties"].items():
            assert described(about), f"{name}: parameter {parameter} has no description"


def described(about):
    """A union may describe its branches instead."""
    branches = about.get("anyOf") or about.get("oneOf") or []
    return about.get("description") or (branches and all(map(described, branches)))


def test_every_schema_stands_for_itself(announced):
    for name, operation in announced["operations"].items():
        assert operation["parameters"]["type"] == "object", name
        for key in ("parameters", "result", "chunk"):
            schema = operation[key]
            if schema is not None:
                assert schema["$schema"] == DIALECT, (name, key)
                jsonschema.Draft202012Validator.check_schema(schema)


def test_chunks_are_described_where_there_are_some(announced):
    for name, operation in announced["operations"].items():
        assert operation["streaming"] == (operation["chunk"] is not None), name
