//! What the library says about itself: version, schema of its configuration, names of statuses.
//! Must not know platforms.

use std::ffi::CStr;

use super::sys;
use super::text::text;

/// Whether the loaded library is of the ABI that this one was built for.
pub fn is_understood() -> bool {
    // SAFETY: no needs.
    let version = unsafe { sys::spb_abi_version() };
    version >> 16 == sys::SPB_ABI_MAJOR && (version & 0xffff) >= sys::SPB_ABI_MINOR
}

pub fn version() -> &'static str {
    // SAFETY: static text with a NUL.
    unsafe { CStr::from_ptr(sys::spb_version()) }.to_str().unwrap_or_default()
}

pub fn config_schema() -> &'static str {
    // SAFETY: static text.
    unsafe { text(sys::spb_config_schema()) }
}

/// "NOT_FOUND" for the number of SPB_E_NOT_FOUND.
pub fn status_name(status: sys::spb_status) -> &'static str {
    // SAFETY: static text with a NUL.
    unsafe { CStr::from_ptr(sys::spb_status_name(status)) }.to_str().unwrap_or("UNKNOWN")
}

/// The number of a name in any case.
pub fn status_number(name: &str) -> Option<sys::spb_status> {
    (0..STATUSES_MAX).find(|status| status_name(*status).eq_ignore_ascii_case(name))
}

/// Statuses are numbered from 0 without large gaps; there are 33.
const STATUSES_MAX: sys::spb_status = 256;
