"""pydantic's refusals in the bridge's words: which place, what was expected, what was given.

Owns the way from pydantic's location, which also names branches of unions, to the path that all
errors of the platform use. Must not know what is being checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .conversions import rendered
from .errors import InvalidArgument


def refused_parameters(fault: Any, parameters: Any, what: str = "parameter") -> InvalidArgument:
    """The `InvalidArgument` for a `pydantic.ValidationError` of `parameters`. `details` has the
    `path` and `message` of the first refusal, and all of them, up to a limit, as `errors`.
    """
    found = [_refusal(each, parameters) for each in fault.errors(include_url=False)]
    # Among the branches of a union, the one that went deepest is the one that was meant.
    found.sort(key=lambda each: -each["path"].count(".") - each["path"].count("["))
    first = found[0]
    return InvalidArgument(
        f"{what} at {first['path']}: {first['message']}",
        details={"path": first["path"], "errors": found[:ERRORS_MAX]},
    )


def _refusal(error: Any, parameters: Any) -> dict[str, str]:
    message = str(error["msg"])
    if error["type"] not in _SELF_EXPLAINING:
        message += f"; given {_brief(error['input'])}"
    return {"path": rendered(_steps(error, parameters)), "message": message}


def _steps(error: Any, node: Any) -> list[str | int]:
    """The part of the location that leads through the given document."""
    steps: list[str | int] = []
    location = error["loc"]
    for index, step in enumerate(location):
        if _leads_on(node, step):
            node = node[step]
        elif not (error["type"] == "missing" and index == len(location) - 1):
            # The name of a union's branch, or of a validator.
            continue
        steps.append(step)
    return steps


def _leads_on(node: Any, step: str | int) -> bool:
    if isinstance(node, Mapping):
        return step in node
    return isinstance(node, list) and isinstance(step, int) and step < len(node)


def _brief(given: Any) -> str:
    kind = type(given).__name__
    if isinstance(given, (str, int, float)):
        text = repr(given)
        return text if len(text) <= GIVEN_CHARS_MAX else f"{text[:GIVEN_CHARS_MAX]}… ({kind})"
    return f"a value of type {kind}"


# Refusals of one call that its error lists.
ERRORS_MAX = 8
GIVEN_CHARS_MAX = 64
_SELF_EXPLAINING = ("missing", "extra_forbidden", "tensor_dtype", "tensor_shape")
