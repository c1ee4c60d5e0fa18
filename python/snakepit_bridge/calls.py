"""One call from its frame to its answer: parameters in, handler, result or failure out, exactly
once.

Owns the order of these steps for plain functions, coroutines and both kinds of generators, and the
rule that a cancelled call ends as cancelled whatever its handler returns. Must not know how a call
gets here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from . import _native, logs
from .bridge import Bridge, refused
from .context import CURRENT, CallContext
from .errors import InvalidArgument, Status, cancelled_error
from .failures import describe
from .frameworks.base import Operation
from .values import ENCODER, Encoded, decode, encode


class Calls:
    """Runs calls and reports their ends. `ended` is told each call id after its answer was sent."""

    def __init__(self, bridge: Bridge, ended: Callable[[int], None]) -> None:
        self._bridge = bridge
        self._link = bridge.link
        self._pass_result: Callable[..., bool] = bridge.link.try_send_plain_result
        self._ended = ended

    def run(self, call: CallContext, operation: Operation, json: Any, attachments: Any) -> None:
        """Runs a plain or generator operation here, in a context of its own. Never raises."""
        copy_context().run(self._run, call, operation, json, attachments)

    async def arun(
        self, call: CallContext, operation: Operation, json: Any, attachments: Any
    ) -> None:
        """Runs an `async` operation. Never raises."""
        CURRENT.set(call)
        try:
            running = _started(call, operation, json, attachments)
            if operation.kind == "async":
                result = await running
            else:
                await _pass_on_async(call, running)
                result = None
            encoded = self._encoded(operation, result)
        except BaseException as fault:
            self.fail(call, fault)
        else:
            self._succeed(call, encoded)

    def fail(self, call: CallContext, fault: BaseException) -> None:
        """Ends the call with the failure that `fault` describes, unless it has ended. Never
        raises.
        """
        if call.ended:
            return
        call.ended = True
        self._last_words(call)
        if isinstance(fault, _native.ValueRefused):
            fault = refused(fault)
        try:
            self._link.send_error(call.call_id, *describe(fault, call.cancel_reason))
        except _native.LinkClosed:
            pass
        except Exception as second:
            self._fail_plainly(call, second)
        self._ended(call.call_id)

    def _run(self, call: CallContext, operation: Operation, json: Any, attachments: Any) -> None:
        CURRENT.set(call)
        try:
            result = _started(call, operation, json, attachments)
            if operation.kind == "generator":
                result = _pass_on(call, result)
            # Most results take no more than the encoder, and end their call in one step.
            if (
                operation.result_contract is None
                and not call.partial_lines
                and self._pass_result(call.call_id, result, ENCODER)
            ):
                call.ended = True
                self._ended(call.call_id)
                return
            encoded = self._encoded(operation, result)
        except BaseException as fault:
            self.fail(call, fault)
        else:
            self._succeed(call, encoded)

    def _encoded(self, operation: Operation, result: Any) -> Encoded:
        encoded = encode(result, self._bridge.value_bytes_max)
        if operation.result_contract is not None:
            operation.result_contract.check(encoded[0])
        return encoded

    def _succeed(self, call: CallContext, encoded: Encoded) -> None:
        reason = call.cancel_reason
        if reason is not None:
            self.fail(call, cancelled_error(reason))
            return
        self._last_words(call)
        try:
            self._link.send_result(call.call_id, *encoded)
        except _native.LinkClosed:
            pass
        except Exception as fault:
            self.fail(call, fault)
            return
        call.ended = True
        self._ended(call.call_id)

    def _fail_plainly(self, call: CallContext, second: Exception) -> None:
        """The failure itself could not be sent; the call must end all the same."""
        message = f"failure of the call cannot be reported: {type(second).__name__}"
        with contextlib.suppress(Exception):
            self._link.send_error(call.call_id, int(Status.INTERNAL), message)

    def _last_words(self, call: CallContext) -> None:
        if call.partial_lines:
            logs.flush_call(call, self._link)


def _started(call: CallContext, operation: Operation, json: Any, attachments: Any) -> Any:
    parameters = decode(json, attachments) if json else {}
    if type(parameters) is not dict:
        kind = type(parameters).__name__
        raise InvalidArgument(f"parameters are a {kind}, expected an object")
    call.chunk_contract = operation.chunk_contract
    if operation.prepare is not None:
        parameters = operation.prepare(parameters)
    if operation.takes_context:
        return operation.handler(call, **parameters)
    return operation.handler(**parameters)


def _pass_on(call: CallContext, generator: Any) -> Any:
    """Emits what the generator yields and returns what it returns."""
    with contextlib.closing(generator):
        while True:
            if call.streaming:
                ended, given = call.emit_from(generator)
                if ended:
                    return given
                continue
            try:
                next(generator)
            except StopIteration as end:
                return end.value
            call.check_cancelled()


async def _pass_on_async(call: CallContext, generator: Any) -> None:
    async with contextlib.aclosing(generator):
        async for chunk in generator:
            await call.aemit(chunk)
