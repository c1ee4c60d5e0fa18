//! `spb_text`: text that the library made and the caller owns.

use super::guard::guard_memory;
use super::text_view::{NulText, spb_str};

/// Owned text. Immutable, so any thread may read it.
pub struct spb_text {
    text: NulText,
}

impl spb_text {
    pub fn into_raw(text: &str) -> *mut spb_text {
        Box::into_raw(Box::new(spb_text { text: NulText::new(text.as_bytes()) }))
    }
}

/// The text, with a NUL behind it; empty for NULL.
///
/// Ownership: a view that lives as long as `text`.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_text_view(text: Option<&spb_text>) -> spb_str {
    guard_memory(spb_str::EMPTY, || text.map_or(spb_str::EMPTY, |text| text.text.view()))
}

/// Frees text; NULL is allowed.
///
/// Ownership: takes `text`; its view ends.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_text_free(text: Option<Box<spb_text>>) {
    guard_memory((), || drop(text));
}
