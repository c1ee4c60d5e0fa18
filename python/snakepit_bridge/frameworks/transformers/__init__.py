"""Hugging Face Transformers for the host: generation, classification, embeddings, fine-tuning.

`runtime` comes before everything that imports torch. Other frameworks of the same worker find the
started adapter by `running`, and train by `fine_tune_rows`.
"""

from __future__ import annotations

from . import runtime
from .framework import TransformersFramework, fine_tune_rows, generated, running

__all__ = ["TransformersFramework", "fine_tune_rows", "generated", "running", "runtime"]
