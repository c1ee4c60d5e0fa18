"""The kinds of programs, by the name that a document has in `module`.

Owns the list. Reading order: base, plain, agents, code, selection, examples, sequence, custom.
Whoever parses documents and builds modules looks here; no kind knows another.
"""

from __future__ import annotations

from .agents import REACT, uses_native_calls
from .base import Fields, Kind, Parts, signature_fields
from .code import CODE_ACT, PROGRAM_OF_THOUGHT, interpreter_of
from .custom import PYTHON
from .examples import KNN_FEW_SHOT
from .plain import CHAIN_OF_THOUGHT, MULTI_CHAIN_COMPARISON, PREDICT
from .selection import BEST_OF_N, ENSEMBLE, REFINE
from .sequence import SEQUENCE

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        PREDICT,
        CHAIN_OF_THOUGHT,
        REACT,
        PROGRAM_OF_THOUGHT,
        CODE_ACT,
        MULTI_CHAIN_COMPARISON,
        BEST_OF_N,
        REFINE,
        ENSEMBLE,
        KNN_FEW_SHOT,
        SEQUENCE,
        PYTHON,
    )
}

__all__ = [
    "KINDS",
    "PYTHON",
    "Fields",
    "Kind",
    "Parts",
    "interpreter_of",
    "signature_fields",
    "uses_native_calls",
]
