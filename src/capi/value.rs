//! `spb_value`: a JSON document with attachments, immutable and shared.
//!
//! What a value may be is decided in `core::value`; here it only crosses the boundary.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

use crate::core::{Attachment, DType, Error, Result, Status, Tensor, Value, copied};
use crate::shared_memory;

use super::error::spb_error;
use super::guard::{Out, guard, guard_memory, guard_or, guard_out, null_argument};
use super::status::spb_status;
use super::text_view::{NulText, slice, spb_str};

/// A JSON document and what it refers to. Immutable and reference counted inside: any thread may
/// read it, and a clone costs next to nothing. `{"$spb": {"attachment": 0}}` in the document stands
/// for attachment 0, `{"$spb": {"float": "nan"}}` (or "inf", "-inf") for a float that JSON has no
/// number for; a key of your own that reads "$spb" is written "$$spb".
pub struct spb_value {
    value: Value,
    /// Made when somebody asks: most documents travel through without being read.
    json: OnceLock<NulText>,
}

/// An attachment of bytes.
pub const SPB_ATTACHMENT_BLOB: u32 = 1;
/// An attachment that is a dense array: little-endian, row-major, without padding.
pub const SPB_ATTACHMENT_TENSOR: u32 = 2;

pub const SPB_DTYPE_BOOL: u32 = 1;
pub const SPB_DTYPE_INT8: u32 = 2;
pub const SPB_DTYPE_INT16: u32 = 3;
pub const SPB_DTYPE_INT32: u32 = 4;
pub const SPB_DTYPE_INT64: u32 = 5;
pub const SPB_DTYPE_UINT8: u32 = 6;
pub const SPB_DTYPE_UINT16: u32 = 7;
pub const SPB_DTYPE_UINT32: u32 = 8;
pub const SPB_DTYPE_UINT64: u32 = 9;
pub const SPB_DTYPE_FLOAT16: u32 = 10;
pub const SPB_DTYPE_BFLOAT16: u32 = 11;
pub const SPB_DTYPE_FLOAT32: u32 = 12;
pub const SPB_DTYPE_FLOAT64: u32 = 13;

/// Binary content of a value. As an input it is copied; as an output it is a view that lives as
/// long as the value.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_attachment {
    /// SPB_ATTACHMENT_*.
    pub kind: u32,
    /// SPB_DTYPE_* of a tensor, 0 of a blob.
    pub dtype: u32,
    /// `len` bytes; not necessarily aligned for the element type.
    pub data: *const u8,
    pub len: usize,
    /// `ndim` sides of a tensor; NULL and 0 for a blob and for a scalar.
    pub shape: *const i64,
    pub ndim: usize,
}

impl spb_value {
    pub fn into_raw(value: Value) -> *mut spb_value {
        Box::into_raw(Box::new(spb_value { value, json: OnceLock::new() }))
    }

    pub fn from_document(document: &serde_json::Value) -> *mut spb_value {
        spb_value::into_raw(Value::from_document(document))
    }

    pub fn get(&self) -> &Value {
        &self.value
    }
}

/// The value behind an argument that may not be NULL. Cheap: the bytes are shared.
pub fn required(value: Option<&spb_value>, argument: &str) -> Result<Value> {
    required_ref(value, argument).cloned()
}

/// The same, for whoever keeps nothing of it.
pub fn required_ref<'a>(value: Option<&'a spb_value>, argument: &str) -> Result<&'a Value> {
    value.map(spb_value::get).ok_or_else(|| null_argument(argument))
}

/// Makes a value of a JSON document. It is checked at once: syntax, depth, numbers that fit 64
/// bits, size.
///
/// Ownership: copies `json`; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: INVALID_ARGUMENT with the place of the fault, UTF8, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_from_json(
    json: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let value = Value::from_json(copied(json.bytes("json")?))?;
        Ok(spb_value::into_raw(value))
    })
}

/// Makes a value of a JSON document and the `count` attachments that it refers to.
///
/// Ownership: copies everything; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: INVALID_ARGUMENT (the document, a kind, a dtype, a shape that does not fit its bytes),
/// UTF8, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_value_from_parts(
    json: spb_str,
    attachments: *const spb_attachment,
    count: usize,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let out = out.required("out")?;
        // SAFETY: the caller vouches for `count` attachments.
        let given = unsafe { slice(attachments, count, "attachments") }?;
        // SAFETY: the caller vouches for the data and shape of each.
        let attachments = given.iter().map(|item| unsafe { read_attachment(item) });
        let attachments = attachments.collect::<Result<_>>()?;
        let json = copied(json.bytes("json")?);
        out.put(spb_value::into_raw(Value::new(json, attachments)?));
        Ok(())
    })
}

