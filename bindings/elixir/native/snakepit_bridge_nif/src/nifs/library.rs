//! What the library says about itself.

use crate::ffi;

#[rustler::nif]
fn version() -> &'static str {
    ffi::version()
}

#[rustler::nif]
fn config_schema() -> &'static str {
    ffi::config_schema()
}
