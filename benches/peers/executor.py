"""The peer of the standard library: `concurrent.futures.ProcessPoolExecutor` with one worker.

Values are pickled there and back; the host is Python, so that no other language's cost is in it.
It must not know what it is compared with.
"""

import queue
from concurrent.futures import ProcessPoolExecutor

import many


def echo(value):
    """The handler."""
    return value


def main():
    """Until its input ends."""
    done = queue.SimpleQueue()
    with ProcessPoolExecutor(max_workers=1) as executor:

        def start(value):
            call = executor.submit(echo, value)
            call.add_done_callback(done.put)
            return call

        def ended(_):
            calls = [done.get()]
            while not done.empty():
                calls.append(done.get())
            return [(call, call.result()) for call in calls]

        # The worker is there before the first figure.
        executor.submit(echo, None).result()
        many.serve(start, ended)


if __name__ == "__main__":
    main()
