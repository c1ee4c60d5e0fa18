//! Tensors out as Arrow arrays, by the C Data Interface: one dimension as numbers, more as
//! fixed-size lists, over the value's own bytes.
//!
//! Every level owns what it points to and releases its child unless a consumer moved it away, as
//! the specification asks.

use std::ffi::{CStr, CString, c_void};
use std::mem::MaybeUninit;

use bytes::Bytes;

use crate::core::{Error, Result, Status, Tensor};

use super::arrow_layout::{ArrowArray, ArrowSchema, format_of};
use super::error::spb_error;
use super::guard::{Out, guard, guard_memory};
use super::status::spb_status;
use super::tensor::{aligned, tensor_of};
use super::value::spb_value;

/// Hands out attachment `index` as an Arrow array without nulls: a tensor of one dimension as
/// integers or floats, one of more as fixed-size lists. It is copied only where it is not aligned
/// to eight bytes.
///
/// Ownership: the caller owns `*schema` and `*array` and ends each by its `release`, on any thread;
/// the array keeps what it shows alive, also when `value` is freed.
/// Threads: nonblocking, callback-safe.
/// Errors: NOT_FOUND, TYPE_MISMATCH for a blob, UNSUPPORTED for bool, bfloat16 and a scalar, which
/// Arrow has no such form for; NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_to_arrow(
    value: Option<&spb_value>,
    index: usize,
    schema: Option<&mut MaybeUninit<ArrowSchema>>,
    array: Option<&mut MaybeUninit<ArrowArray>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let (schema, array) = (Out::zeroed(schema), Out::zeroed(array));
    guard(err, || {
        let tensor = tensor_of(value, index)?;
        let (schema, array) = (schema.required("schema")?, array.required("array")?);
        let (made_schema, made_array) = exported(tensor)?;
        schema.put(made_schema);
        array.put(made_array);
        Ok(())
    })
}

fn exported(tensor: &Tensor) -> Result<(ArrowSchema, ArrowArray)> {
    let name = tensor.dtype().name();
    let format = format_of(tensor.dtype())
        .ok_or_else(|| unsupported(&format!("tensor of {name} has no form as an arrow array")))?;
    let Some((length, sizes)) = tensor.shape().split_first() else {
        return Err(unsupported("tensor without dimensions has no form as an arrow array"));
    };
    let mut schema = OwnedSchema::make(format.to_owned(), c"item", None);
    let elements = sizes.iter().fold(*length, |elements, size| elements.saturating_mul(*size));
    let mut array = OwnedArray::make(elements, Some(aligned(tensor, BUFFER_ALIGNMENT)), None);
    let mut length_below = elements;
    for (depth, size) in sizes.iter().enumerate().rev() {
        let lists = sizes.get(..depth).unwrap_or_default();
        length_below = lists.iter().fold(*length, |all, size| all.saturating_mul(*size));
        let format = CString::new(format!("+w:{size}"))
            .map_err(|_| Error::new(Status::Internal, "a list's format holds a NUL"))?;
        schema = OwnedSchema::make(format, c"item", Some(schema));
        array = OwnedArray::make(length_below, None, Some(array));
    }
    debug_assert_eq!(length_below, *length);
    schema.name = c"".as_ptr();
    Ok((schema, array))
}

fn unsupported(message: &str) -> Error {
    Error::new(Status::Unsupported, message)
}

/// What a schema of ours points to.
struct OwnedSchema {
    format: CString,
    child: Option<Box<ArrowSchema>>,
    children: [*mut ArrowSchema; 1],
}

impl OwnedSchema {
    fn make(format: CString, name: &'static CStr, child: Option<ArrowSchema>) -> ArrowSchema {
        let child = child.map(Box::new);
        let owned =
            Box::leak(Box::new(OwnedSchema { format, child, children: [std::ptr::null_mut()] }));
        let mut schema = ArrowSchema::released();
        schema.format = owned.format.as_ptr();
        schema.name = name.as_ptr();
        if let Some(child) = owned.child.as_deref_mut() {
            owned.children = [child];
            schema.n_children = 1;
            schema.children = owned.children.as_mut_ptr();
        }
        schema.release = Some(release_schema);
        let owned: *mut OwnedSchema = owned;
        schema.private_data = owned.cast::<c_void>();
        schema
    }
}

impl Drop for OwnedSchema {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_deref_mut()
            && let Some(release) = child.release
        {
            // SAFETY: a child that nobody moved away is live and ends with its parent.
            unsafe { release(child) };
        }
    }
}

/// What an array of ours points to.
struct OwnedArray {
    _data: Option<Bytes>,
    buffers: [*const c_void; 2],
    child: Option<Box<ArrowArray>>,
    children: [*mut ArrowArray; 1],
}

impl OwnedArray {
    /// Numbers over `data`, or lists over `child`.
    fn make(length: i64, data: Option<Bytes>, child: Option<ArrowArray>) -> ArrowArray {
        let elements = data.as_ref().map_or(std::ptr::null(), |data| data.as_ptr().cast());
        let buffer_count = if data.is_some() { 2 } else { 1 };
        let owned = Box::leak(Box::new(OwnedArray {
            _data: data,
            buffers: [std::ptr::null(), elements],
            child: child.map(Box::new),
            children: [std::ptr::null_mut()],
        }));
        let mut array = ArrowArray::released();
        array.length = length;
        array.n_buffers = buffer_count;
        array.buffers = owned.buffers.as_mut_ptr();
        if let Some(child) = owned.child.as_deref_mut() {
            owned.children = [child];
            array.n_children = 1;
            array.children = owned.children.as_mut_ptr();
        }
        array.release = Some(release_array);
        let owned: *mut OwnedArray = owned;
        array.private_data = owned.cast::<c_void>();
        array
    }
}

impl Drop for OwnedArray {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_deref_mut()
            && let Some(release) = child.release
        {
            // SAFETY: a child that nobody moved away is live and ends with its parent.
            unsafe { release(child) };
        }
    }
}

/// What consumers of our schemas call in the end.
unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    guard_memory((), || {
        // SAFETY: a live schema with this release is ours; its private data is the box made above.
        let owned = unsafe {
            let owned = (*schema).private_data.cast::<OwnedSchema>();
            *schema = ArrowSchema::released();
            Box::from_raw(owned)
        };
        drop(owned);
    });
}

/// What consumers of our arrays call in the end.
unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    guard_memory((), || {
        // SAFETY: a live array with this release is ours; its private data is the box made above.
        let owned = unsafe {
            let owned = (*array).private_data.cast::<OwnedArray>();
            *array = ArrowArray::released();
            Box::from_raw(owned)
        };
        drop(owned);
    });
}

/// What the specification recommends for every type.
const BUFFER_ALIGNMENT: usize = 8;
