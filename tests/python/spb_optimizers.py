"""What the tests of optimizers ask a worker about itself, beside its optimizers.

Owns functions only; nothing here knows DSPy.
"""

from __future__ import annotations

import os
import threading

from snakepit_bridge import function


@function
def process() -> int:
    """The worker's process id."""
    return os.getpid()


@function
def threads() -> list[str]:
    """Names of the threads that belong to some optimizer, or that one has started."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("optimizer", "ThreadPoolExecutor"))]


@function
def files() -> list[str]:
    """What lies in the worker's working directory."""
    return os.listdir()
