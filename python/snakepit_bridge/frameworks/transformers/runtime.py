"""The process-wide settings of torch and Transformers: threads, network, progress bars.

Owns what has to be set before they are imported, and the moment when a worker may use more than one
thread. Until then a template process may fork: libgomp does not outlive a fork of a process that
has used two threads. Must not know models or calls.
"""

from __future__ import annotations

import os
import threading

# Nothing here is ever fetched: a model is a folder of the host's choice.
for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DEACTIVATE_ASYNC_LOAD": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    # Threads that spin while they wait take the processors from every other worker.
    "OMP_WAIT_POLICY": "PASSIVE",
}.items():
    os.environ.setdefault(_name, _value)

import torch  # noqa: E402
import tqdm  # noqa: E402
import transformers  # noqa: E402

from snakepit_bridge.errors import Unsupported  # noqa: E402

__all__ = ["check_versions", "device_of", "versions", "wake"]

torch.set_num_threads(1)
# Bars would go to the log line by line, and their monitor is a thread.
tqdm.tqdm.monitor_interval = 0
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


def check_versions() -> None:
    """Raises `Unsupported` for a Transformers that this adapter does not know."""
    major = transformers.__version__.split(".")[0]
    if major != _TRANSFORMERS_MAJOR:
        found = transformers.__version__
        message = f"package transformers is {found}, expected {_TRANSFORMERS_MAJOR}.x"
        raise Unsupported(message)


def versions() -> dict[str, str]:
    """What an artifact is said to be made with."""
    return {"transformers": transformers.__version__, "torch": str(torch.__version__)}


def wake(threads: int | None) -> None:
    """To be called by whoever is about to compute: from here on this process will not be forked."""
    global _awake
    with _lock:
        if not _awake:
            torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
            _awake = True


def device_of(wanted: str) -> str:
    """`cpu` or `cuda` for `auto` as well. Raises `Unsupported` where there is no such device.

    Asks the driver, so it must not be called before the worker is awake.
    """
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise Unsupported("device `cuda` is configured, but torch finds no usable GPU here")
    return "cpu"


_TRANSFORMERS_MAJOR = "5"
_lock = threading.Lock()
_awake = False
