//! Arrow arrays in, by the C Data Interface: numbers, and lists of a fixed size of them, such as a
//! batch of embeddings, become one tensor without a copy.
//!
//! Schema and array change hands with the status, as the specification has it: moved with OK (their
//! `release` is NULL then), untouched otherwise.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use crate::core::limits::TENSOR_DIMS_MAX;
use crate::core::{DType, Error, Result, Status, Value};

use super::arrow_layout::{ArrowArray, ArrowSchema, dtype_of, list_size_of};
use super::error::spb_error;
use super::guard::{guard_out, null_argument};
use super::lent::{checked_bytes, value_over};
use super::status::spb_status;
use super::text_view::slice;
use super::value::spb_value;

/// Makes a value that is one tensor, over the memory of an Arrow array: integers and floats have
/// one dimension, fixed-size lists of them one more for each list. Offset and length are honoured.
/// Nothing is copied: the array is released once, on a thread of the library, after the last use of
/// the value in any store, call or clone.
///
/// Ownership: with SPB_OK moves `schema` and `array` (their `release` is NULL then), otherwise they
/// stay the caller's; the caller owns `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: UNSUPPORTED for nulls, dictionaries and other types, by name; INVALID_ARGUMENT for
/// what is released or does not fit its schema, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_value_from_arrow(
    schema: Option<&mut ArrowSchema>,
    array: Option<&mut ArrowArray>,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let schema = schema.ok_or_else(|| null_argument("schema"))?;
        let array = array.ok_or_else(|| null_argument("array"))?;
        // SAFETY: the caller vouches for both structs and what they point to.
        let value = unsafe { adopt(schema, array) }?;
        *array = ArrowArray::released();
        if let Some(release) = schema.release {
            // SAFETY: the schema is live, was given to us, and is released this once.
            unsafe { release(schema) };
        }
        Ok(spb_value::into_raw(value))
    })
}

/// # Safety
/// Schema and array are as the specification asks, and the array's memory is the caller's to give.
unsafe fn adopt(schema: &ArrowSchema, array: &ArrowArray) -> Result<Value> {
    if schema.release.is_none() || array.release.is_none() {
        return Err(Error::invalid("schema or array is released"));
    }
    let mut walk = Walk { schema, array, start: 0, shape: Vec::new(), path: "array".to_owned() };
    // SAFETY: as the caller vouches.
    let dtype = unsafe { walk.elements() }?;
    let bytes = checked_bytes(dtype, &walk.shape)?;
    // SAFETY: as the caller vouches.
    let data = unsafe { walk.data(dtype, bytes) }?;
    // SAFETY: a bitwise copy is how these structs move; the original is emptied once this one is
    // owned, and forgotten without effect otherwise.
    let owner = Foreign(unsafe { std::ptr::read(array) });
    // SAFETY: the memory stays until the array is released.
    unsafe { value_over(dtype, walk.shape, data, Box::new(move || owner.release())) }
}

/// An array that became ours, on its way to the thread that ends it.
struct Foreign(ArrowArray);

// SAFETY: the header says that the array is released on a thread of the library.
unsafe impl Send for Foreign {}

impl Foreign {
    fn release(self) {
        let mut array = self.0;
        if let Some(release) = array.release {
            // SAFETY: moved to us with the value, so it is ours to end, this once.
            unsafe { release(&raw mut array) };
        }
    }
}

/// The way from an array down to its numbers.
struct Walk<'a> {
    schema: &'a ArrowSchema,
    array: &'a ArrowArray,
    /// The first slot of `array` that counts, its own offset left out.
    start: i64,
    shape: Vec<i64>,
    /// How `array` is named in errors.
    path: String,
}

