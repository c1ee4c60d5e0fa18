"""Language models of kind `litellm`, against a provider's HTTP interface served by the test, and
what is refused when a package is missing or too old.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

dspy = pytest.importorskip("dspy")

from dspy_fakes import FakeContext, RuleModel  # noqa: E402
from snakepit_bridge.errors import Unsupported  # noqa: E402
from snakepit_bridge.frameworks import load  # noqa: E402
from snakepit_bridge.frameworks.dspy import compat  # noqa: E402


class Provider(http.server.BaseHTTPRequestHandler):
    """Speaks OpenAI's chat completions over the rule model."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.headers["authorization"], body))
        text = RuleModel().text(body)
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        base = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m1"}
        if body.get("stream"):
            pieces = [text[i : i + 4] for i in range(0, len(text), 4)]
            events = [{"delta": {"content": p}, "finish_reason": None} for p in pieces]
            events.append({"delta": {}, "finish_reason": "stop"})
            lines = [json.dumps({**base, "choices": [{"index": 0, **e}]}) for e in events]
            lines.append(json.dumps({**base, "choices": [], "usage": usage}))
            data = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
            kind = "text/event-stream"
        else:
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            data = json.dumps({**base, "choices": [choice], "usage": usage}).encode()
            kind = "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    seen: list[tuple[str, dict[str, Any]]] = []
    handler = type("Handler", (Provider,), {"seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
    server.shutdown()
    server.server_close()
    thread.join(10)


def predict(ctx: FakeContext, lm: dict[str, Any]) -> dict[str, Any]:
    framework = load("dspy")
    framework.start({})
    handler = framework.operations()["predict"].handler
    inputs = {"question": "capital of Peru?"}
    call = handler(ctx, signature="question -> answer", inputs=inputs, lm=lm)
    return asyncio.run(asyncio.wait_for(call, 20))


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_is_asked_with_the_key_from_the_environment(provider, stream, monkeypatch):
    base, seen = provider
    monkeypatch.setenv("DEMO_KEY", "sk-secret")
    ctx = FakeContext(stream)
    lm = {"kind": "litellm", "model": "openai/gpt-4o-mini", "api_base": base}
    result = predict(ctx, {**lm, "api_key_env": "DEMO_KEY", "temperature": 0.5})
    assert result["outputs"] == {"answer": "Lima"} and result["lm_calls"] == 1
    assert result["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    ((authorization, body),) = seen
    assert authorization == "Bearer sk-secret"
    assert body["model"] == "gpt-4o-mini" and body["temperature"] == 0.5
    assert bool(body.get("stream")) is stream
    text = "".join(chunk["text"] for chunk in ctx.chunks)
    assert text == ("Lima" if stream else "")


def test_a_provider_that_needs_litellm_says_so():
    pytest.importorskip("dspy")
    try:
        import litellm  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("litellm is installed here")
    with pytest.raises(Unsupported, match="needs the package litellm, which is not installed"):
        predict(FakeContext(), {"kind": "litellm", "model": "bedrock/some-model"})


@pytest.mark.parametrize("version", ["3.3.9", "2.6.1", "0.1", "nightly"])
def test_an_older_dspy_is_refused_by_version(version):
    with pytest.raises(compat.UnsupportedDspy, match=f"needs dspy 3.4 or later.*found {version}"):
        compat.check_version(version)


@pytest.mark.parametrize("version", ["3.4.0", "3.4.1rc1", "3.10", "4.0"])
def test_a_newer_dspy_is_taken(version):
    compat.check_version(version)
