"""Graphs of configured modules, by the names that the configuration gives them.

It owns the framework option `graphs`: what is imported is said by the configuration alone, and a
name from the wire only ever looks up what was loaded. It must not know how a graph is run.
"""

from __future__ import annotations

import copy
import importlib
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from snakepit_bridge.errors import InvalidArgument

from .checks import nearest
from .wire import schema_of

__all__ = ["Graphs"]


class Graphs:
    """The graphs that may be run, by name."""

    def __init__(self, named: dict[str, str]) -> None:
        self._graphs = {name: _load(name, place) for name, place in named.items()}

    def with_saver(self, name: str, saver: BaseCheckpointSaver | None) -> Pregel:
        """The graph of that name, with its threads kept by `saver`. Raises `InvalidArgument` for an
        unknown name."""
        graph = self._graphs.get(name)
        if graph is None:
            known = ", ".join(repr(each) for each in sorted(self._graphs)) or "none configured"
            raise InvalidArgument(
                f"graph {name!r}, expected one of {known}{nearest(name, self._graphs)}"
            )
        made = copy.copy(graph)
        # One of its own would keep threads in this worker, where nobody finds them again.
        made.checkpointer = saver
        return made

    def describe(self) -> list[dict[str, Any]]:
        """Each graph with its nodes and the JSON Schemas of what goes in and comes out."""
        return [
            {
                "name": name,
                "nodes": [node for node in graph.nodes if not node.startswith("__")],
                "input_schema": schema_of(graph.get_input_jsonschema),
                "output_schema": schema_of(graph.get_output_jsonschema),
            }
            for name, graph in sorted(self._graphs.items())
        ]


def _load(name: str, place: str) -> Pregel:
    module, colon, attribute = place.partition(":")
    if not colon or not module or not attribute:
        raise InvalidArgument(f"option graphs.{name} {place!r}, expected module:attribute")
    found = getattr(importlib.import_module(module), attribute)
    if callable(found) and not isinstance(found, (StateGraph, Pregel)):
        found = found()
    if isinstance(found, StateGraph):
        return found.compile()
    if not isinstance(found, Pregel):
        raise InvalidArgument(
            f"option graphs.{name}: {place} is a {type(found).__name__}, expected a graph of "
            "LangGraph, compiled or not, or a function that makes one"
        )
    return _with_types(found)


def _with_types(graph: Pregel) -> Pregel:
    """Sees to it that checkpoints may hold the types that the graph's state declares: a graph that
    was changed after it was compiled (`with_config`) has forgotten which."""
    builder = getattr(graph, "builder", None)
    if getattr(graph, "_serde_allowlist", None) is None and isinstance(builder, StateGraph):
        graph._serde_allowlist = builder.compile()._serde_allowlist
    return graph
