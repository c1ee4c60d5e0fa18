//! Tensors by DLPack, in and out, without a copy where they are row-major in main memory.
//!
//! A managed tensor changes hands with the status: taken over with OK, still the caller's
//! otherwise. Its deleter runs once, when nobody reads the memory any more (`lent`).

use std::ffi::c_void;
use std::mem::MaybeUninit;

use bytes::Bytes;

use crate::core::{Attachment, DType, Error, Result, Status, Tensor, Value, strides};

use super::dlpack_layout::{
    DLDataType, DLDevice, DLManagedTensor, DLManagedTensorVersioned, DLTensor, FLAG_READ_ONLY,
    VERSION,
};
use super::error::spb_error;
use super::guard::{Out, guard, guard_memory, guard_out, null_argument};
use super::lent::{GiveBack, checked_bytes, value_over};
use super::status::spb_status;
use super::tensor::{aligned, tensor_of};
use super::text_view::slice;
use super::value::spb_value;

/// Makes a value that is one tensor, over the memory of a DLPack 1.x tensor. What is row-major is
/// not copied: it must not change until its deleter runs, which happens once, on a thread of the
/// library, after the last use of the value in any store, call or clone. Other orders, and what has
/// no deleter, are copied.
///
/// Ownership: with SPB_OK takes over `tensor`, otherwise it stays the caller's; the caller owns
/// `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: UNSUPPORTED (another device than the CPU, an element type that values do not have,
/// lanes, another major version), INVALID_ARGUMENT (a shape or an offset that memory cannot have),
/// RESOURCE_EXHAUSTED, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_value_from_dlpack(
    tensor: *mut DLManagedTensorVersioned,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        check_pointer(tensor)?;
        // SAFETY: not NULL and aligned; the caller vouches for the struct, whose first fields are
        // the same in every version.
        let version = unsafe { (*tensor).version };
        if version.major != VERSION.major {
            let given = version.major;
            let message = format!("tensor is of DLPack {given}, expected {}", VERSION.major);
            return Err(Error::new(Status::Unsupported, message));
        }
        // SAFETY: the version says that the fields are what this build knows; the tensor and its
        // memory are the caller's to give.
        let value = unsafe { adopt(&(*tensor).dl_tensor, give_back(tensor, (*tensor).deleter)) }?;
        Ok(spb_value::into_raw(value))
    })
}

/// As spb_value_from_dlpack, for the struct of DLPack before version 1.
///
/// Ownership: with SPB_OK takes over `tensor`, otherwise it stays the caller's; the caller owns
/// `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: as spb_value_from_dlpack.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_value_from_dlpack_unversioned(
    tensor: *mut DLManagedTensor,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        check_pointer(tensor)?;
        // SAFETY: not NULL and aligned; the tensor and its memory are the caller's to give.
        let value = unsafe { adopt(&(*tensor).dl_tensor, give_back(tensor, (*tensor).deleter)) }?;
        Ok(spb_value::into_raw(value))
    })
}

/// Hands out attachment `index` as a DLPack 1.0 tensor, read-only and row-major. It is copied only
/// where it is not aligned for its element type.
///
/// Ownership: the caller owns `*out` and ends it by its deleter, on any thread; it keeps what it
/// shows alive, also when `value` is freed.
/// Threads: nonblocking, callback-safe.
/// Errors: NOT_FOUND, TYPE_MISMATCH for a blob, NULL_ARGUMENT.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_value_to_dlpack(
    value: Option<&spb_value>,
    index: usize,
    out: Option<&mut MaybeUninit<*mut DLManagedTensorVersioned>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let tensor = tensor_of(value, index)?;
        out.required("out")?.put(Exported::into_raw(tensor)?);
        Ok(())
    })
}

/// A managed tensor that became ours, on its way to the thread that ends it.
struct Foreign<T>(*mut T);

// SAFETY: the header says that the deleter runs on a thread of the library.
unsafe impl<T> Send for Foreign<T> {}

impl<T> Foreign<T> {
    fn end(self, deleter: unsafe extern "C" fn(*mut T)) {
        // SAFETY: taken over with the value, so it is ours to end, this once.
        unsafe { deleter(self.0) };
    }
}

/// What ends a tensor that was taken over; a producer without a deleter cannot be told.
fn give_back<T: 'static>(
    tensor: *mut T,
    deleter: Option<unsafe extern "C" fn(*mut T)>,
) -> Option<GiveBack> {
    let (tensor, deleter) = (Foreign(tensor), deleter?);
    Some(Box::new(move || tensor.end(deleter)))
}

/// # Safety
/// The tensor's shape, strides and memory are as it says, and stay so until `give_back` has run.
unsafe fn adopt(tensor: &DLTensor, give_back: Option<GiveBack>) -> Result<Value> {
    tensor.device.check()?;
    let dtype = tensor.dtype.dtype()?;
    let ndim = usize::try_from(tensor.ndim)
        .map_err(|_| Error::invalid(format!("tensor has {} dimensions", tensor.ndim)))?;
    // SAFETY: as the caller vouches.
    let shape = unsafe { slice(tensor.shape.cast_const(), ndim, "tensor.shape") }?.to_vec();
    let bytes = checked_bytes(dtype, &shape)?;
    let data = first_element(tensor, bytes)?;
    let dense = strides::row_major(&shape);
    let steps = match tensor.strides.is_null() {
        true => dense.as_slice(),
        // SAFETY: as the caller vouches.
        false => unsafe { slice(tensor.strides.cast_const(), ndim, "tensor.strides") }?,
    };
    match give_back {
        Some(give_back) if strides::is_row_major(&shape, steps) => {
            // SAFETY: as the caller vouches.
            unsafe { value_over(dtype, shape, data, give_back) }
        }
        give_back => {
            // SAFETY: as the caller vouches.
            let value = unsafe { packed(dtype, &shape, steps, data) }?;
            if let Some(give_back) = give_back {
                give_back();
            }
            Ok(value)
        }
    }
}