/// The document, with a NUL behind it; empty for NULL.
///
/// Ownership: a view that lives as long as `value`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_json(value: Option<&spb_value>) -> spb_str {
    guard_or(spb_str::EMPTY, || match value {
        Some(value) => value.json.get_or_init(|| NulText::new(value.value.json())).view(),
        None => spb_str::EMPTY,
    })
}

/// How many attachments the value has; 0 for NULL.
///
/// Ownership: borrows `value`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_attachment_count(value: Option<&spb_value>) -> usize {
    guard_memory(0, || value.map_or(0, |value| value.value.attachments().len()))
}

/// Looks at attachment `index` without copying it.
///
/// Ownership: `*out` is a view that lives as long as `value`.
/// Threads: nonblocking, callback-safe.
/// Errors: NOT_FOUND, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_attachment(
    value: Option<&spb_value>,
    index: usize,
    out: Option<&mut MaybeUninit<spb_attachment>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let value = value.ok_or_else(|| null_argument("value"))?;
        let out = out.required("out")?;
        let all = value.value.attachments();
        let attachment = all.get(index).ok_or_else(|| {
            let message = format!("the value has {} attachments, none at {index}", all.len());
            Error::new(Status::NotFound, message)
        })?;
        out.put(view_attachment(attachment));
        Ok(())
    })
}

/// Makes a second owner of the same value, without copying its bytes.
///
/// Ownership: borrows `value`; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_clone(
    value: Option<&spb_value>,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let value = required(value, "value")?;
        out.required("out")?.put(spb_value::into_raw(value));
        Ok(())
    })
}

/// Frees a value; NULL is allowed.
///
/// Ownership: takes `value`; its views end.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_free(value: Option<Box<spb_value>>) {
    guard_memory((), || drop(value));
}

/// # Safety
/// Data and shape of `given` are as long as it says.
unsafe fn read_attachment(given: &spb_attachment) -> Result<Attachment> {
    // SAFETY: the caller vouches for it.
    let data = unsafe { slice(given.data, given.len, "attachment data") }?;
    let data = shared_memory::bytes_of(data);
    // SAFETY: the caller vouches for it.
    let shape = unsafe { slice(given.shape, given.ndim, "attachment shape") }?;
    match given.kind {
        SPB_ATTACHMENT_BLOB if given.dtype == 0 && shape.is_empty() => Ok(Attachment::Blob(data)),
        SPB_ATTACHMENT_BLOB => Err(Error::invalid("a blob attachment has a dtype or a shape")),
        SPB_ATTACHMENT_TENSOR => {
            let dtype = dtype_of(given.dtype, "attachment dtype")?;
            Tensor::new(dtype, shape.to_vec(), data).map(Attachment::Tensor)
        }
        kind => Err(Error::invalid(format!("attachment kind {kind} is none of SPB_ATTACHMENT_*"))),
    }
}

/// The element type of a number of the header; `what` begins the refusal of one that is none.
pub fn dtype_of(number: u32, what: &str) -> Result<DType> {
    let index = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
    let dtype = DType::ALL.get(index).copied();
    dtype.ok_or_else(|| Error::invalid(format!("{what} {number} is none of SPB_DTYPE_*")))
}

pub fn view_attachment(attachment: &Attachment) -> spb_attachment {
    let data = attachment.bytes();
    let (kind, dtype, shape) = match attachment {
        Attachment::Blob(_) => (SPB_ATTACHMENT_BLOB, 0, [].as_slice()),
        Attachment::Tensor(tensor) => {
            let position = DType::ALL.iter().position(|dtype| *dtype == tensor.dtype());
            let number = position.and_then(|position| u32::try_from(position + 1).ok());
            (SPB_ATTACHMENT_TENSOR, number.unwrap_or(0), tensor.shape())
        }
    };
    let pointer = |empty: bool, pointer| if empty { std::ptr::null() } else { pointer };
    spb_attachment {
        kind,
        dtype,
        data: pointer(data.is_empty(), data.as_ptr()),
        len: data.len(),
        shape: if shape.is_empty() { std::ptr::null() } else { shape.as_ptr() },
        ndim: shape.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtype_numbers_follow_the_list() {
        let source = include_str!("value.rs");
        for (index, dtype) in DType::ALL.iter().enumerate() {
            let name = dtype.name().to_uppercase();
            let line = format!("pub const SPB_DTYPE_{name}: u32 = {};", index + 1);
            assert!(source.contains(&line), "{line}");
        }
    }
}
