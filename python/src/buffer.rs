//! Received bytes as a Python object: read-only, through the buffer protocol, without a copy; and
//! large content of Python's objects on its way to shared memory.
//!
//! The only file of the extension with `unsafe` in it: the protocol hands out a raw pointer. Knows
//! nothing of where the bytes came from.

use std::ffi::{c_int, c_void};

use bytes::Bytes;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::engine::sharing::Sharing;
use crate::limits::{GIL_COPY_BYTES_MAX, SHARED_BYTES_MIN};
use crate::shared_memory::pieces::in_pieces;

/// Read-only bytes: `memoryview(b)`, `bytes(b)` and `numpy.frombuffer(b, …)` work on it.
#[pyclass(frozen, module = "snakepit_bridge._native")]
pub struct Buffer {
    bytes: Bytes,
}

impl Buffer {
    pub fn new(bytes: Bytes) -> Self {
        Buffer { bytes }
    }
}

/// The content of `object` in a region of shared memory, if it is large, contiguous, and a region
/// is to be had. Copied once; without the GIL if that takes a while.
#[expect(unsafe_code, reason = "copies from a raw pointer")]
pub fn place(object: &Bound<'_, PyAny>, sharing: &Sharing) -> PyResult<Option<Bytes>> {
    let py = object.py();
    let buffer = PyUntypedBuffer::get(object)?;
    let bytes = buffer.len_bytes();
    if bytes < SHARED_BYTES_MIN || !buffer.is_c_contiguous() {
        return Ok(None);
    }
    let start = buffer.buf_ptr().expose_provenance();
    let fill = |target: &mut [u8]| {
        let mut source = std::ptr::with_exposed_provenance::<u8>(start);
        in_pieces(target, |piece| {
            // SAFETY: the buffer is held, so its `bytes` stay where they are, contiguous; the
            // pieces of the target are as long together, and are ours. Threads of Python that write
            // to it meanwhile spoil its content, as they do with any other reader of numpy's.
            unsafe {
                std::ptr::copy_nonoverlapping(source, piece.as_mut_ptr(), piece.len());
                source = source.add(piece.len());
            }
        });
    };
    let placed = match bytes > GIL_COPY_BYTES_MAX {
        true => py.detach(|| sharing.filled(bytes, fill)),
        false => sharing.filled(bytes, fill),
    };
    buffer.release(py);
    Ok(placed)
}

#[pymethods]
#[expect(unsafe_code, reason = "the buffer protocol is a C interface")]
impl Buffer {
    fn __len__(&self) -> usize {
        self.bytes.len()
    }

    fn __repr__(&self) -> String {
        format!("<snakepit_bridge._native.Buffer of {} bytes>", self.bytes.len())
    }

    /// # Safety
    /// Python calls this with a view to fill in, or null.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("view is null"));
        }
        let bytes = &slf.get().bytes;
        let start = bytes.as_ptr().cast_mut().cast::<c_void>();
        let length = ffi::Py_ssize_t::try_from(bytes.len())?;
        // SAFETY: `view` is Python's and not null. The view holds a reference to `slf`, which is
        // frozen and keeps `bytes` alive and unmoved; read-only is declared, and asking for more is
        // refused by the call.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) };
        match filled {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}
