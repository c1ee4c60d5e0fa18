"""The one place where a failure inside DSPy becomes the bridge's own error, with its status.

It owns which of DSPy's errors means what to the host. It must not know operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dspy

from snakepit_bridge.errors import BridgeError, InvalidArgument, Status, Unsupported
from snakepit_bridge.failures import cut

from .abort import CallEnded
from .signature import SignatureRefused
from .wire import TOO_LONG

__all__ = ["ModelFailed", "faults", "own_error"]


class ModelFailed(BridgeError):
    """A language model, or what it answered, is the reason that a program failed. `details.reason`
    says in one word why."""


@contextmanager
def faults() -> Iterator[None]:
    """Gives each failure inside its own status instead of DSPy's wrapping of it."""
    try:
        yield
        return
    except CallEnded as ended:
        own: BaseException = ended.cause
    except Exception as error:
        own = own_error(error)
    # Raised outside the handlers: DSPy's errors have `own` as their cause, so it must not have them
    # as its context.
    raise own


def own_error(error: Exception) -> Exception:
    """The error to tell the host of; `error` itself if there is no better one."""
    found = _bridge_cause(error)
    if found is not None:
        return found
    if (missing := _missing_litellm(error)) is not None:
        return missing
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, SignatureRefused):
            return InvalidArgument(str(seen))
        if isinstance(seen, dspy.AdapterParseError):
            return _unreadable(seen)
        if isinstance(seen, dspy.LMError):
            return _model_failed(seen)
        seen = seen.__cause__
    return error


def _bridge_cause(error: BaseException) -> BridgeError | None:
    """The bridge's own error behind one of DSPy's."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, BridgeError):
        seen = seen.cause if isinstance(seen, CallEnded) else seen.__cause__
    return seen


def _missing_litellm(error: BaseException) -> Unsupported | None:
    """A clear refusal, if `error` came from a provider that only litellm reaches while litellm is
    not installed."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ImportError) and "litellm" in str(seen).lower():
            return Unsupported(
                "lm of kind `litellm` with a provider that DSPy does not speak itself needs the "
                "package litellm, which is not installed for the worker: pip install litellm"
            )
        seen = seen.__cause__ or seen.__context__
    return None


def _unreadable(error: dspy.AdapterParseError) -> ModelFailed:
    expected = list(error.signature.output_fields)
    found = list(error.parsed_result) if isinstance(error.parsed_result, dict) else []
    missing = [name for name in expected if name not in found] or expected
    failed = ModelFailed(
        f"answer of the language model cannot be read by the {_adapter(error)} adapter, expected "
        f"output fields {', '.join(f'`{name}`' for name in missing)}",
        status=Status.TOOL_FAILED,
        details={
            "reason": "unreadable_answer",
            "adapter": _adapter(error),
            "expected": expected,
            "found": found,
            "completion": cut(str(error.lm_response), _COMPLETION_CHARS_MAX),
        },
    )
    failed.__cause__ = None
    return failed


def _adapter(error: dspy.AdapterParseError) -> str:
    return str(error.adapter_name).removesuffix("Adapter").lower()


def _model_failed(error: dspy.LMError) -> ModelFailed:
    reason, status, retryable = next(entry for kind, entry in _STATUSES if isinstance(error, kind))
    details: dict[str, Any] = {"reason": reason}
    for name in ("model", "provider_code", "status", "request_id"):
        if (value := getattr(error, name, None)) is not None:
            details[name] = value
    if error.retry_after is not None:
        details["retry_after_s"] = error.retry_after
    failed = ModelFailed(str(error), status=status, details=details, retryable=retryable)
    failed.__cause__ = error
    return failed


# What is nearest stands first: several of these are subclasses of later ones.
_STATUSES: tuple[tuple[type[Exception], tuple[str, Status, bool]], ...] = (
    (dspy.ContextWindowExceededError, (TOO_LONG, Status.INVALID_ARGUMENT, False)),
    (dspy.LMRateLimitError, ("rate_limit", Status.RESOURCE_EXHAUSTED, True)),
    (dspy.LMAuthError, ("auth", Status.UNAVAILABLE, False)),
    (dspy.LMBillingError, ("billing", Status.UNAVAILABLE, False)),
    (dspy.LMTimeoutError, ("timeout", Status.DEADLINE, True)),
    (dspy.LMServerError, ("server", Status.UNAVAILABLE, True)),
    (dspy.LMUnsupportedModelError, ("unsupported_model", Status.UNSUPPORTED, False)),
    (dspy.LMUnsupportedFeatureError, ("unsupported_feature", Status.UNSUPPORTED, False)),
    (dspy.LMInvalidRequestError, ("invalid_request", Status.INVALID_ARGUMENT, False)),
    (dspy.LMConfigurationError, ("configuration", Status.INVALID_ARGUMENT, False)),
    (dspy.LMTransportError, ("transport", Status.UNAVAILABLE, True)),
    (dspy.LMError, ("provider", Status.TOOL_FAILED, False)),
)
_COMPLETION_CHARS_MAX = 8 * 1024
