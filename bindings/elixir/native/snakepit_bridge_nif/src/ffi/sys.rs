//! The header as declarations, made by build/header.rs on every build.
//!
//! Owns nothing and must not be used outside `ffi`. What the NIFs do not call is declared, too.
#![expect(
    dead_code,
    non_camel_case_types,
    clippy::undocumented_unsafe_blocks,
    reason = "generated, in the names of C; zeroed is argued in build/header.rs"
)]

use std::ffi::{c_char, c_void};

include!(concat!(env!("OUT_DIR"), "/sys.rs"));
