"""All optimizers by name.

It owns the list and the refusal of a name that is not on it. Whoever adds an optimizer adds it to
its group and changes nothing else.
"""

from __future__ import annotations

from ..checks import known_name
from .composed import COMPOSED
from .demonstrations import DEMONSTRATIONS
from .instructions import INSTRUCTIONS
from .spec import Optimizer
from .weights import WEIGHTS

__all__ = ["OPTIMIZERS", "find"]

OPTIMIZERS: dict[str, Optimizer] = {
    optimizer.name: optimizer for optimizer in (*DEMONSTRATIONS, *INSTRUCTIONS, *WEIGHTS, *COMPOSED)
}


def find(name: str) -> Optimizer:
    """The optimizer of that name. Raises `Refused`, with the nearest name."""
    known_name(name, OPTIMIZERS, "optimizer", "optimizer")
    return OPTIMIZERS[name]
