"""`StateCheckpointSaver`: LangGraph's checkpoints as variables of the session.

It owns what LangGraph asks of a saver, in its blocking and awaitable forms, and how many
checkpoints of a thread are kept. How they are written is `checkpoint_store`'s matter. It must not
know graphs or operations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from snakepit_bridge.context import current
from snakepit_bridge.session import Session

from . import checkpoint_store as store
from .checkpoint_layout import Query
from .checkpoint_store import arun, run

__all__ = ["CHECKPOINTS_KEPT", "StateCheckpointSaver"]


class StateCheckpointSaver(BaseCheckpointSaver[int]):
    """Keeps checkpoints in variables named `langgraph.…` of `session`, or of the session whose call
    is running: what one worker began, any other continues.

    Of each thread and namespace the newest `keep` checkpoints stay. Values are msgpack of the types
    that are safe or that the graph declares; nothing is pickled. Failures are the session's own.
    """

    def __init__(self, session: Session | None = None, *, keep: int | None = None) -> None:
        super().__init__(
            serde=JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
        )
        self._session = session
        self._keep = CHECKPOINTS_KEPT if keep is None else keep

    @property
    def session(self) -> Session:
        """Whose variables are used."""
        return current().session if self._session is None else self._session

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its thread."""
        return run(store.get_tuple(self.serde, config), self.session)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await arun(store.get_tuple(self.serde, config), self.session)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints of a thread, or of all, newest first."""
        query = Query.of(config, filter, before, limit)
        yield from run(store.find(self.serde, query), self.session)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        query = Query.of(config, filter, before, limit)
        for found in await arun(store.find(self.serde, query), self.session):
            yield found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keeps a checkpoint, and gives up the oldest above the limit."""
        steps = store.put(self.serde, config, checkpoint, metadata, self._keep)
        return run(steps, self.session)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        steps = store.put(self.serde, config, checkpoint, metadata, self._keep)
        return await arun(steps, self.session)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keeps what a task of the step behind a checkpoint has written so far."""
        run(store.put_writes(self.serde, config, writes, task_id, task_path), self.session)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `put_writes`."""
        await arun(store.put_writes(self.serde, config, writes, task_id, task_path), self.session)

    def delete_thread(self, thread_id: str) -> None:
        """Drops everything of a thread."""
        run(store.delete_thread(thread_id), self.session)

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await arun(store.delete_thread(thread_id), self.session)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Drops the checkpoints that these runs made."""
        run(store.delete_for_runs(self.serde, run_ids), self.session)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await arun(store.delete_for_runs(self.serde, run_ids), self.session)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies everything of a thread to another."""
        run(store.copy_thread(source_thread_id, target_thread_id), self.session)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await arun(store.copy_thread(source_thread_id, target_thread_id), self.session)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Drops all but the newest checkpoint of each namespace, or (`delete`) everything."""
        run(store.prune(self.serde, thread_ids, strategy), self.session)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`."""
        await arun(store.prune(self.serde, thread_ids, strategy), self.session)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> StateCheckpointSaver:
        """The same saver, which rebuilds these types as well."""
        made = StateCheckpointSaver(self._session, keep=self._keep)
        made.serde = self.serde.with_msgpack_allowlist(extra_allowlist)
        return made


# Of one thread and namespace, unless configured otherwise.
CHECKPOINTS_KEPT = 100
