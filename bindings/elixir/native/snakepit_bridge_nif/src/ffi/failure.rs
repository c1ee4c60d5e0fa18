//! Failures: those of the library, which own their `spb_error`, and those found on this side.
//!
//! Must not know how a failure looks as a term.

use std::ptr::{NonNull, null_mut};

use super::sys::{self, spb_error, spb_status};
use super::text::text;

pub type Outcome<T> = Result<T, Failure>;

/// Why something did not work.
pub enum Failure {
    /// The library's own error.
    Library(LibraryError),
    /// Found before the library was asked.
    Own { status: spb_status, message: String, path: Option<String> },
}

/// Owns an error of the library.
pub struct LibraryError(NonNull<spb_error>);

// SAFETY: errors are immutable; any thread may read and free them.
unsafe impl Send for LibraryError {}
// SAFETY: as above.
unsafe impl Sync for LibraryError {}

impl Failure {
    pub fn own(status: spb_status, message: impl Into<String>) -> Self {
        Failure::Own { status, message: message.into(), path: None }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Failure::own(sys::SPB_E_INVALID_ARGUMENT, message)
    }

    pub fn closed(what: &str) -> Self {
        Failure::own(sys::SPB_E_CLOSED, format!("{what} is closed"))
    }

    pub fn status(&self) -> spb_status {
        match self {
            Failure::Library(error) => error.status(),
            Failure::Own { status, .. } => *status,
        }
    }

    /// Takes an error that came with an event.
    ///
    /// # Safety
    /// `error` is NULL or owned by the caller, who gives it away.
    pub(super) unsafe fn of(status: spb_status, error: *mut spb_error) -> Self {
        match NonNull::new(error) {
            Some(error) => Failure::Library(LibraryError(error)),
            None => Failure::own(status, super::status_name(status).to_lowercase()),
        }
    }
}

impl LibraryError {
    pub fn status(&self) -> spb_status {
        // SAFETY: the error lives as long as `self`, here and below.
        unsafe { sys::spb_error_status(self.0.as_ptr()) }
    }

    pub fn message(&self) -> &str {
        // SAFETY: as above; the view ends with `self`.
        unsafe { text(sys::spb_error_message(self.0.as_ptr())) }
    }

    pub fn python_type(&self) -> &str {
        // SAFETY: as above.
        unsafe { text(sys::spb_error_python_type(self.0.as_ptr())) }
    }

    pub fn python_traceback(&self) -> &str {
        // SAFETY: as above.
        unsafe { text(sys::spb_error_python_traceback(self.0.as_ptr())) }
    }

    pub fn details_json(&self) -> &str {
        // SAFETY: as above.
        unsafe { text(sys::spb_error_details_json(self.0.as_ptr())) }
    }

    pub fn is_retryable(&self) -> bool {
        // SAFETY: as above.
        unsafe { sys::spb_error_retryable(self.0.as_ptr()) != 0 }
    }
}

impl Drop for LibraryError {
    fn drop(&mut self) {
        // SAFETY: owned, and freed once.
        unsafe { sys::spb_error_free(self.0.as_ptr()) }
    }
}

/// Makes a call that reports by status and error.
pub(super) fn call(function: impl FnOnce(*mut *mut spb_error) -> spb_status) -> Outcome<()> {
    let mut error = null_mut();
    match function(&raw mut error) {
        sys::SPB_OK => Ok(()),
        // SAFETY: what a failed call leaves in `err` is the caller's.
        status => Err(unsafe { Failure::of(status, error) }),
    }
}
