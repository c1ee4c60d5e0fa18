//! Text as it crosses the boundary: pointer and length, checked before it becomes a `&str`.
//!
//! The only place that turns a caller's pointer into a slice of bytes.

use std::ffi::c_char;

use crate::core::{Error, Result, Status};

use super::guard::null_argument;

/// Text that somebody else owns: UTF-8, `len` bytes, not necessarily NUL-terminated. `ptr` may be
/// NULL when `len` is 0. As an argument it is read during the call only; as a result it lives as
/// long as the object it came from.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_str {
    // Private, because a value with fields set at will would make the methods below unsound. Only C
    // makes one, under the header's promise, and `NulText` does.
    ptr: *const c_char,
    len: usize,
}

impl spb_str {
    pub const EMPTY: spb_str = spb_str { ptr: std::ptr::null(), len: 0 };

    /// The text, or an error that names `argument`.
    pub fn text(&self, argument: &str) -> Result<&str> {
        std::str::from_utf8(self.bytes(argument)?).map_err(|error| {
            let offset = error.valid_up_to();
            let message = format!("{argument} is not UTF-8 at byte {offset}");
            Error::new(Status::Utf8, message).with("argument", argument).with("offset", offset)
        })
    }

    /// None for empty text, which stands for "not given".
    pub fn optional_text(&self, argument: &str) -> Result<Option<&str>> {
        self.text(argument).map(|text| (!text.is_empty()).then_some(text))
    }

    /// The bytes, for readers that check UTF-8 themselves.
    pub fn bytes(&self, argument: &str) -> Result<&[u8]> {
        // SAFETY: C made this view, and vouches that `len` bytes at `ptr` are readable while it is
        // in use.
        unsafe { slice(self.ptr.cast(), self.len, argument) }
    }
}

/// `len` things at `ptr`, or an error that names `argument`.
///
/// # Safety
/// Unless `ptr` is NULL, `len` things at `ptr` are readable and unchanged for as long as the slice
/// is used.
pub unsafe fn slice<'a, T>(ptr: *const T, len: usize, argument: &str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() {
        return Err(null_argument(argument));
    }
    let fits = len.checked_mul(size_of::<T>()).is_some_and(|size| isize::try_from(size).is_ok());
    if !fits || !ptr.is_aligned() {
        let message = format!("{argument} cannot be {len} items at {ptr:p}");
        return Err(Error::invalid(message).with("argument", argument));
    }
    // SAFETY: not NULL, aligned and of a possible size; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(ptr, len) })
}

/// Owned text with a NUL behind it, as a courtesy to callers that print it.
#[derive(Debug, Default)]
pub struct NulText {
    bytes: Box<[u8]>,
}

impl NulText {
    pub fn new(text: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text);
        bytes.push(0);
        NulText { bytes: bytes.into_boxed_slice() }
    }

    /// A view that lives as long as `self`, which its type cannot say.
    pub fn view(&self) -> spb_str {
        match self.bytes.len().checked_sub(1) {
            None | Some(0) => spb_str::EMPTY,
            Some(len) => spb_str { ptr: self.bytes.as_ptr().cast(), len },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(ptr: *const u8, len: usize) -> spb_str {
        spb_str { ptr: ptr.cast(), len }
    }

    #[test]
    fn views_are_checked_and_the_argument_is_named() {
        let bad = [b'a', 0xff];
        for (given, status) in [
            (view(std::ptr::null(), 1), Status::NullArgument),
            (view(bad.as_ptr(), usize::MAX), Status::InvalidArgument),
            (view(bad.as_ptr(), 2), Status::Utf8),
        ] {
            let error = given.text("name").unwrap_err();
            assert_eq!(error.status(), status);
            assert!(error.message().starts_with("name "), "{error}");
        }
        assert_eq!(view(bad.as_ptr(), 1).text("name").unwrap(), "a");
        assert_eq!(view(std::ptr::null(), 0).optional_text("name").unwrap(), None);
    }

    #[test]
    fn owned_text_ends_with_a_nul_behind_its_length() {
        let text = NulText::new("héllo".as_bytes());
        assert_eq!(text.view().text("text").unwrap(), "héllo");
        assert_eq!(text.bytes.last(), Some(&0));
        assert_eq!(NulText::new(b"").view().len, 0);
        assert_eq!(NulText::default().view().len, 0);
    }
}
