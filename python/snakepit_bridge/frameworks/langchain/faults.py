"""Failures of LangChain and LangGraph as failures of the bridge, each with a status of its own.

It owns the mapping. Whatever has no status of its own here stays the Python exception that it is.
It must not know operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langchain.agents.structured_output import StructuredOutputError
from langchain_core.exceptions import OutputParserException
from langgraph.errors import EmptyInputError, GraphRecursionError, InvalidUpdateError

from snakepit_bridge.errors import BridgeError, InvalidArgument, ResourceExhausted
from snakepit_bridge.host_lm import MalformedAnswer

__all__ = ["faults"]


@contextmanager
def faults() -> Iterator[None]:
    """Gives each failure inside its own status."""
    try:
        yield
        return
    except BridgeError:
        raise
    except Exception as error:
        own = _own(error)
    # Raised outside the handler: what is behind it may have `own` as its cause already.
    raise own


def _own(error: Exception) -> Exception:
    if (cause := _bridge_cause(error)) is not None:
        return cause
    if isinstance(error, OutputParserException):
        raw = error.llm_output if isinstance(error.llm_output, str) else ""
        return MalformedAnswer(
            f"answer of the model does not parse: {_short(error)}",
            details={"completion": raw[:_COMPLETION_MAX]},
        )
    if isinstance(error, StructuredOutputError):
        return MalformedAnswer(f"structured answer of the model: {_short(error)}")
    if isinstance(error, GraphRecursionError):
        return ResourceExhausted(f"graph did not end: {_short(error)}", retryable=False)
    if isinstance(error, (EmptyInputError, InvalidUpdateError)):
        return InvalidArgument(f"graph was given what it cannot take: {_short(error)}")
    return error


def _bridge_cause(error: BaseException) -> BridgeError | None:
    """The bridge's own error behind one of LangChain's."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, BridgeError):
        seen = seen.__cause__
    return seen


def _short(error: Exception) -> str:
    """The first line: LangChain adds advice and addresses behind it."""
    return str(error).strip().split("\n", 1)[0][:_MESSAGE_MAX]


_MESSAGE_MAX = 1000
_COMPLETION_MAX = 4000
