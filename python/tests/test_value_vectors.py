"""The shared examples of tests/vectors/values.json, run against `values`."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import pytest

from snakepit_bridge.errors import BridgeError, InvalidArgument, Unsupported, ValueRefused
from snakepit_bridge.values import decode, encode, encode_variable

VECTORS = json.loads((Path(__file__).parents[2] / "tests" / "vectors" / "values.json").read_text())


def text_of(vector) -> bytes:
    if "json_hex" in vector:
        return bytes.fromhex(vector["json_hex"])
    if "repeat" in vector:
        parts = vector["repeat"]
        times = parts["times"]
        text = parts["open"] * times + parts.get("middle", "") + parts["close"] * times
        return text.encode()
    return vector["json"].encode()


def attachments_of(vector):
    return [attachment_of(each) for each in vector.get("attachments", [])]


def attachment_of(each):
    if "tensor" in each:
        tensor = each["tensor"]
        data = bytes.fromhex(tensor["data_hex"])
        return tensor["dtype"], tuple(tensor["shape"]), data
    return bytes.fromhex(each["blob_hex"])


def contents(attachments):
    """Attachments in a form that can be compared."""
    return [
        (each[0], tuple(each[1]), bytes(each[2])) if isinstance(each, tuple) else bytes(each)
        for each in attachments
    ]


def knows_bfloat16():
    return importlib.util.find_spec("ml_dtypes") is not None


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=lambda vector: vector["name"])
def test_accepted(vector):
    attachments = attachments_of(vector)
    if (
        any(each[0] == "bfloat16" for each in attachments if isinstance(each, tuple))
        and not knows_bfloat16()
    ):
        with pytest.raises(Unsupported, match="ml_dtypes"):
            decode(text_of(vector), attachments)
        return
    document, attached = encode(decode(text_of(vector), attachments))
    expected = vector.get("canonical", text_of(vector).decode())
    assert document.decode() == expected
    used = contents(attachments)
    if "out of order" in vector["name"]:
        used.reverse()
    assert contents(attached) == used


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_refused(vector):
    if vector["fault"] in ("number", "depth"):
        # Such a document never reaches a worker; the object behind it must not leave one either.
        with pytest.raises(ValueRefused) as caught:
            encode(json.loads(text_of(vector)))
        assert caught.value.path == vector["path"]
        assert caught.value.details["path"] == vector["path"]
        return
    with pytest.raises(InvalidArgument):
        decode(text_of(vector), attachments_of(vector))


@pytest.mark.parametrize("vector", VECTORS["floats"], ids=lambda vector: vector["name"])
def test_floats(vector):
    value = decode(text_of(vector), [])
    assert repr(value) == vector["python"]
    with pytest.raises(ValueRefused):
        encode(value)
    if isinstance(value, float):
        assert repr(decode(*encode_variable(value))) == vector["python"]
    else:
        with pytest.raises(ValueRefused):
            encode_variable(value)


@pytest.mark.parametrize("vector", VECTORS["refused_tensors"], ids=lambda vector: vector["name"])
def test_refused_tensors(vector):
    with pytest.raises(BridgeError):
        decode(b'{"$spb":{"attachment":0}}', [attachment_of({"tensor": vector})])


def test_the_slow_path_gives_the_same_documents():
    for vector in VECTORS["accepted"]:
        if "attachments" in vector or "repeat" in vector:
            continue
        plain = decode(text_of(vector), [])
        # A tuple around it sends the whole tree the slow way.
        assert encode((plain,))[0] == b"[" + encode(plain)[0] + b"]", vector["name"]


def test_floats_stay_floats_and_integers_integers():
    for text in ("5.0", "5", "-0.0", "1e2"):
        value = decode(text.encode(), [])
        assert type(value) is type(json.loads(text))
        assert math.copysign(1, value) == math.copysign(1, json.loads(text))
