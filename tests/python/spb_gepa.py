"""The judge and the reflecting model of the scenario with three pools, each in a pool of its own.

The judge knows what a good answer looks like and says what one lacks. The reflecting model knows
nothing but what it is asked: it turns the complaints that it finds there into rules. This module
must not know how either is reached.
"""

from __future__ import annotations

import os

from snakepit_bridge import function


@function
def grade(wanted: str, given: str) -> dict[str, object]:
    """Half a point for Roman numerals, half a point for brevity, and what is missing."""
    faults = []
    if wanted not in given:
        faults.append(ROMAN_FAULT)
    if " " in given.strip():
        faults.append(BRIEF_FAULT)
    return {"score": 1 - len(faults) / 2, "faults": faults, "process": os.getpid()}


@function
def reflect(instruction: str, examples: str) -> dict[str, object]:
    """The instruction with a rule for each complaint among the examples."""
    rules = [instruction]
    for fault, rule in ((ROMAN_FAULT, ROMAN_RULE), (BRIEF_FAULT, BRIEF_RULE)):
        if fault in examples and rule not in instruction:
            rules.append(rule)
    return {"instruction": "\n".join(rules), "process": os.getpid()}


ROMAN_FAULT = "The year is not in Roman numerals."
BRIEF_FAULT = "There are other words around the year."
ROMAN_RULE = "Write years in Roman numerals."
BRIEF_RULE = "Answer with the year alone."
