"""Tensors of the shared library and numpy, which is a DLPack producer and consumer of its own.

The C tests of tests/c/tensors.c check every path with structs of ours; this one, that somebody
else's idea of the format is the same.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
NAMES = [BINARIES / "deps" / "libsnakepit_bridge.so", BINARIES / "libsnakepit_bridge.so"]
VERSIONED, USED = b"dltensor_versioned", b"used_dltensor_versioned"

pytestmark = [
    pytest.mark.worker,
    pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="no DLPack 1 yet"),
]

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
LAYOUTS = {
    "row-major": lambda a: a,
    "backwards": lambda a: a[:, ::-1],
    "column-major": np.asfortranarray,
    "parts": lambda a: a[1:, ::2, 1::2],
    "scalar": lambda a: a[0, 0, 1:2].reshape(()),
    "empty": lambda a: a[:, :0],
    "repeated": lambda a: np.broadcast_to(a[:1], (5, 3, 4)),
}


class Library:
    """The calls of the ABI that the tests need, by ctypes."""

    def __init__(self):
        newest = max(
            (path for path in NAMES if path.exists()), key=lambda path: path.stat().st_mtime
        )
        self.calls = ctypes.CDLL(str(newest))
        self.api = ctypes.pythonapi
        self.api.PyCapsule_New.restype = ctypes.py_object
        self.api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self.api.PyCapsule_GetPointer.restype = ctypes.c_void_p
        self.api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
        self.api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

    def value_of(self, array):
        """A value over the memory of an array."""
        capsule = array.__dlpack__(max_version=(1, 0))
        managed = ctypes.c_void_p(self.api.PyCapsule_GetPointer(capsule, VERSIONED))
        value = ctypes.c_void_p()
        assert self.calls.spb_value_from_dlpack(managed, ctypes.byref(value), None) == 0
        # The deleter is the library's to call now, not the capsule's.
        self.api.PyCapsule_SetName(capsule, USED)
        return value

    def array_of(self, value):
        """An array over the memory of a value."""
        return np.from_dlpack(Exported(self, value))

    def free(self, value):
        self.calls.spb_value_free(value)


class Exported:
    """What numpy takes a DLPack tensor from."""

    def __init__(self, library, value):
        self.library, self.value = library, value

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, **_):
        managed = ctypes.c_void_p()
        calls = self.library.calls
        index = ctypes.c_size_t(0)
        assert calls.spb_value_to_dlpack(self.value, index, ctypes.byref(managed), None) == 0
        return self.library.api.PyCapsule_New(managed, VERSIONED, None)


@pytest.fixture(scope="module")
def library():
    return Library()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_and_the_library_understand_each_other(library, dtype, layout):
    array = LAYOUTS[layout](np.arange(24).reshape(2, 3, 4).astype(dtype))
    references = sys.getrefcount(array)
    value = library.value_of(array)
    back = library.array_of(value)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)
    assert not back.flags.writeable or back.size == 0
    if layout == "row-major":
        assert back.ctypes.data == array.ctypes.data
    library.free(value)
    np.testing.assert_array_equal(back, array)
    del back
    # numpy's deleter runs on the library's thread and takes the GIL, which `sleep` gives it.
    until = time.monotonic() + 60
    while sys.getrefcount(array) > references and time.monotonic() < until:
        time.sleep(0.001)
    assert sys.getrefcount(array) == references
