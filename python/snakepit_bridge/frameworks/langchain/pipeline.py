"""Pipelines as data: from a document to LangChain's runnables, one function for each kind of step.

It owns the kinds and their checks; building is checking, and each refusal names its place. What a
step needs of the host (tools, variables) was asked before. It must not know operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.runnables import (
    Runnable,
    RunnableBranch,
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
    RunnableSequence,
)

from snakepit_bridge.context import current
from snakepit_bridge.errors import (
    Busy,
    DeadlineExceeded,
    InvalidArgument,
    ResourceExhausted,
    ToolFailed,
    Unavailable,
)

from .agents import build_agent_step
from .checks import Fields, expected, nearest
from .conditions import condition
from .models import build_model
from .parsers import checked_by, list_parser
from .prompts import build_prompt
from .tools import Known, host_tools

__all__ = ["KINDS", "Needs", "build_pipeline"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What documents may refer to: the host's tools, and the language model of the call."""

    tools: Known = field(default_factory=dict)
    lm: dict[str, Any] | None = None


def build_pipeline(document: Any, needs: Needs, place: str = "pipeline") -> Runnable[Any, Any]:
    """The runnable of a document. Raises `InvalidArgument` naming the place at fault."""
    fields = Fields(document, place)
    kind = fields.text("kind")
    if kind not in KINDS:
        raise InvalidArgument(
            f"{place}.kind {kind!r}, expected one of {', '.join(KINDS)}{nearest(kind, KINDS)}"
        )
    name = fields.text("name", None)
    step = KINDS[kind](fields, needs)
    fields.end()
    return step if name is None else step.with_config(run_name=name)


