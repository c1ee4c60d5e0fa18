//! Tensors as C sees them: one view with dtype, shape and strides, for reading the tensors of a
//! value and for making one of memory that lies in any order.
//!
//! Exchange with other libraries is in `dlpack` and `arrow`; this file knows no foreign struct.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use bytes::Bytes;

use crate::core::{Attachment, DType, Error, Result, Status, Tensor, Value, strides};

use super::error::spb_error;
use super::guard::{Out, guard, guard_out, null_argument};
use super::lent::checked_bytes;
use super::options::{Options, check_reserved, read};
use super::status::spb_status;
use super::text_view::slice;
use super::value::{dtype_of, spb_value, view_attachment};

/// A tensor in memory. Elements are little-endian; element (i, j, ...) lies i * strides[0] +
/// j * strides[1] + ... elements behind `data`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_tensor_view {
    /// SPB_TENSOR_VIEW_INIT sets it; spb_value_tensor_view does too.
    pub struct_size: usize,
    /// SPB_DTYPE_*.
    pub dtype: u32,
    /// Bytes of one element. As an input 0 stands for what the dtype says.
    pub item_bytes: u32,
    /// The first element of a tensor that has some. A view's is not necessarily aligned for its
    /// element type.
    pub data: *const c_void,
    /// Bytes at `data`.
    pub len: usize,
    /// `ndim` sides; NULL for a scalar.
    pub shape: *const i64,
    /// `ndim` strides in elements. As an input NULL stands for row-major, and none is below 0.
    pub strides: *const i64,
    pub ndim: usize,
    pub reserved: u64,
}

// SAFETY: `repr(C)`, the size first, without padding, and any bytes are pointers and integers.
unsafe impl Options for spb_tensor_view {}

/// Looks at attachment `index` as a tensor, without copying it. Its elements are row-major.
///
/// Ownership: `*out` is a view that lives as long as `value`.
/// Threads: nonblocking, callback-safe.
/// Errors: NOT_FOUND, TYPE_MISMATCH for a blob, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_tensor_view(
    value: Option<&spb_value>,
    index: usize,
    out: Option<&mut MaybeUninit<spb_tensor_view>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let tensor = tensor_of(value, index)?;
        out.required("out")?.put(view_of(value, index, tensor)?);
        Ok(())
    })
}

/// Makes a value that is one tensor, of elements in any order and overlap: they are copied into
/// row-major order.
///
/// Ownership: copies `tensor`; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: INVALID_ARGUMENT for a dtype, a shape, strides below 0 or elements beyond `len` bytes,
/// RESOURCE_EXHAUSTED, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_value_from_tensor(
    tensor: *const spb_tensor_view,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        // SAFETY: the caller vouches for the struct and what it points to.
        let tensor = unsafe { read_view(read(tensor, "tensor")?) }?;
        Ok(spb_value::into_raw(Value::from_attachment(Attachment::Tensor(tensor))?))
    })
}

/// The tensor at `index`, or why there is none.
pub fn tensor_of(value: Option<&spb_value>, index: usize) -> Result<&Tensor> {
    let all = value.ok_or_else(|| null_argument("value"))?.get().attachments();
    match all.get(index) {
        Some(Attachment::Tensor(tensor)) => Ok(tensor),
        Some(Attachment::Blob(_)) => {
            let message = format!("attachment {index} is a blob, expected a tensor");
            Err(Error::new(Status::TypeMismatch, message))
        }
        None => {
            let message = format!("the value has {} attachments, none at {index}", all.len());
            Err(Error::new(Status::NotFound, message))
        }
    }
}

/// The elements at an address that is a multiple of `bytes`: those of a message lie anywhere, and
/// are copied then.
pub fn aligned(tensor: &Tensor, bytes: usize) -> Bytes {
    let data = tensor.data();
    if data.is_empty() || data.as_ptr().addr().is_multiple_of(bytes) {
        return data.clone();
    }
    let mut copy: Vec<u8> = Vec::with_capacity(data.len().saturating_add(bytes));
    let before = copy.as_ptr().addr().next_multiple_of(bytes) - copy.as_ptr().addr();
    copy.resize(before, 0);
    copy.extend_from_slice(data);
    Bytes::from(copy).slice(before..)
}

fn view_of(value: Option<&spb_value>, index: usize, tensor: &Tensor) -> Result<spb_tensor_view> {
    let attachments = value.map(|value| value.get().attachments()).unwrap_or_default();
    let attachment = attachments.get(index).ok_or_else(|| null_argument("value"))?;
    let seen = view_attachment(attachment);
    Ok(spb_tensor_view {
        struct_size: size_of::<spb_tensor_view>(),
        dtype: seen.dtype,
        item_bytes: item_bytes(tensor.dtype()),
        data: seen.data.cast(),
        len: seen.len,
        shape: seen.shape,
        strides: if seen.ndim == 0 { std::ptr::null() } else { tensor.strides().as_ptr() },
        ndim: seen.ndim,
        reserved: 0,
    })
}

/// # Safety
/// Data, shape and strides are as long as the view says.
unsafe fn read_view(view: spb_tensor_view) -> Result<Tensor> {
    check_reserved(view.reserved, "tensor.reserved")?;
    let dtype = dtype_of(view.dtype, "dtype")?;
    if view.item_bytes != 0 && view.item_bytes != item_bytes(dtype) {
        let (given, name, size) = (view.item_bytes, dtype.name(), dtype.bytes());
        let message = format!("tensor.item_bytes is {given}, and an element of {name} has {size}");
        return Err(Error::invalid(message));
    }
    // SAFETY: as the caller vouches.
    let (shape, memory) = unsafe {
        let shape = slice(view.shape, view.ndim, "tensor.shape")?;
        (shape, slice(view.data.cast::<u8>(), view.len, "tensor.data")?)
    };
    let bytes = checked_bytes(dtype, shape)?;
    if view.strides.is_null() {
        return Tensor::new(dtype, shape.to_vec(), Bytes::copy_from_slice(memory));
    }
    // SAFETY: as the caller vouches.
    let steps = unsafe { slice(view.strides, view.ndim, "tensor.strides") }?;
    let reach = strides::reach(shape, steps, dtype.bytes()).filter(|reach| reach.start == 0);
    let end = reach.and_then(|reach| usize::try_from(reach.end).ok());
    let memory = end.and_then(|end| memory.get(..end)).ok_or_else(|| {
        let message = format!("tensor.strides {steps:?} lead out of the {} bytes", memory.len());
        Error::invalid(message).with("strides", steps.to_vec())
    })?;
    let data = strides::packed(memory, shape, steps, dtype.bytes());
    debug_assert_eq!(data.len(), bytes);
    Tensor::new(dtype, shape.to_vec(), data)
}

fn item_bytes(dtype: DType) -> u32 {
    u32::try_from(dtype.bytes()).unwrap_or(0)
}

#[cfg(target_endian = "big")]
compile_error!("tensors are little-endian, and the memory of this machine is not");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_aligned_is_copied() {
        let bytes = Bytes::from(vec![7_u8; 64]);
        let at = (0..8).find(|at| bytes[*at..].as_ptr().addr().is_multiple_of(8)).unwrap();
        for (start, is_shared) in [(at, true), (at + 1, false), (at + 4, false)] {
            let tensor =
                Tensor::new(DType::UInt64, vec![2], bytes.slice(start..start + 16)).unwrap();
            let data = aligned(&tensor, 8);
            assert_eq!(data, tensor.data());
            assert!(data.as_ptr().addr().is_multiple_of(8));
            assert_eq!(data.as_ptr() == tensor.data().as_ptr(), is_shared);
        }
    }
}
