//! The library itself: its version, its ABI, its words for statuses, its configuration's schema.

use std::ffi::{CStr, c_char};
use std::sync::LazyLock;

use crate::core::Status;

use super::guard::guard_memory;
use super::status::spb_status;
use super::text_view::{NulText, spb_str};

/// Changes when a program built against an older header no longer works; the SONAME carries it.
pub const SPB_ABI_MAJOR: u32 = 0;
/// Grows with every addition to this header.
pub const SPB_ABI_MINOR: u32 = 1;

/// The library's version, such as "0.1.0".
///
/// Ownership: static text, NUL-terminated.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The ABI of the loaded library: major in the upper sixteen bits, minor in the lower. See
/// spb_abi_check.
///
/// Ownership: none.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_abi_version() -> u32 {
    SPB_ABI_MAJOR << 16 | SPB_ABI_MINOR
}

/// The name of a status without its prefix, such as "NOT_FOUND"; "UNKNOWN" for a number that is
/// none.
///
/// Ownership: static text, NUL-terminated.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_status_name(status: spb_status) -> *const c_char {
    guard_memory(UNKNOWN.as_ptr(), || {
        let index = usize::try_from(status).ok();
        let name = index.and_then(|index| STATUS_NAMES.get(index));
        name.map_or(UNKNOWN.as_ptr(), |name| name.as_ptr())
    })
}

/// The JSON Schema of the document that spb_platform_open takes, with the meaning and default of
/// every key.
///
/// Ownership: a static view.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_config_schema() -> spb_str {
    guard_memory(spb_str::EMPTY, || CONFIG_SCHEMA.view())
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => UNKNOWN,
    };
const UNKNOWN: &CStr = c"UNKNOWN";
static STATUS_NAMES: LazyLock<Vec<std::ffi::CString>> = LazyLock::new(|| {
    Status::ALL.iter().filter_map(|status| std::ffi::CString::new(status.name()).ok()).collect()
});
static CONFIG_SCHEMA: LazyLock<NulText> =
    LazyLock::new(|| NulText::new(crate::api::config_schema().to_string().as_bytes()));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_name_and_other_numbers_have_none() {
        for status in Status::ALL {
            // SAFETY: static text that ends with NUL.
            let name = unsafe { CStr::from_ptr(spb_status_name(status.code())) };
            assert_eq!(name.to_str().unwrap(), status.name());
        }
        for code in [-1, 33, i32::MAX, i32::MIN] {
            assert_eq!(spb_status_name(code), UNKNOWN.as_ptr());
        }
    }

    #[test]
    fn the_abi_is_the_packages_version() {
        let expected = format!("{SPB_ABI_MAJOR}.{SPB_ABI_MINOR}.");
        assert!(env!("CARGO_PKG_VERSION").starts_with(&expected));
        assert_eq!(VERSION.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    }
}