def _prompt(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    return build_prompt(fields)


def _model(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    settings = fields.take("lm", dict, "settings of a language model", needs.lm)
    if settings is None:
        raise InvalidArgument(f"{fields.at('lm')} missing, expected it here or in the call")
    model = build_model(settings, fields.at("lm"))
    tools = host_tools(fields.texts("tools", []), needs.tools, fields.at("tools"))
    form = fields.form("response_schema", None)
    choice = fields.text("tool_choice", None)
    if form is not None:
        if tools:
            raise InvalidArgument(
                f"{fields.at('response_schema')} beside tools, expected one of them: "
                "an agent has both"
            )
        return model.with_structured_output(form.titled()) | checked_by(form)
    if not tools:
        return model
    return model.bind_tools(tools, tool_choice=choice)


def _parser(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    text = fields.choice("format", ("text", "json", "list"), "text")
    form = fields.form("schema", None)
    if form is not None and text != "json":
        raise InvalidArgument(f"{fields.at('schema')} for format {text}, expected format json")
    if text == "text":
        return StrOutputParser()
    if text == "list":
        return StrOutputParser() | list_parser()
    parser = JsonOutputParser()
    return parser if form is None else parser | checked_by(form)


def _sequence(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    documents = fields.take("steps", list, "a list of steps")
    if not documents:
        raise InvalidArgument(f"{fields.at('steps')} is empty, expected steps")
    place = fields.at("steps")
    steps = [
        build_pipeline(each, needs, f"{place}[{index}]") for index, each in enumerate(documents)
    ]
    return steps[0] if len(steps) == 1 else RunnableSequence(*steps)


def _named(fields: Fields, needs: Needs, name: str) -> dict[str, Runnable[Any, Any]]:
    documents = fields.take(name, dict, "steps by name")
    if not documents:
        raise InvalidArgument(f"{fields.at(name)} is empty, expected steps by name")
    return {
        key: build_pipeline(each, needs, f"{fields.at(name)}.{key}")
        for key, each in documents.items()
    }


def _parallel(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    return RunnableParallel(_named(fields, needs, "branches"))


def _assign(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    return RunnablePassthrough.assign(**_named(fields, needs, "values"))


def _passthrough(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    return RunnablePassthrough()


def _pick(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    if fields.has("key"):
        return RunnablePick(fields.text("key"))
    return RunnablePick(fields.texts("keys"))


def _constant(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    value = fields.value("value")

    async def constant(_: Any) -> Any:
        return value

    return RunnableLambda(constant)


def _tool(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    name = fields.text("tool")
    if name not in needs.tools:
        known = sorted(needs.tools)
        raise InvalidArgument(
            f"{fields.at('tool')}: no host tool {name!r}, expected one of "
            f"{', '.join(known) or 'none registered'}{nearest(name, known)}"
        )
    argument = fields.text("argument", None)
    timeout_ms = fields.number("timeout_ms", 1, _TIMEOUT_MS_MAX, None)
    place = fields.place

    async def call(given: Any) -> Any:
        arguments = given if argument is None else {argument: given}
        if not isinstance(arguments, dict):
            raise expected(f"input of {place}", given, "an object of arguments, or set argument")
        timeout = None if timeout_ms is None else timeout_ms / 1000
        return await current().session.tools.acall(name, arguments, timeout=timeout)

    return RunnableLambda(call, name=name)


def _branch(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    documents = fields.take("branches", list, 'a list of {"if", "then"}')
    if not documents:
        raise InvalidArgument(f'{fields.at("branches")} is empty, expected {{"if", "then"}}')
    branches = []
    for index, each in enumerate(documents):
        one = Fields(each, f"{fields.at('branches')}[{index}]")
        test = condition(one.take("if", dict, "a condition"), one.at("if"))
        then = build_pipeline(one.take("then", dict, "a step"), needs, one.at("then"))
        one.end()
        branches.append((RunnableLambda(test), then))
    other = build_pipeline(fields.take("else", dict, "a step"), needs, fields.at("else"))
    return RunnableBranch(*branches, other)


def _router(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    key, place = fields.text("key"), fields.place
    routes = _named(fields, needs, "routes")
    default = None
    if fields.has("default"):
        document = fields.take("default", dict, "a step")
        default = build_pipeline(document, needs, fields.at("default"))

    async def route(given: Any) -> Any:
        value = given.get(key) if isinstance(given, dict) else None
        chosen = routes.get(value, default) if isinstance(value, str) else default
        if chosen is None:
            raise InvalidArgument(
                f"input of {place}: {key} {value!r}, expected one of {', '.join(sorted(routes))}"
            )
        # A runnable that a function returns is run in its place.
        return chosen

    return RunnableLambda(route)


def _retry(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    step = build_pipeline(fields.take("step", dict, "a step"), needs, fields.at("step"))
    attempts = fields.number("attempts", 1, _ATTEMPTS_MAX, 3)
    wait = fields.take("wait", bool, "true or false", True)
    retrying = step.with_retry(
        retry_if_exception_type=_failures(fields),
        wait_exponential_jitter=wait,
        stop_after_attempt=attempts,
    )

    async def run(given: Any, config: RunnableConfig) -> Any:
        # LangChain does not try a stream again, so that what it shows is never shown twice.
        return await retrying.ainvoke(given, config)

    return RunnableLambda(run, name="retry")


def _fallbacks(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    step = build_pipeline(fields.take("step", dict, "a step"), needs, fields.at("step"))
    documents = fields.take("fallbacks", list, "a list of steps")
    place = fields.at("fallbacks")
    others = [build_pipeline(each, needs, f"{place}[{i}]") for i, each in enumerate(documents)]
    if not others:
        raise InvalidArgument(f"{place} is empty, expected steps")
    return step.with_fallbacks(others, exceptions_to_handle=_failures(fields))


def _failures(fields: Fields) -> tuple[type[BaseException], ...]:
    """Which failures are worth another attempt: those of models and tools, or every one."""
    which = fields.choice("on", ("failure", "any"), "failure")
    return _PASSING if which == "failure" else (Exception,)


def _agent(fields: Fields, needs: Needs) -> Runnable[Any, Any]:
    return build_agent_step(fields, needs.tools, needs.lm)


_Builder = Callable[[Fields, Needs], Runnable[Any, Any]]

KINDS: dict[str, _Builder] = {
    "prompt": _prompt,
    "model": _model,
    "parser": _parser,
    "sequence": _sequence,
    "parallel": _parallel,
    "assign": _assign,
    "passthrough": _passthrough,
    "pick": _pick,
    "constant": _constant,
    "tool": _tool,
    "branch": _branch,
    "router": _router,
    "retry": _retry,
    "fallbacks": _fallbacks,
    "agent": _agent,
}
# Failures of models and tools, an answer that does not parse among them.
_PASSING: tuple[type[BaseException], ...] = (
    Busy,
    DeadlineExceeded,
    OutputParserException,
    ResourceExhausted,
    ToolFailed,
    Unavailable,
)
_TIMEOUT_MS_MAX = 24 * 3600 * 1000
_ATTEMPTS_MAX = 100
