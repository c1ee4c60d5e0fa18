"""Tensors in every layout that numpy and torch have, as attachments and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from snakepit_bridge.errors import Unsupported, ValueRefused
from snakepit_bridge.tensors import DTYPES, to_torch
from snakepit_bridge.values import decode, encode

TAGGED = b'{"$spb":{"attachment":0}}'
BASE = np.arange(2 * 3 * 4).reshape(2, 3, 4)
LAYOUTS = {
    "row-major": lambda a: a,
    "column-major": np.asfortranarray,
    "backwards": lambda a: a[::-1, :, ::-1],
    "every second": lambda a: a[:, ::2, ::2],
    "turned": lambda a: a.transpose(2, 0, 1),
    "repeated": lambda a: np.broadcast_to(a[:1], (3, 3, 4)),
    "scalar": lambda a: a[0, 1, 2:3].reshape(()),
    "empty": lambda a: a[:, :0],
    "64 dimensions": lambda a: a.reshape((1,) * 61 + a.shape),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "not aligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [name for name in DTYPES if name != "bfloat16"])
def test_every_layout_of_every_dtype_comes_back(name, layout):
    array = LAYOUTS[layout](BASE.astype(name))
    document, attachments = encode({"t": array})
    dtype, shape, data = attachments[0]
    assert (dtype, shape) == (name, array.shape)
    assert bytes(data) == array.astype(array.dtype.newbyteorder("<"), order="C").tobytes()
    back = decode(document, attachments)["t"]
    assert back.dtype == np.dtype(name)
    np.testing.assert_array_equal(back, array)


def test_row_major_memory_is_not_copied():
    for array in (BASE, BASE[:1], np.array(2.5), BASE.reshape((1,) * 61 + BASE.shape)):
        ((_, _, data),) = encode([array])[1]
        seen = np.frombuffer(data, np.uint8)
        assert seen.ctypes.data == array.ctypes.data


def test_bits_are_kept():
    bits = np.array([0x7FF0_0000_0000_0001, 0xFFF8_DEAD_BEEF_0001, 1, 1 << 63], np.uint64)
    document, attachments = encode([bits.view(np.float64)])
    np.testing.assert_array_equal(decode(document, attachments)[0].view(np.uint64), bits)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16_of_its_package(layout):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = LAYOUTS[layout](BASE.astype(ml_dtypes.bfloat16))
    document, attachments = encode([array])
    assert attachments[0][:2] == ("bfloat16", array.shape)
    np.testing.assert_array_equal(decode(document, attachments)[0], array)


def test_bfloat16_without_anybody_who_knows_it_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with pytest.raises(Unsupported, match=r"ml_dtypes.*torch"):
        decode(TAGGED, [("bfloat16", (1,), b"\x80\x3f")])


def test_torch_is_never_imported_unasked():
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]; import conftest, numpy;"
        "from snakepit_bridge.values import encode, decode;"
        "decode(*encode([numpy.ones(3), (1,)])); assert 'torch' not in sys.modules"
    )
    tests = Path(__file__).parent
    subprocess.run([sys.executable, "-c", script, str(tests.parent), str(tests)], check=True)


@pytest.fixture(name="torch")
def imported_torch():
    return pytest.importorskip("torch")


def test_torch_tensors_travel_like_arrays(torch):
    for name in DTYPES:
        tensor = torch.arange(24).to(getattr(torch, name)).reshape(2, 3, 4)
        for given in (tensor, tensor.transpose(0, 2), tensor[0, 0, 0], tensor[:, :0], tensor[1:]):
            document, attachments = encode({"t": given})
            assert attachments[0][:2] == (name, tuple(given.shape))
            back = to_torch(decode(document, attachments)["t"])
            assert back.dtype == given.dtype
            assert torch.equal(back, given)
    ((_, _, data),) = encode([tensor])[1]
    assert np.frombuffer(data, np.uint8).ctypes.data == tensor.data_ptr()


def test_torch_tensors_with_a_gradient_or_a_lazy_sign_are_values(torch):
    with_gradient = torch.ones(2, requires_grad=True)
    negated = torch.tensor([1 + 2j]).conj().imag
    assert negated.is_neg()
    first, second = decode(*encode([with_gradient, negated]))
    assert (first.tolist(), second.tolist()) == ([1, 1], [-2])


def test_torch_tensors_without_a_form_are_refused_by_name(torch):
    for given, fault in (
        (torch.ones(1, device="meta"), "device meta"),
        (torch.ones(2, 2).to_sparse(), "sparse"),
        (torch.ones(1, dtype=torch.complex64), "complex64"),
        (torch.ones(1).to(torch.float8_e4m3fn), "float8_e4m3fn"),
    ):
        with pytest.raises(ValueRefused, match=fault) as caught:
            encode({"a": [given]})
        assert caught.value.path == "$.a[0]"


def test_received_arrays_become_torch_tensors_without_a_copy(torch, monkeypatch, recwarn):
    data = np.arange(4, dtype="<f4").tobytes()
    array = decode(TAGGED, [("float32", (2, 2), data)])
    tensor = to_torch(array)
    assert tensor.data_ptr() == array.ctypes.data
    assert tensor.tolist() == [[0, 1], [2, 3]]
    writable = to_torch(array, copy=True)
    writable[0, 0] = 7
    assert array[0, 0] == 0
    for layout in LAYOUTS.values():
        given = layout(BASE.astype(np.float64))
        np.testing.assert_array_equal(to_torch(given).numpy(), given)
    assert to_torch(tensor) is tensor
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    half = decode(TAGGED, [("bfloat16", (1, 2), b"\x80\x3f\x00\xc0")])
    assert half.dtype == torch.bfloat16
    assert half.tolist() == [[1, -2]]
    assert not recwarn.list
