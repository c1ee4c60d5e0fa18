"""The peer that most people would build: a grpcio server on a Unix socket, `sync` or `aio`.

Each call's bytes are decoded to Python objects, given to an echo, and encoded again; the messages
are bytes on the wire, without protobuf. It must not know who calls it.
"""

import asyncio
import json
import sys
from concurrent import futures

import grpc
import spb_busy

THREADS = 64


def echo(value):
    """The handler."""
    return value


def encoded(value):
    """As compact as the product's JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def answer(request):
    """What one call's bytes become."""
    return encoded(echo(**json.loads(request)))


class Sync:
    """Handlers on threads."""

    def echo(self, request, _):
        """One call."""
        return answer(request)

    def chunks(self, request, _):
        """A stream of numbers."""
        return (encoded(number) for number in range(json.loads(request)["count"]))

    def compute(self, request, _):
        """Makes a thread of this process busy, or idle."""
        return compute(request)


class Aio:
    """The same on the event loop."""

    async def echo(self, request, _):
        """One call."""
        return answer(request)

    async def chunks(self, request, _):
        """A stream of numbers."""
        for number in range(json.loads(request)["count"]):
            yield encoded(number)

    async def compute(self, request, _):
        """Makes a thread of this process busy, or idle."""
        return compute(request)


def compute(request):
    """Its request says `start` or `stop`."""
    {"start": spb_busy.start, "stop": spb_busy.stop}[json.loads(request)["verb"]]()
    return b"{}"


def service(handlers):
    """Bytes in, bytes out."""
    methods = {
        "echo": grpc.unary_unary_rpc_method_handler(handlers.echo),
        "chunks": grpc.unary_stream_rpc_method_handler(handlers.chunks),
        "compute": grpc.unary_unary_rpc_method_handler(handlers.compute),
    }
    return (grpc.method_handlers_generic_handler("peer", methods),)


def serve_sync(address):
    """Until its input ends."""
    server = grpc.server(futures.ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers(service(Sync()))
    server.add_insecure_port(address)
    server.start()
    tell_ready()
    sys.stdin.read()
    server.stop(0).wait()


async def serve_aio(address):
    """Until its input ends."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(service(Aio()))
    server.add_insecure_port(address)
    await server.start()
    tell_ready()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


def tell_ready():
    """Whoever started this process waits for it."""
    print(json.dumps({"ready": True}), flush=True)


if __name__ == "__main__":
    _, kind, socket_path = sys.argv
    if kind == "aio":
        asyncio.run(serve_aio(f"unix:{socket_path}"))
    else:
        serve_sync(f"unix:{socket_path}")
