"""What configured modules offer to DSPy operations by name: their metrics and programs.

It owns the decorators and the names. Something is here because a configured module was imported and
its decorator ran; a name from the wire only ever looks up this registry.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["ARGUMENTS_MAX", "METRICS", "PROGRAMS", "arguments", "metric", "program"]

Function = TypeVar("Function", bound=Callable[..., Any])


def metric(target: Any = None, *, name: str | None = None) -> Any:
    """Offers a function of a configured module as metric `{"kind": "python", "name": ...}`.

    It is called with as many as it takes of example, prediction, trace, predictor name and
    predictor trace, perhaps from several threads at once, and answers a number, a boolean, or
    `dspy.Prediction(score=..., feedback=...)` or a dict with these keys.
    """
    if target is None:
        return lambda wrapped: _register(wrapped, name)
    return _register(target, name)


def program(target: Any = None, *, name: str | None = None) -> Any:
    """Offers a `dspy.Module` class of a configured module, or a function that makes such a module,
    to program documents: `{"module": "python", "options": {"name": ..., "arguments": {...}}}`.

    It is called with the document's arguments. Its predictors are what optimizers improve and what
    `state` keeps. A class without `aforward` runs on a thread. Each call has an object of its own,
    which an operation on many inputs runs several times at once.
    """
    if target is None:
        return lambda wrapped: _offer(wrapped, name)
    return _offer(target, name)


def arguments(function: Callable[..., Any]) -> int:
    """How many of the five arguments the function takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return ARGUMENTS_MAX
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(ARGUMENTS_MAX, sum(each.kind in places for each in parameters))


def _register(target: Function, name: str | None) -> Function:
    if not inspect.isfunction(target) or inspect.iscoroutinefunction(target):
        raise TypeError(f"{target!r} is not a plain function, which a metric must be")
    if arguments(target) < 2:
        raise TypeError(f"metric {target.__qualname__} must take an example and a prediction")
    known = METRICS.get(name or target.__name__)
    if known is not None and _place(known) != _place(target):
        raise TypeError(f"metric {name or target.__name__!r} is taken by {_place(known)}")
    METRICS[name or target.__name__] = target
    return target


def _offer(target: Any, name: str | None) -> Any:
    if not inspect.isclass(target) and not inspect.isfunction(target):
        raise TypeError(f"{target!r} is neither a class nor a function, which a program must be")
    key = name or target.__name__
    known = PROGRAMS.get(key)
    if known is not None and _place(known) != _place(target):
        raise TypeError(f"program {key!r} is taken by {_place(known)}")
    PROGRAMS[key] = target
    return target


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


METRICS: dict[str, Callable[..., Any]] = {}
PROGRAMS: dict[str, Callable[..., Any]] = {}
ARGUMENTS_MAX = 5
