"""The program that is optimized, where it lives in a variable: locked as `optimizing` while the run
lasts, written as its new version at the end.

It owns the lock's owner, time and renewal. The host gives the lock back however the call ends; its
time only counts where the host itself is gone. It must not know what a program is.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError
from snakepit_bridge.locks import VariableLock

from ..stored import Resolved, resolve
from .run import Run

__all__ = ["Target", "reserved"]


class Target:
    """What is optimized: a document, from a variable or from the call."""

    def __init__(self, source: Resolved, lock: VariableLock | None) -> None:
        self.source = source
        self._lock = lock

    def as_it_is(self) -> dict[str, Any]:
        """Where the program is, or itself, with nothing written."""
        return self.source.describe() or self.source.document

    async def write(self, document: dict[str, Any]) -> dict[str, Any]:
        """Writes the new version, over that one only which was current at the start; answers where
        it is. Without a variable: the document itself."""
        if self._lock is None:
            return document
        version = await self._lock.aset(document, expected_version=self.source.newest)
        return {"variable": self.source.variable, "version": version}


@contextlib.asynccontextmanager
async def reserved(reference: Any, ctx: CallContext, run: Run, what: str) -> AsyncIterator[Target]:
    """The target of `reference`, its variable locked during the block. `what` goes into the name of
    the lock's owner. Raises `Busy` while somebody else has it, and what `resolve` raises."""
    name = _variable(reference)
    if name is None:
        yield Target(await resolve(reference, ctx), None)
        return
    owner = f"optimizing with {what} {secrets.token_hex(8)}"
    lock = ctx.session.lock(name, ttl=TTL_SECONDS, owner=owner)
    await lock.arefresh()
    keeper = asyncio.create_task(_keep(lock, run))
    try:
        yield Target(await resolve(reference, ctx), lock)
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        # A cancelled call may ask for nothing any more: then the host does it.
        with contextlib.suppress(BridgeError):
            await lock.__aexit__()


async def _keep(lock: VariableLock, run: Run) -> None:
    while True:
        await asyncio.sleep(TTL_SECONDS / 3)
        try:
            await lock.arefresh()
        except BridgeError as lost:
            run.stop(lost)
            return


def _variable(reference: Any) -> str | None:
    if isinstance(reference, dict):
        reference = reference.get("variable")
    return reference if isinstance(reference, str) and reference else None


TTL_SECONDS = 30.0
