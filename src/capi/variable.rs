//! Variables of a session: typed, versioned state that host and Python share.

use std::mem::MaybeUninit;

use bytes::Bytes;

use crate::api::{Access, RegisterVariable};
use crate::core::Result;

use super::error::spb_error;
use super::guard::{Out, guard, guard_out};
use super::handle_table;
use super::handles::spb_session;
use super::options::{Options, read};
use super::status::spb_status;
use super::text_view::spb_str;
use super::value::{required, required_ref, spb_value};

/// A new variable. Start from SPB_VARIABLE_OPTIONS_INIT.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_variable_options {
    pub struct_size: usize,
    pub name: spb_str,
    /// "string", "integer", "float", "boolean", "choice", "json", "bytes", "program", "embedding"
    /// or "tensor".
    pub r#type: spb_str,
    /// A JSON object such as {"min": 0, "max": 1}; empty: none.
    pub constraints_json: spb_str,
    /// A JSON object that is kept and shown; empty: none.
    pub metadata_json: spb_str,
}

// SAFETY: `repr(C)`, the size first, words without padding.
unsafe impl Options for spb_variable_options {}

/// Registers a variable with its first value, as version 1.
///
/// Ownership: copies the options; shares `initial`, which stays the caller's.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, ALREADY_EXISTS, TYPE_MISMATCH, CONSTRAINT, INVALID_ARGUMENT, UTF8, UNSUPPORTED,
/// RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED. `out_version` may be NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_variable_register(
    session: spb_session,
    options: *const spb_variable_options,
    initial: Option<&spb_value>,
    out_version: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out_version = Out::zeroed(out_version);
    guard(err, || {
        let object = handle_table::get(session)?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { read(options, "options") }?;
        let variable = options.resolve(initial)?;
        let version = object.session.register_variable(variable)?;
        out_version.put_if_wanted(|| version);
        Ok(())
    })
}

/// Reads a variable and the version that this value is.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, UTF8, CLOSED, STORE, NULL_ARGUMENT, FORKED. `out_version` may be
/// NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_get(
    session: spb_session,
    name: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    out_version: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let (out, out_version) = (Out::zeroed(out), Out::zeroed(out_version));
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(session)?;
        let (value, version) = object.session.get_variable(name.text("name")?)?;
        out.put(spb_value::into_raw(value));
        out_version.put_if_wanted(|| version);
        Ok(())
    })
}

/// Writes a variable, if it still has `expected_version` (0: whatever it has).
///
/// Ownership: shares `value`, which stays the caller's.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT, BUSY, UTF8, CLOSED,
/// STORE, NULL_ARGUMENT, FORKED. `out_version` may be NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_set(
    session: spb_session,
    name: spb_str,
    value: Option<&spb_value>,
    expected_version: u64,
    out_version: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out_version = Out::zeroed(out_version);
    guard(err, || {
        let object = handle_table::get(session)?;
        let value = required_ref(value, "value")?;
        let access = Access { expected_version: expected(expected_version), owner: None };
        let version = object.session.set_variable_version(name.text("name")?, value, access)?;
        out_version.put_if_wanted(|| version);
        Ok(())
    })
}

/// Lists the variables whose names match `pattern` ('*' stands for any text; empty: all): an array
/// of {"name", "type", "id", "version", "value", "constraints", "metadata"}, with "lock": {"owner",
/// "expires_in_ms"} where there is one. What the values refer to is attached to the whole.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, UTF8, CLOSED, STORE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_list(
    session: spb_session,
    pattern: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let object = handle_table::get(session)?;
        let pattern = pattern.text("pattern")?;
        Ok(spb_value::into_raw(object.session.describe_variables(pattern)?))
    })
}

/// Deletes a variable, if it still has `expected_version` (0: whatever it has).
///
/// Ownership: none.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, BUSY, UTF8, CLOSED, STORE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_delete(
    session: spb_session,
    name: spb_str,
    expected_version: u64,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(session)?;
        object.session.delete_variable(name.text("name")?, expected(expected_version))
    })
}

impl spb_variable_options {
    fn resolve(&self, initial: Option<&spb_value>) -> Result<RegisterVariable> {
        Ok(RegisterVariable {
            name: self.name.text("options.name")?.to_owned(),
            type_name: self.r#type.text("options.type")?.to_owned(),
            initial: required(initial, "initial")?,
            constraints: document(&self.constraints_json, "options.constraints_json")?,
            metadata: document(&self.metadata_json, "options.metadata_json")?,
        })
    }
}

fn document(json: &spb_str, argument: &str) -> Result<Option<Bytes>> {
    let text = json.optional_text(argument)?;
    Ok(text.map(|text| Bytes::copy_from_slice(text.as_bytes())))
}

/// The condition of a version in the header, where 0 is none.
pub(super) fn expected(version: u64) -> Option<u64> {
    (version != 0).then_some(version)
}
