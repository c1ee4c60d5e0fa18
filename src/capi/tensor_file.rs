//! Values to and from the bytes of a safetensors file.
//!
//! The format is `core::tensor_file`'s; here it only crosses the boundary.

use std::mem::MaybeUninit;

use bytes::Bytes;

use crate::core::{Attachment, Value, tensor_file};

use super::error::spb_error;
use super::guard::{guard_out, null_argument};
use super::status::spb_status;
use super::text_view::slice;
use super::value::spb_value;

/// Makes a value of the bytes of a safetensors file: {"name": tensor, ...}, and the file's metadata
/// as an object of texts under "__metadata__" where there is some.
///
/// Ownership: copies `data`; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: INVALID_ARGUMENT for what is no such file, UNSUPPORTED for an element type that values
/// do not have, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_value_from_safetensors(
    data: *const u8,
    len: usize,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        // SAFETY: the caller vouches for `len` bytes.
        let file = unsafe { slice(data, len, "data") }?;
        let value = tensor_file::from_safetensors(&Bytes::copy_from_slice(file))?;
        Ok(spb_value::into_raw(value))
    })
}

/// Makes the bytes of a safetensors file, attachment 0 of `*out`, of a value with the form that
/// spb_value_from_safetensors gives.
///
/// Ownership: borrows `value`; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: TYPE_MISMATCH for a document of another form, with its place, RESOURCE_EXHAUSTED,
/// NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_to_safetensors(
    value: Option<&spb_value>,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let value = value.ok_or_else(|| null_argument("value"))?;
        let file = Bytes::from(tensor_file::to_safetensors(value.get())?);
        Ok(spb_value::into_raw(Value::from_attachment(Attachment::Blob(file))?))
    })
}
