"""The DSPy adapter (framework id `dspy`): DSPy programs run with the host's language model and
tools.

It needs dspy 3.4 or later and says so if it is missing or older. Modules here import DSPy at their
top, so nothing outside may import this package before the framework is configured. Reading order:
framework, program_operations, running, cache, build, documents, kinds, stored, learned, describe,
results, checks, calls; signature, field_types, lm, engines, wire, tools, streaming; metrics,
judges, comparisons, scores, registry, settings, data, rewards, embedders.
"""

from __future__ import annotations

from . import compat

compat.require()

# After the version check, which explains what is missing.
from .framework import DSPyFramework  # noqa: E402
from .registry import metric, program  # noqa: E402

__all__ = ["DSPyFramework", "metric", "program"]
