"""Threads of graphs: the configuration that names one, the answer that resumes it, and its states
as documents.

It owns these forms. It must not know how checkpoints are kept.
"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Interrupt, StateSnapshot

from snakepit_bridge.errors import InvalidArgument, StateError

from .running import Usage
from .wire import plain, shown

__all__ = ["command", "config", "durability", "state"]


def config(
    thread: str | None, usage: Usage | None = None, limit: int | None = None, at: str | None = None
) -> RunnableConfig:
    """LangGraph's configuration of a run, or of a look at a thread."""
    made = RunnableConfig()
    if usage is not None:
        made["callbacks"] = [usage]
    if limit is not None:
        made["recursion_limit"] = limit
    if thread is not None:
        made["configurable"] = {"thread_id": thread, "checkpoint_ns": ""}
        if at is not None:
            made["configurable"]["checkpoint_id"] = at
    return made


def durability(thread: str | None, parameters: dict[str, Any]) -> dict[str, Any]:
    """When checkpoints are written; nothing to say where none are."""
    return {} if thread is None else {"durability": parameters.get("durability", "sync")}


def command(parameters: dict[str, Any], waiting: list[Interrupt]) -> Command[Any]:
    """The answer to what a graph waits for. Raises `InvalidArgument` unless there is exactly one
    form of it, and it fits, and `StateError` where nothing waits."""
    given = [name for name in ("value", "values") if name in parameters]
    if len(given) != 1:
        raise InvalidArgument(
            f"{len(given)} of value and values, expected one: value answers the interrupt that "
            "waits, values several by their ids"
        )
    ids = [each.id for each in waiting]
    if not ids:
        raise StateError(f"thread {parameters['thread']!r} waits for no answer")
    if given == ["value"] and len(ids) > 1:
        raise InvalidArgument(f"value for {len(ids)} interrupts, expected values by their ids")
    if given == ["values"]:
        for id in parameters["values"]:
            if id not in ids:
                raise InvalidArgument(f"values.{id}, expected one of {', '.join(ids)}")
    return Command(resume=parameters[given[0]], update=parameters.get("update"))


def state(snapshot: StateSnapshot) -> dict[str, Any]:
    """A state as a document."""
    return {
        "values": plain(snapshot.values),
        "next": list(snapshot.next),
        "interrupts": plain(list(snapshot.interrupts)),
        "checkpoint": _id(snapshot.config),
        "parent": _id(snapshot.parent_config),
        "created_at": snapshot.created_at,
        "metadata": shown(dict(snapshot.metadata or {})),
        "tasks": [
            {
                "name": task.name,
                "error": None if task.error is None else shown(task.error),
                "interrupts": plain(list(task.interrupts)),
            }
            for task in snapshot.tasks
        ],
    }


def _id(config: RunnableConfig | None) -> str | None:
    return (config or {}).get("configurable", {}).get("checkpoint_id")
