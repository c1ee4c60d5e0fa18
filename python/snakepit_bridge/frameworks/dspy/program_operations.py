"""Operations on programs that are data: run one, look at one, check one, and DSPy's own state files
out of one and into one.

It owns the words of these operations and the write of a new version. How a program is built and run
is not known here.
"""

from __future__ import annotations

from typing import Any

import dspy

from snakepit_bridge.context import CallContext
from snakepit_bridge.errors import BridgeError, Status
from snakepit_bridge.frameworks.base import operation

from . import program_schemas as schemas
from .build import gather, make
from .chunk_schemas import TOKENS
from .describe import described
from .documents import Program, parse
from .faults import faults
from .kinds import KINDS
from .learned import saved, with_state
from .registry import METRICS, PROGRAMS
from .running import Runner
from .schemas import DOCUMENT
from .stored import Resolved, resolve

__all__ = ["ProgramOperations"]


class ProgramOperations:
    """The part of the framework that works on program documents."""

    runner: Runner

    @operation(parameters=schemas.RUN, result=schemas.RUN_RESULT, chunk=TOKENS, streaming=True)
    async def run(
        self,
        ctx: CallContext,
        program: Any,
        inputs: dict[str, Any],
        lm: dict[str, Any] | None = None,
        adapter: str | None = None,
        config: dict[str, Any] | None = None,
        history: bool = False,
        status: list[str] | None = None,
    ) -> dict[str, Any]:
        """Runs a program: the one in a variable, by its newest or by an older version, or a
        document."""
        return await self.runner.run(
            program,
            inputs,
            ctx,
            call_lm=lm,
            adapter=adapter,
            config=config,
            history=history,
            status=status,
        )

    @operation(parameters=schemas.PROGRAM, result=schemas.DESCRIPTION, idempotent=True)
    async def describe_program(self, ctx: CallContext, program: Any) -> dict[str, Any]:
        """What a program takes and answers, its predictors with their prompts, what it has learned,
        and which tools and variables it uses."""
        with faults():
            source, checked, module = await self._built(program, ctx)
            return {**described(checked, module), **_stored(source)}

    @operation(parameters=schemas.PROGRAM, result=schemas.VERDICT, idempotent=True)
    async def check_program(self, ctx: CallContext, program: Any) -> dict[str, Any]:
        """Whether a program can be built here and now; if not, the place in the document and what
        is wrong with it."""
        with faults():
            source = await resolve(program, ctx)
        try:
            with faults():
                await self._checked(source, ctx)
        except BridgeError as fault:
            # What the document names may be missing, too: a variable, a package, an option.
            named = fault.status in (Status.NOT_FOUND, Status.TYPE_MISMATCH)
            if not named and "place" not in fault.details:
                raise
            place = str(fault.details.get("place", ""))
            return {"valid": False, "place": place, "message": fault.message}
        return {"valid": True}

    @operation(parameters=schemas.NOTHING, result=schemas.KINDS_TOLD, idempotent=True)
    async def program_kinds(self, ctx: CallContext) -> dict[str, Any]:
        """The kinds of programs with what each needs and the JSON Schema of its options, and the
        names that configured modules offer."""
        return {
            "kinds": {name: kind.describe() for name, kind in KINDS.items()},
            "document": {"type": "object", "properties": DOCUMENT, "required": ["module"]},
            "programs": sorted(PROGRAMS),
            "metrics": sorted(METRICS),
        }

    @operation(parameters=schemas.PROGRAM, result=schemas.STATE, idempotent=True)
    async def save_state(self, ctx: CallContext, program: Any) -> dict[str, Any]:
        """What the program has learned, as DSPy's own `Module.save("name.json")` writes it."""
        with faults():
            source, _, module = await self._built(program, ctx)
            return {"state": saved(module), **_stored(source)}

    @operation(parameters=schemas.LOAD, result=schemas.LOADED)
    async def load_state(
        self,
        ctx: CallContext,
        program: Any,
        state: dict[str, Any],
        expected_version: int | None = None,
        owner: str = "",
    ) -> dict[str, Any]:
        """Puts what DSPy's own `Module.save("name.json")` wrote into a program: a new version of
        its variable, or the document with it."""
        with faults():
            source, _, module = await self._built(program, ctx)
            document = with_state(source.document, module, state)
            if source.variable is None:
                return {"program": document}
            # Nothing that somebody wrote meanwhile gets lost.
            expected = source.newest if expected_version is None else expected_version
            version = await ctx.session.aset(source.variable, document, expected, owner)
            return {"program": {"variable": source.variable, "version": version}}

    async def _built(
        self, reference: Any, ctx: CallContext
    ) -> tuple[Resolved, Program, dspy.Module]:
        source = await resolve(reference, ctx)
        return source, *await self._checked(source, ctx)

    async def _checked(self, source: Resolved, ctx: CallContext) -> tuple[Program, dspy.Module]:
        program = parse(source.document)
        material = await gather(program, ctx, self.runner.interpreter)
        return program, make(program, material, ctx)


def _stored(source: Resolved) -> dict[str, Any]:
    stored = source.describe()
    return {} if stored is None else {"program": stored}
