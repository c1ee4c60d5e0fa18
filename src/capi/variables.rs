//! Several variables at once: read at one moment, written all or none, listed by pages.

use std::mem::MaybeUninit;

use serde_json::json;

use crate::api::{Write, variable_document};
use crate::core::limits::BATCH_MAX;
use crate::core::{Error, Result, Status};

use super::error::spb_error;
use super::guard::{Out, guard, guard_out, null_argument};
use super::handle_table;
use super::handles::spb_session;
use super::options::check_reserved;
use super::status::spb_status;
use super::text_view::{slice, spb_str};
use super::value::spb_value;
use super::variable::expected;

/// One write of several.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_variable_write {
    pub name: spb_str,
    /// Stays yours.
    pub value: *const spb_value,
    /// Only over exactly this version. 0: whatever is there.
    pub expected_version: u64,
    /// 0.
    pub reserved: u64,
}

/// Reads `count` variables (1000 at most) as they are at one moment: {"found": [{"name", "type",
/// "id", "version", "value", "constraints", "metadata", and "lock" where there is one}],
/// "missing": [names]}.
///
/// Ownership: reads `names` during the call; the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, UTF8, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT,
/// FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_variable_get_many(
    session: spb_session,
    names: *const spb_str,
    count: usize,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let object = handle_table::get(session)?;
        check_count(count)?;
        // SAFETY: the caller vouches for `count` views.
        let names = unsafe { slice(names, count, "names") }?;
        let text = |name: &spb_str| name.text("names").map(str::to_owned);
        let names = names.iter().map(text).collect::<Result<Vec<_>>>()?;
        let (found, missing) = object.session.get_variables(&names)?;
        Ok(spb_value::into_raw(variable_document::found(&found, &missing)?))
    })
}

/// Writes `count` variables (1000 at most), all or none; no name stands twice. `owner` gets past
/// its own locks; it may be empty. The result is an array of {"name", "id", "version"} in the order
/// of the writes.
///
/// Ownership: reads `writes` during the call and shares their values; the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: those of the first faulty write: NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT,
/// BUSY; and HANDLE, UTF8, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT,
/// FORKED. NULL `out` is allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_variable_set_many(
    session: spb_session,
    writes: *const spb_variable_write,
    count: usize,
    owner: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        let object = handle_table::get(session)?;
        check_count(count)?;
        // SAFETY: the caller vouches for `count` structs.
        let writes = unsafe { slice(writes, count, "writes") }?;
        // SAFETY: the caller vouches for each write's value.
        let write = |write: &spb_variable_write| unsafe { write.resolve() };
        let writes = writes.iter().map(write).collect::<Result<Vec<_>>>()?;
        let variables = object.session.set_variables(writes, owner.optional_text("owner")?)?;
        out.put_if_wanted(|| {
            let written = variables.iter().map(|written| {
                let (name, id) = (written.name().as_ref(), written.definition.id);
                json!({"name": name, "id": id, "version": written.version})
            });
            spb_value::from_document(&written.collect())
        });
        Ok(())
    })
}

/// Lists the variables whose names match `pattern`, as spb_variable_list does, in pages: at most
/// `limit` of them (0: 10000, which is the most), from the one behind the name `after`. A page that
/// is not full is the last.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, UTF8, INVALID_ARGUMENT, CLOSED, STORE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_variable_list_page(
    session: spb_session,
    pattern: spb_str,
    after: spb_str,
    limit: usize,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let object = handle_table::get(session)?;
        let (pattern, after) = (pattern.text("pattern")?, after.optional_text("after")?);
        let page = object.session.list_variables_page(pattern, after, limit)?;
        Ok(spb_value::into_raw(variable_document::variables(&page)?))
    })
}

impl spb_variable_write {
    /// # Safety
    /// The value is NULL or one of the library's that lives.
    unsafe fn resolve(&self) -> Result<Write> {
        check_reserved(self.reserved, "writes.reserved")?;
        // SAFETY: as the caller vouches.
        let value = unsafe { self.value.as_ref() }.ok_or_else(|| null_argument("writes.value"))?;
        Ok(Write {
            name: self.name.text("writes.name")?.to_owned(),
            value: value.get().clone(),
            expected_version: expected(self.expected_version),
        })
    }
}

/// Before anything of the array is read.
fn check_count(count: usize) -> Result<()> {
    if count <= BATCH_MAX {
        return Ok(());
    }
    let message = format!("count is {count}, the limit is {BATCH_MAX}");
    let error = Error::new(Status::ResourceExhausted, message).retryable(false);
    Err(error.with("argument", "count").with("limit", BATCH_MAX))
}
