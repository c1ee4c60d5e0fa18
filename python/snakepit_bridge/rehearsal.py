"""What each worker does first, done in a template ahead of everything else, with no host.

Python looks attributes up, specialises code and links libraries when they are first used, and keeps
what it found: done here, no fork does it again, nor has a page for it alone. Nothing of the user's
is loaded yet, whose own hooks are for real forks only. Ends with no thread left. Must not know what
a worker serves.
"""

from __future__ import annotations

import ctypes
import threading

from .dispatch import Dispatcher


def rehearse() -> None:
    """Forks without forking, and serves a link that has ended."""
    for _ in range(ROUNDS):
        ctypes.pythonapi.PyOS_BeforeFork()
        ctypes.pythonapi.PyOS_AfterFork_Child()
        Dispatcher(_Ended(), {}, THREADS_MAX).run()
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(THREAD_SECONDS_MAX)


class _Ended:
    """A link that nothing comes from."""

    value_bytes_max = 0

    def next_batch(self, frames_max: int, wait_ms: int) -> None:
        """None: it has ended."""

    try_send_plain_chunk = try_send_plain_result = next_batch


# Python specialises what has run a few times.
ROUNDS = 16
THREADS_MAX = 2
# A thread that is left is named where the template refuses to fork.
THREAD_SECONDS_MAX = 5.0
