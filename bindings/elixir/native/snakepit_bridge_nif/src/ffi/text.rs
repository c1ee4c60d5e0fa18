//! Text across the boundary: `spb_str` both ways. Must not know who owns what it views.

use super::sys::spb_str;

/// A view for the time of a call.
pub(super) fn view(text: &str) -> spb_str {
    bytes_view(text.as_bytes())
}

/// A view of bytes that the library checks to be UTF-8.
pub(super) fn bytes_view(bytes: &[u8]) -> spb_str {
    spb_str { ptr: bytes.as_ptr().cast(), len: bytes.len() }
}

/// A view of text that may be absent, which is empty.
pub(super) fn optional(text: Option<&str>) -> spb_str {
    view(text.unwrap_or_default())
}

/// The bytes of a view.
///
/// # Safety
/// The view's owner lives for `'a`.
pub(super) unsafe fn bytes<'a>(view: spb_str) -> &'a [u8] {
    if view.len == 0 || view.ptr.is_null() {
        return &[];
    }
    // SAFETY: `len` bytes of the owner, who lives, as the caller vouches.
    unsafe { std::slice::from_raw_parts(view.ptr.cast(), view.len) }
}

/// The text of a view; the library gives nothing but UTF-8.
///
/// # Safety
/// The view's owner lives for `'a`.
pub(super) unsafe fn text<'a>(view: spb_str) -> &'a str {
    // SAFETY: as the caller vouches.
    std::str::from_utf8(unsafe { bytes(view) }).unwrap_or_default()
}
