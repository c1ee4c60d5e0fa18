"""Every verb on checkpoints in variables, written once for both kinds of waiting.

It owns the order of writes: a thread's index is written last, so that a worker that dies half-way
leaves what was there before. It must not know LangGraph's saver class.

Each verb is a generator of requests `(verb, arguments)` to the session; `run` and `arun` answer
them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)

from snakepit_bridge.errors import AlreadyExists, BridgeError, InvalidArgument, NotFound, Status
from snakepit_bridge.session import Session

from .checkpoint_layout import (
    INDEX,
    PREFIX,
    WRITES,
    Document,
    Query,
    config_of,
    dumped,
    ids_of,
    key_of,
    matches,
    named,
    place_of,
    tuple_of,
)

__all__ = [
    "arun",
    "copy_thread",
    "delete_for_runs",
    "delete_thread",
    "find",
    "get_tuple",
    "prune",
    "put",
    "put_writes",
    "run",
    "threads",
]

Answer = TypeVar("Answer")
Steps = Generator[tuple[Any, ...], Any, Answer]


def run(steps: Steps[Answer], session: Session) -> Answer:
    """Carries out a verb, blocking."""
    try:
        request = next(steps)
        while True:
            verb, *arguments = request
            try:
                answer = getattr(session, verb)(*arguments[:-1], **arguments[-1])
            except BridgeError as error:
                request = steps.throw(error)
            else:
                request = steps.send(answer)
    except StopIteration as end:
        return end.value


async def arun(steps: Steps[Answer], session: Session) -> Answer:
    """As `run`, for the event loop."""
    try:
        request = next(steps)
        while True:
            verb, *arguments = request
            try:
                answer = await getattr(session, f"a{verb}")(*arguments[:-1], **arguments[-1])
            except BridgeError as error:
                request = steps.throw(error)
            else:
                request = steps.send(answer)
    except StopIteration as end:
        return end.value


def get_tuple(serde: Any, config: RunnableConfig) -> Steps[CheckpointTuple | None]:
    """The checkpoint that the configuration names, or the newest of its thread."""
    thread, namespace, id = named(config)
    place = place_of(thread, namespace)
    if not id:
        index = yield from _value(f"{place}.{INDEX}")
        ids = ids_of(index)
        if not ids:
            return None
        id = ids[-1]
    found = yield ("get_many", [f"{place}.{id}", f"{place}.{id}.{WRITES}"], {})
    document = found.get(f"{place}.{id}")
    if document is None:
        return None
    return tuple_of(serde, document, found.get(f"{place}.{id}.{WRITES}"))


def find(serde: Any, query: Query) -> Steps[list[CheckpointTuple]]:
    """What the query asks for, newest first."""
    found: list[CheckpointTuple] = []
    for index in (yield from _indexes(query.thread)):
        if query.namespace is not None and index["namespace"] != query.namespace:
            continue
        ids = [id for id in reversed(ids_of(index)) if query.id is None or id == query.id]
        kept = [id for id in ids if query.before is None or id < query.before]
        # No more than are wanted, where nothing but their number decides.
        kept = kept if query.filter or query.limit is None else kept[: max(query.limit, 0)]
        found += yield from _tuples(serde, index, kept)
    found = [each for each in found if matches(each, query.filter)]
    found.sort(key=lambda each: each.checkpoint["id"], reverse=True)
    return found if query.limit is None else found[: max(query.limit, 0)]


def put(
    serde: Any,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    keep: int,
) -> Steps[RunnableConfig]:
    """Keeps a checkpoint, then names it in the index, then gives up the oldest."""
    thread, namespace, parent = named(config)
    place, id = place_of(thread, namespace), checkpoint["id"]
    merged = get_checkpoint_metadata(config, metadata)
    document = {
        "thread": thread,
        "namespace": namespace,
        "parent": parent,
        "checkpoint": dumped(serde, checkpoint),
        "metadata": dumped(serde, merged),
    }
    yield from _write(f"{place}.{id}", document)
    index = yield from _name(place, thread, namespace, id)
    # Where channels are kept as differences, older checkpoints are part of the newer ones.
    if not merged.get("counters_since_delta_snapshot"):
        yield from _give_up(place, index, keep)
    return config_of(thread, namespace, id)


def put_writes(
    serde: Any,
    config: RunnableConfig,
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
) -> Steps[None]:
    """Adds what a task wrote; nothing that is there is read or written anew."""
    thread, namespace, id = named(config)
    if not id:
        raise InvalidArgument("writes without checkpoint_id in their configuration")
    entries = [
        {
            "task": task_id,
            "path": task_path,
            "index": WRITES_IDX_MAP.get(channel, index),
            "channel": channel,
            "value": dumped(serde, value),
        }
        for index, (channel, value) in enumerate(writes)
    ]
    name = f"{place_of(thread, namespace)}.{id}.{WRITES}"
    yield from _extend(name, entries)


def delete_thread(thread: str) -> Steps[None]:
    """Drops everything of a thread, the index first: what is left of a half-done one is never
    read."""
    prefix = f"{PREFIX}.{key_of(thread)}."
    indexes = [place_of(thread, index["namespace"]) for index in (yield from _indexes(thread))]
    yield from _delete(f"{place}.{INDEX}" for place in indexes)
    while True:
        page = yield ("list", f"{prefix}*", {"limit": _PAGE})
        if not page:
            return
        yield from _delete(variable.name for variable in page)


def delete_for_runs(serde: Any, run_ids: Sequence[str]) -> Steps[None]:
    """Drops the checkpoints that these runs made, in every thread."""
    wanted = set(run_ids)
    for index in (yield from _indexes(None)):
        found = yield from _tuples(serde, index, ids_of(index))
        made = [each for each in found if each.metadata.get("run_id") in wanted]
        place = place_of(index["thread"], index["namespace"])
        yield from _drop(place, [each.checkpoint["id"] for each in made])


def copy_thread(source: str, target: str) -> Steps[None]:
    """Copies a thread, each namespace's index last."""
    for index in (yield from _indexes(source)):
        namespace, ids = index["namespace"], ids_of(index)
        old, new = place_of(source, namespace), place_of(target, namespace)
        for id in ids:
            names = [f"{old}.{id}", f"{old}.{id}.{WRITES}"]
            found = yield ("get_many", names, {})
            if names[0] not in found:
                continue
            yield from _write(f"{new}.{id}", {**found[names[0]], "thread": target})
            if names[1] in found:
                yield from _write(f"{new}.{id}.{WRITES}", found[names[1]])
            yield from _name(new, target, namespace, id)