impl Walk<'_> {
    /// Goes down the lists to the numbers.
    ///
    /// # Safety
    /// As for `adopt`.
    unsafe fn elements(&mut self) -> Result<DType> {
        self.shape.push(self.array.length);
        while self.shape.len() <= TENSOR_DIMS_MAX {
            // SAFETY: as the caller vouches.
            unsafe { self.check() }?;
            if self.schema.format.is_null() {
                return Err(Error::invalid(format!("{} has no format", self.path)));
            }
            // SAFETY: the format of a live schema is text with a NUL behind it.
            let format = unsafe { CStr::from_ptr(self.schema.format) };
            if let Some(dtype) = dtype_of(format) {
                return Ok(dtype);
            }
            let size = list_size_of(format).ok_or_else(|| self.unsupported_format(format))?;
            // SAFETY: as the caller vouches.
            unsafe { self.descend(size) }?;
        }
        let message = format!("{} has more than {TENSOR_DIMS_MAX} dimensions", self.path);
        Err(Error::invalid(message))
    }

    /// How many slots count: all elements of the dimensions so far.
    fn count(&self) -> Option<i64> {
        self.shape.iter().try_fold(1_i64, |count, side| count.checked_mul(*side))
    }

    /// Refuses what is not a run of plain values.
    ///
    /// # Safety
    /// As for `adopt`.
    unsafe fn check(&self) -> Result<()> {
        let ArrowArray { length, offset, .. } = *self.array;
        let fault = |what: &str| Error::invalid(format!("{} {what}", self.path));
        if length < 0 || offset < 0 || offset.checked_add(length).is_none() {
            return Err(fault(&format!("has the length {length} and the offset {offset}")));
        }
        let count = self.count().ok_or_else(|| fault("has too many elements"))?;
        let end = self.start.checked_add(count).ok_or_else(|| fault("has too many elements"))?;
        if end > length {
            return Err(fault(&format!("has {length} elements, and its parent needs {end}")));
        }
        if !self.schema.dictionary.is_null() || !self.array.dictionary.is_null() {
            return Err(self.unsupported("is encoded by a dictionary: decode it first"));
        }
        // SAFETY: as the caller vouches.
        unsafe { self.check_nulls(count) }
    }

    /// # Safety
    /// As for `adopt`.
    unsafe fn check_nulls(&self, count: i64) -> Result<()> {
        if self.array.null_count == 0 || count == 0 {
            return Ok(());
        }
        // SAFETY: as the caller vouches.
        let bits = unsafe { self.buffer(0) }?;
        if bits.is_null() {
            return Ok(());
        }
        let first = self.array.offset.saturating_add(self.start);
        let end = usize::try_from(first.saturating_add(count)).unwrap_or(usize::MAX);
        // SAFETY: a validity bitmap has a bit for every slot, and these are slots of the array.
        let bits = unsafe { slice(bits, end.div_ceil(8), "validity bitmap") }?;
        let is_null =
            |slot: usize| bits.get(slot / 8).is_some_and(|byte| byte >> (slot % 8) & 1 == 0);
        match (usize::try_from(first).unwrap_or(0)..end).find(|slot| is_null(*slot)) {
            None => Ok(()),
            Some(slot) => {
                let index = slot - usize::try_from(first).unwrap_or(0);
                Err(self.unsupported(&format!("has a null at {index}: fill or drop nulls first")))
            }
        }
    }

    /// Goes on with the elements of lists of `size`.
    ///
    /// # Safety
    /// As for `adopt`.
    unsafe fn descend(&mut self, size: i64) -> Result<()> {
        let fault = |what: &str| Error::invalid(format!("{} {what}", self.path));
        let has_child = self.schema.n_children == 1 && self.array.n_children == 1;
        if !has_child || self.schema.children.is_null() || self.array.children.is_null() {
            return Err(fault("is a list without exactly one child"));
        }
        // SAFETY: both have one child, whose pointers are readable while they live.
        let (schema, array) =
            unsafe { ((*self.schema.children).as_ref(), (*self.array.children).as_ref()) };
        let (Some(schema), Some(array)) = (schema, array) else {
            return Err(fault("has a child that is NULL"));
        };
        let slots = self.array.offset.checked_add(self.start);
        let start = slots.and_then(|slots| slots.checked_mul(size));
        self.start = start.ok_or_else(|| fault("has too many elements"))?;
        self.shape.push(size);
        self.path.push_str(".item");
        (self.schema, self.array) = (schema, array);
        Ok(())
    }

    /// Where the first element lies.
    ///
    /// # Safety
    /// As for `adopt`.
    unsafe fn data(&self, dtype: DType, bytes: usize) -> Result<*const u8> {
        if bytes == 0 {
            return Ok(std::ptr::null());
        }
        // SAFETY: as the caller vouches.
        let data = unsafe { self.buffer(1) }?;
        if data.is_null() {
            return Err(Error::invalid(format!("{} has no data", self.path)));
        }
        let first = usize::try_from(self.array.offset.saturating_add(self.start)).ok();
        let offset = first.and_then(|first| first.checked_mul(dtype.bytes()));
        let end = offset.and_then(|offset| data.addr().checked_add(offset)?.checked_add(bytes));
        if end.is_none_or(|end| isize::try_from(end).is_err()) {
            return Err(Error::invalid(format!("{}: the offset leads out of memory", self.path)));
        }
        Ok(data.wrapping_add(offset.unwrap_or(0)))
    }

    /// # Safety
    /// As for `adopt`.
    unsafe fn buffer(&self, index: usize) -> Result<*const u8> {
        let count = usize::try_from(self.array.n_buffers).unwrap_or(0);
        // SAFETY: as many pointers are there as the array says.
        let buffers = unsafe { slice(self.array.buffers.cast_const(), count, "buffers") }?;
        let buffer = buffers.get(index).ok_or_else(|| {
            Error::invalid(format!("{} has {count} buffers, none at {index}", self.path))
        })?;
        Ok(buffer.cast())
    }

    fn unsupported_format(&self, format: &CStr) -> Error {
        let format = format.to_string_lossy();
        let message = format!(
            "has the format {format:?}, expected integers, floats or fixed-size lists of them"
        );
        self.unsupported(&message).with("format", format)
    }

    fn unsupported(&self, what: &str) -> Error {
        Error::new(Status::Unsupported, format!("{} {what}", self.path))
    }
}
