"""The peer of clusters: calls of one Ray actor, on this machine alone.

The host is Python; Ray serialises values there and back and keeps what is large in its object
store. It must not know what it is compared with.
"""

import logging

import many
import ray


@ray.remote
class Actor:
    """One process."""

    def echo(self, value):
        """The handler."""
        return value


def main():
    """Until its input ends."""
    ray.init(num_cpus=2, include_dashboard=False, logging_level=logging.ERROR)
    actor = Actor.remote()
    ray.get(actor.echo.remote(None))

    def ended(calls):
        ready, _ = ray.wait(list(calls), num_returns=1)
        return zip(ready, ray.get(ready), strict=True)

    many.serve(actor.echo.remote, ended)
    ray.shutdown()


if __name__ == "__main__":
    main()
