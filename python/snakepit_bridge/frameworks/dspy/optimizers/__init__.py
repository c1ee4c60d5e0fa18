"""DSPy's optimizers: operation `optimize` makes a better version of a stored program, `optimizers`
lists them with their options.

Reading order: operation, preparing, target, spec, table and its groups (demonstrations,
instructions, weights, composed), job, run, trials, listening, thread, progress, training.
"""

from __future__ import annotations

import tqdm

from .operation import optimize
from .schemas import LISTED, PARAMETERS, RESULT
from .table import OPTIMIZERS

# DSPy draws progress bars, which go to the log; a thread that looks after them is of no use.
tqdm.tqdm.monitor_interval = 0

__all__ = ["LISTED", "OPTIMIZERS", "PARAMETERS", "RESULT", "optimize"]