def prune(serde: Any, threads: Sequence[str], strategy: str) -> Steps[None]:
    """Drops all but the newest checkpoint of each namespace, or everything."""
    if strategy not in ("keep_latest", "delete"):
        raise InvalidArgument(f"strategy {strategy!r}, expected keep_latest or delete")
    for thread in threads:
        if strategy == "delete":
            yield from delete_thread(thread)
            continue
        for index in (yield from _indexes(thread)):
            newest = yield from _tuples(serde, index, ids_of(index)[-1:])
            if any(each.metadata.get("counters_since_delta_snapshot") for each in newest):
                continue
            yield from _give_up(place_of(thread, index["namespace"]), index, 1)


def threads() -> Steps[list[Document]]:
    """Every thread, with the number of its checkpoints and its newest one, by name."""
    found: dict[str, Document] = {}
    for index in (yield from _indexes(None)):
        ids = ids_of(index)
        thread = found.setdefault(index["thread"], {"thread": index["thread"], "checkpoints": 0})
        thread["checkpoints"] += len(ids)
        if index["namespace"] == "" and ids:
            thread["checkpoint"] = ids[-1]
    return [found[name] for name in sorted(found)]


def _value(name: str) -> Steps[Any]:
    try:
        return (yield ("get", name, {}))
    except NotFound:
        return None


def _write(name: str, value: Any) -> Steps[None]:
    try:
        yield ("register", name, "json", value, {})
    except AlreadyExists:
        yield ("set", name, value, {})


def _extend(name: str, entries: list[Document]) -> Steps[None]:
    while True:
        try:
            yield ("update", name, {"extend": entries})
            return
        except NotFound:
            pass
        try:
            yield ("register", name, "json", entries, {})
            return
        except AlreadyExists:
            # Another task of the step was first.
            continue


def _name(place: str, thread: str, namespace: str, id: str) -> Steps[Document]:
    """Adds a checkpoint to the index, and returns it."""
    name = f"{place}.{INDEX}"
    added = [{"op": "add", "path": "/ids/-", "value": id}]
    first = {"thread": thread, "namespace": namespace, "ids": [id]}
    while True:
        try:
            return (yield ("update", name, {"patch": added}))
        except NotFound:
            pass
        try:
            yield ("register", name, "json", first, {})
            return first
        except AlreadyExists:
            continue


def _give_up(place: str, index: Document, keep: int) -> Steps[None]:
    yield from _drop(place, ids_of(index)[:-keep])


def _drop(place: str, ids: list[str]) -> Steps[None]:
    """Takes checkpoints out of the index, and then away."""
    if not ids:
        return
    name = f"{place}.{INDEX}"
    while True:
        try:
            index = yield ("variable", name, {})
            left = [id for id in index.value["ids"] if id not in ids]
            yield ("set", name, {**index.value, "ids": left}, {"expected_version": index.version})
            break
        except NotFound:
            break
        except BridgeError as error:
            if error.status != Status.VERSION_CONFLICT:
                raise
    yield from _delete(name for id in ids for name in (f"{place}.{id}", f"{place}.{id}.{WRITES}"))


def _delete(names: Iterable[str]) -> Steps[None]:
    for name in names:
        try:
            yield ("delete", name, {})
        except NotFound:
            continue


def _indexes(thread: str | None) -> Steps[list[Document]]:
    """The indexes of one thread, or of all."""
    pattern = f"{PREFIX}.{'*' if thread is None else key_of(thread)}.*.{INDEX}"
    found = yield ("list", pattern, {})
    return [each.value for each in found if thread is None or each.value["thread"] == thread]


def _tuples(serde: Any, index: Document, ids: list[str]) -> Steps[list[CheckpointTuple]]:
    place = place_of(index["thread"], index["namespace"])
    made = []
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        names = [name for id in page for name in (f"{place}.{id}", f"{place}.{id}.{WRITES}")]
        found = yield ("get_many", names, {})
        for id in page:
            if (document := found.get(f"{place}.{id}")) is not None:
                made.append(tuple_of(serde, document, found.get(f"{place}.{id}.{WRITES}")))
    return made


# Checkpoints read, and variables deleted, at once.
_PAGE = 100
