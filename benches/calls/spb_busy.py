"""A thread that computes in Python until it is told to stop: one for the product and its peers.

It never leaves the interpreter by itself, so who else wants to run has to wait for a switch.
"""

import threading

_thread: threading.Thread | None = None
_is_over = False


def start():
    """Begins to compute."""
    global _thread, _is_over
    _is_over = False
    _thread = threading.Thread(target=_compute, daemon=True)
    _thread.start()


def stop():
    """Returns when nothing computes any more."""
    global _is_over
    _is_over = True
    _thread.join()


def _compute():
    number = 1
    while not _is_over:
        number = (number * 48_271 + 11) % 2_147_483_647
