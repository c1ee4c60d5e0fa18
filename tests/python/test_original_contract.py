"""A client that knows the original contract only, against the endpoint that `spb serve` opens.

The client is generated from `original.proto`; the platform, its worker and the socket are real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import grpc_tools
import pytest
from google.protobuf import json_format, struct_pb2
from grpc_tools import protoc

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """The modules that protoc makes of the original contract."""
    out = tmp_path_factory.mktemp("stubs")
    includes = [f"-I{HERE}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}"]
    outputs = [f"--python_out={out}", f"--grpc_python_out={out}"]
    code = protoc.main(["protoc", *includes, *outputs, "original.proto"])
    assert code == 0
    sys.path.insert(0, str(out))
    try:
        import original_pb2
        import original_pb2_grpc
    finally:
        sys.path.remove(str(out))
    return original_pb2, original_pb2_grpc


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a platform serves; it ends when its standard input does."""
    folder = tmp_path_factory.mktemp("serve")
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "guard_path": str(BINARIES / "snakepit-guard"),
                "pools": {
                    "default": {
                        "workers": 1,
                        "python": sys.executable,
                        "python_path": [str(HERE)],
                        "frameworks": {"python": {"modules": ["spb_testmod"]}},
                    }
                },
                "serve": {"address": f"unix:{folder}/served.sock"},
            }
        )
    )
    command = [str(BINARIES / "spb"), "serve", "--config", str(config)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.stdin.close()
        assert server.wait(timeout=30) == 0


@pytest.fixture
def execute(stubs, address):
    """Runs one operation with fields 1 to 4."""
    messages, services = stubs
    # Over a Unix socket grpcio sends the socket's path as :authority, percent-encoded, which Rust's
    # HTTP/2 refuses as malformed before the platform hears of it.
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(address, options) as channel:
        client = services.MLBridgeStub(channel)

        def run(operation, parameters, framework="python"):
            struct = struct_pb2.Struct()
            struct.update(parameters)
            request = messages.ExecuteFrameworkRequest(
                session_id="from-outside",
                framework_id=framework,
                operation_name=operation,
                parameters=struct,
            )
            return client.ExecuteFrameworkOperation(request, timeout=60, wait_for_ready=True)

        yield run


def test_an_operation_runs_and_answers_in_the_original_fields(execute):
    value = {"text": "é", "number": 5, "half": 0.5, "list": [True, None, {}]}
    response = execute("echo", {"value": value})
    assert response.success and response.error_message == ""
    assert json_format.MessageToDict(response.result) == value
    assert execute("session_id", {}).result.string_value == "from-outside"
    kinds = json_format.MessageToDict(execute("kinds", {"value": value}).result)
    assert kinds["number"] == "int" and kinds["half"] == "float"


def test_a_failure_is_told_in_error_message(execute):
    response = execute("fail", {"message": "no such luck"})
    assert not response.success
    assert "no such luck" in response.error_message
    response = execute("ecoh", {"value": 1})
    assert not response.success and 'did you mean "echo"?' in response.error_message


def test_what_a_double_cannot_hold_is_refused_not_mangled(execute):
    response = execute("make", {"what": "bytes"})
    assert not response.success and "payload" in response.error_message
    response = execute("deep_integer", {})
    assert not response.success and "9007199254740993" in response.error_message
