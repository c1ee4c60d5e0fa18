//! Options structs that may grow: each starts with its own size, so that a caller built against an
//! older or a newer header is understood, or refused, and never misread.
//!
//! It knows nothing of the fields; the files of the nouns give them meaning.

use std::mem::MaybeUninit;

use crate::core::{Error, Result, Status};

use super::guard::null_argument;

/// An options struct.
///
/// # Safety
/// The type is `repr(C)`, starts with `struct_size: usize`, is a multiple of eight bytes without
/// padding, and any bytes are a valid value of it.
pub unsafe trait Options: Copy {}

/// Copies the caller's struct. Fields that its size does not reach are zero; bytes beyond the
/// fields that this build knows have to be zero.
///
/// # Safety
/// Unless `given` is NULL, it points to a readable `size_t`, and to as many readable bytes as that
/// says.
pub unsafe fn read<T: Options>(given: *const T, argument: &str) -> Result<T> {
    // SAFETY: as the caller vouches.
    unsafe { read_optional(given, argument) }?.ok_or_else(|| null_argument(argument))
}

/// As `read`; None for NULL.
///
/// # Safety
/// As for `read`.
pub unsafe fn read_optional<T: Options>(given: *const T, argument: &str) -> Result<Option<T>> {
    if given.is_null() {
        return Ok(None);
    }
    if !given.is_aligned() {
        return Err(refuse(argument, "is not aligned"));
    }
    // SAFETY: not NULL and aligned; the caller vouches that a `size_t` is there.
    let given_size = unsafe { given.cast::<usize>().read() };
    if given_size < size_of::<usize>()
        || given_size > STRUCT_SIZE_MAX
        || !given_size.is_multiple_of(8)
    {
        let fault = format!("has struct_size {given_size}, expected {}", size_of::<T>());
        return Err(refuse(argument, &fault));
    }
    let known = given_size.min(size_of::<T>());
    let mut read = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` bytes are within both structs; any bytes are a valid `T`.
    let read = unsafe {
        std::ptr::copy_nonoverlapping(given.cast::<u8>(), read.as_mut_ptr().cast(), known);
        read.assume_init()
    };
    // SAFETY: the caller vouches for `given_size` bytes.
    let tail =
        unsafe { std::slice::from_raw_parts(given.cast::<u8>().add(known), given_size - known) };
    if tail.iter().any(|byte| *byte != 0) {
        let message = format!(
            "{argument} sets a field that this library does not know: it is from a newer header"
        );
        return Err(Error::new(Status::Unsupported, message).with("argument", argument));
    }
    Ok(Some(read))
}

/// Refuses flags that this build does not know.
pub fn check_flags(flags: u32, known: u32, argument: &str) -> Result<()> {
    if flags & !known == 0 {
        return Ok(());
    }
    let message = format!("{argument} has the unknown bits {:#x}", flags & !known);
    Err(Error::invalid(message).with("argument", argument))
}

/// Refuses what a later version may give a meaning to.
pub fn check_reserved(reserved: u64, argument: &str) -> Result<()> {
    if reserved == 0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{argument} is {reserved}, expected 0")).with("argument", argument))
}

fn refuse(argument: &str, fault: &str) -> Error {
    Error::invalid(format!("{argument} {fault}; use the struct's INIT macro"))
        .with("argument", argument)
}

/// No struct of ours will ever be larger; a larger size is memory that was never set.
const STRUCT_SIZE_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Small {
        struct_size: usize,
        a: u64,
    }
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Large {
        struct_size: usize,
        a: u64,
        b: u64,
    }
    // SAFETY: integers without padding, the size first.
    unsafe impl Options for Small {}
    // SAFETY: integers without padding, the size first.
    unsafe impl Options for Large {}

    fn large(struct_size: usize, b: u64) -> Large {
        Large { struct_size, a: 5, b }
    }

    #[test]
    fn an_older_caller_gets_defaults_for_what_it_does_not_know() {
        let given = Small { struct_size: 16, a: 5 };
        // SAFETY: sixteen bytes are readable, as the struct says.
        let read = unsafe { read::<Large>((&raw const given).cast(), "options") }.unwrap();
        assert_eq!((read.a, read.b), (5, 0));
    }

    #[test]
    fn a_newer_caller_is_refused_only_when_it_uses_what_is_new() {
        for (b, expected) in [(0, None), (1, Some(Status::Unsupported))] {
            let given = large(24, b);
            // SAFETY: twenty-four bytes are readable, as the struct says.
            let read = unsafe { read::<Small>((&raw const given).cast(), "options") };
            assert_eq!(read.as_ref().err().map(Error::status), expected);
            assert_eq!(read.map_or(5, |read| read.a), 5);
        }
    }

    #[test]
    fn sizes_that_no_struct_has_are_refused() {
        for size in [0, 7, 9, 8192, usize::MAX] {
            let given = large(size, 0);
            // SAFETY: the sizes are refused before anything behind them is read.
            let error = unsafe { read::<Large>(&raw const given, "options") }.err().unwrap();
            assert_eq!(error.status(), Status::InvalidArgument);
        }
        // SAFETY: NULL is allowed.
        let missing = unsafe { read::<Large>(std::ptr::null(), "options") }.err().unwrap();
        assert_eq!(missing.status(), Status::NullArgument);
    }
}
