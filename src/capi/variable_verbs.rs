//! The rest of what can be done to variables: on conditions, in one step, with their past.

use std::mem::MaybeUninit;
use std::time::Duration;

use crate::api::{Access, variable_document};
use crate::core::Result;

use super::error::spb_error;
use super::guard::{Out, guard, guard_out};
use super::handle_table;
use super::handles::spb_session;
use super::options::{Options, read_optional};
use super::status::spb_status;
use super::text_view::spb_str;
use super::value::{required, required_ref, spb_value};
use super::variable::expected;

/// On what condition a variable is written. Start from SPB_WRITE_OPTIONS_INIT; NULL and zero mean
/// no condition.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_write_options {
    pub struct_size: usize,
    /// Only over exactly this version. 0: whatever is there.
    pub expected_version: u64,
    /// Who writes: the owner of a lock gets past it. Empty: nobody in particular.
    pub owner: spb_str,
}

// SAFETY: `repr(C)`, the size first, words without padding.
unsafe impl Options for spb_write_options {}

/// Writes a variable on a condition.
///
/// Ownership: shares `value`, which stays the caller's; copies the options.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT, BUSY, UTF8,
/// INVALID_ARGUMENT, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED. NULL
/// `out_version` is allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_variable_set_with(
    session: spb_session,
    name: spb_str,
    value: Option<&spb_value>,
    options: *const spb_write_options,
    out_version: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out_version = Out::zeroed(out_version);
    guard(err, || {
        let object = handle_table::get(session)?;
        let value = required_ref(value, "value")?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { WriteOptions::read(options) }?;
        let name = name.text("name")?;
        let version = object.session.set_variable_version(name, value, options.access()?)?;
        out_version.put_if_wanted(|| version);
        Ok(())
    })
}

/// Reads, reckons and writes in one step that no other writer comes into: `update` is a document
/// such as {"add": 1}, {"append": [4]} or {"merge": {"a": null}}; docs/state.md has them all.
///
/// Ownership: the caller frees `*out`, the value as it is then. Copies the options.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT, BUSY, UTF8,
/// INVALID_ARGUMENT, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED. NULL
/// `out` and `out_version` are allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_variable_update(
    session: spb_session,
    name: spb_str,
    update: Option<&spb_value>,
    options: *const spb_write_options,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    out_version: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let (out, out_version) = (Out::zeroed(out), Out::zeroed(out_version));
    guard(err, || {
        let object = handle_table::get(session)?;
        let update = required(update, "update")?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { WriteOptions::read(options) }?;
        let name = name.text("name")?;
        let variable = object.session.update_variable(name, &update, options.access()?)?;
        out.put_if_wanted(|| spb_value::into_raw(variable.value));
        out_version.put_if_wanted(|| variable.version);
        Ok(())
    })
}

/// Writes the value that version `version` had, as a new version.
///
/// Ownership: copies the options.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND (details.versions are those that are kept), VERSION_CONFLICT, BUSY,
/// UTF8, INVALID_ARGUMENT, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED.
/// NULL `out_version` is allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_variable_rollback(
    session: spb_session,
    name: spb_str,
    version: u64,
    options: *const spb_write_options,
    out_version: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out_version = Out::zeroed(out_version);
    guard(err, || {
        let object = handle_table::get(session)?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { WriteOptions::read(options) }?;
        let name = name.text("name")?;
        let variable = object.session.roll_back_variable(name, version, options.access()?)?;
        out_version.put_if_wanted(|| variable.version);
        Ok(())
    })
}

/// Reads the earlier values that are kept and the current one, oldest first: an array of
/// {"version", "value"}.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, UTF8, INVALID_ARGUMENT, CLOSED, STORE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_history(
    session: spb_session,
    name: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let object = handle_table::get(session)?;
        let history = object.session.variable_history(name.text("name")?)?;
        Ok(spb_value::into_raw(variable_document::history(&history)?))
    })
}

/// Keeps everybody but `owner` (1 to 128 bytes) from writing a variable for `ttl_ms`; everybody may
/// read. The same owner's time starts again.
///
/// Ownership: copies the name.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, BUSY (details.owner has it), UTF8, INVALID_ARGUMENT, CLOSED, STORE,
/// NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_lock(
    session: spb_session,
    name: spb_str,
    owner: spb_str,
    ttl_ms: u64,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(session)?;
        let (name, owner) = (name.text("name")?, owner.text("owner")?);
        object.session.lock_variable(name, owner, Duration::from_millis(ttl_ms)).map(drop)
    })
}

/// Gives a locked variable back; one that nobody has is left as it is.
///
/// Ownership: none.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, BUSY (details.owner has it), UTF8, INVALID_ARGUMENT, CLOSED, STORE,
/// NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_unlock(
    session: spb_session,
    name: spb_str,
    owner: spb_str,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(session)?;
        object.session.unlock_variable(name.text("name")?, owner.text("owner")?)
    })
}

/// Deletes a variable on a condition.
///
/// Ownership: copies the options.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, BUSY, UTF8, INVALID_ARGUMENT, UNSUPPORTED, CLOSED,
/// STORE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_variable_delete_with(
    session: spb_session,
    name: spb_str,
    options: *const spb_write_options,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(session)?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { WriteOptions::read(options) }?;
        object.session.delete_variable_with(name.text("name")?, options.access()?)
    })
}

/// The caller's options, copied.
struct WriteOptions(Option<spb_write_options>);

impl WriteOptions {
    /// # Safety
    /// Unless `given` is NULL, it points to a struct as large as its `struct_size` says.
    unsafe fn read(given: *const spb_write_options) -> Result<Self> {
        // SAFETY: as the caller vouches.
        unsafe { read_optional(given, "options") }.map(WriteOptions)
    }

    fn access(&self) -> Result<Access<'_>> {
        let Some(options) = &self.0 else { return Ok(Access::ANY) };
        Ok(Access {
            expected_version: expected(options.expected_version),
            owner: options.owner.optional_text("options.owner")?,
        })
    }
}
