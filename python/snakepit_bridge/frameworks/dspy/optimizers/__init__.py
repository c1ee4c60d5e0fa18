"""DSPy's optimizers: operation `optimize` makes a better version of a stored program, `optimizers`
lists them with their options.

Reading order: operation, preparing, target, spec, table and its groups (demonstrations,
instructions, weights, composed), job, run, trials, listening, thread, progress, training.
"""

from __future__ import annotations

from .operation import optimize
from .schemas import LISTED, PARAMETERS, RESULT
from .table import OPTIMIZERS

__all__ = ["LISTED", "OPTIMIZERS", "PARAMETERS", "RESULT", "optimize"]
