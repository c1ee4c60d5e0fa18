"""Functions for the scenarios of tests/conformance, which every host runs.

What they give back does not depend on the machine, the moment or the host's language. Nothing here
knows how it is called.
"""

from snakepit_bridge import CallContext, function


@function
def caught(ctx: CallContext, name: str, arguments: dict):
    """What Python sees of a tool that fails."""
    try:
        return {"returned": ctx.session.tools.call(name, arguments)}
    except Exception as fault:
        return {
            "type": type(fault).__name__,
            "status": fault.status.name,
            "message": fault.message,
            "details": fault.details,
            "retryable": fault.retryable,
        }


@function
def caught_status(ctx: CallContext, name: str, arguments: dict):
    """The status alone, for a failure whose message is the host's own."""
    return caught(ctx, name, arguments)["status"]


@function
def digits(value):
    """A number as Python has it: what JSON readers would round stays visible."""
    return repr(value)