/// The address of the first element, which a tensor with elements has.
fn first_element(tensor: &DLTensor, bytes: usize) -> Result<*const u8> {
    if bytes == 0 {
        return Ok(std::ptr::null());
    }
    if tensor.data.is_null() {
        return Err(null_argument("tensor.data"));
    }
    let offset = usize::try_from(tensor.byte_offset).ok();
    let end = offset.and_then(|offset| tensor.data.addr().checked_add(offset)?.checked_add(bytes));
    if end.is_none_or(|end| isize::try_from(end).is_err()) {
        let message = format!("tensor.byte_offset {} leads out of memory", tensor.byte_offset);
        return Err(Error::invalid(message));
    }
    Ok(tensor.data.cast::<u8>().wrapping_add(offset.unwrap_or(0)).cast_const())
}

/// A row-major copy.
///
/// # Safety
/// `data` is the first element of an array with this dtype, shape and strides.
unsafe fn packed(dtype: DType, shape: &[i64], steps: &[i64], data: *const u8) -> Result<Value> {
    let fault = || Error::invalid(format!("tensor.strides {steps:?} lead out of memory"));
    let reach = strides::reach(shape, steps, dtype.bytes()).ok_or_else(fault)?;
    let first = data.addr().checked_add_signed(reach.start).ok_or_else(fault)?;
    let end = data.addr().checked_add_signed(reach.end).ok_or_else(fault)?;
    if reach.is_empty() {
        let none = Tensor::new(dtype, shape.to_vec(), Bytes::new())?;
        return Value::from_attachment(Attachment::Tensor(none));
    }
    if first == 0 || isize::try_from(end).is_err() {
        return Err(fault());
    }
    // SAFETY: between the lowest and the highest element, which are the array's own, lies nothing
    // but the memory that they were cut from.
    let memory =
        unsafe { std::slice::from_raw_parts(data.wrapping_offset(reach.start), reach.len()) };
    let data = strides::packed(memory, shape, steps, dtype.bytes());
    Value::from_attachment(Attachment::Tensor(Tensor::new(dtype, shape.to_vec(), data)?))
}

/// A managed tensor of ours, with what it points to.
struct Exported {
    managed: DLManagedTensorVersioned,
    shape: Vec<i64>,
    strides: Vec<i64>,
    _data: Bytes,
}

impl Exported {
    fn into_raw(tensor: &Tensor) -> Result<*mut DLManagedTensorVersioned> {
        let data = aligned(tensor, tensor.dtype().bytes());
        let ndim = i32::try_from(tensor.shape().len())
            .map_err(|_| Error::invalid("tensor has too many dimensions"))?;
        let is_empty = data.is_empty();
        let pointer = if is_empty { std::ptr::null_mut() } else { data.as_ptr().cast_mut().cast() };
        let dl_tensor = DLTensor {
            data: pointer,
            device: DLDevice::CPU,
            ndim,
            dtype: DLDataType::of(tensor.dtype()),
            shape: std::ptr::null_mut(),
            strides: std::ptr::null_mut(),
            byte_offset: 0,
        };
        let managed = DLManagedTensorVersioned {
            version: VERSION,
            manager_ctx: std::ptr::null_mut(),
            deleter: Some(delete_exported),
            flags: FLAG_READ_ONLY,
            dl_tensor,
        };
        let (shape, strides) = (tensor.shape().to_vec(), tensor.strides().to_vec());
        let exported = Box::leak(Box::new(Exported { managed, shape, strides, _data: data }));
        if ndim > 0 {
            exported.managed.dl_tensor.shape = exported.shape.as_mut_ptr();
            exported.managed.dl_tensor.strides = exported.strides.as_mut_ptr();
        }
        let context: *mut Exported = exported;
        exported.managed.manager_ctx = context.cast::<c_void>();
        Ok(&raw mut exported.managed)
    }
}

/// What consumers of our tensors call in the end.
unsafe extern "C" fn delete_exported(tensor: *mut DLManagedTensorVersioned) {
    guard_memory((), || {
        if tensor.is_null() {
            return;
        }
        // SAFETY: a tensor with this deleter is the `managed` of an `Exported`, whose address is
        // its context; the consumer calls it once.
        drop(unsafe { Box::from_raw((*tensor).manager_ctx.cast::<Exported>()) });
    });
}

fn check_pointer<T>(tensor: *mut T) -> Result<()> {
    if tensor.is_null() {
        return Err(null_argument("tensor"));
    }
    if !tensor.is_aligned() {
        return Err(Error::invalid(format!("tensor at {tensor:p} is not aligned")));
    }
    Ok(())
}
