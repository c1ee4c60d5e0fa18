//! A session as one thing: cloned, and carried as a file or as a value from one platform and store
//! to another.

use std::mem::MaybeUninit;
use std::path::Path;

use crate::api::Archive;

use super::callback_pool::refuse_blocking;
use super::error::spb_error;
use super::guard::{guard, guard_out};
use super::handle_table;
use super::handles::{spb_platform, spb_session};
use super::platform::home;
use super::session::{SessionObject, resolved, spb_session_options};
use super::status::spb_status;
use super::text_view::spb_str;
use super::value::{required, spb_value};

/// Opens a session that holds what this one does, at one moment: all variables with their history,
/// without their locks. What the options leave open is as it is here, but the id, which is random.
///
/// Ownership: copies the options; the caller frees `*out` with spb_session_free.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: those of spb_session_open.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_session_clone(
    session: spb_session,
    options: *const spb_session_options,
    out: Option<&mut MaybeUninit<spb_session>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let object = handle_table::get(session)?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { resolved(options) }?;
        let session = object.session.clone_as(options)?;
        SessionObject::hand_out(session, object.home.clone())
    })
}

/// Writes the session, as spb_session_clone would copy it, to a file that only its owner may read:
/// a zip file without compression. A file that is there is replaced, at one moment and only by a
/// whole one. The name is UTF-8.
///
/// Ownership: none.
/// Threads: blocking; WOULD_DEADLOCK in a callback.
/// Errors: HANDLE, CLOSED, LEASE_LOST, STORE, UTF8, INVALID_ARGUMENT, UNAVAILABLE and
/// RESOURCE_EXHAUSTED as the file system says, WOULD_DEADLOCK, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_session_export(
    session: spb_session,
    path: spb_str,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let object = handle_table::get(session)?;
        let path = Path::new(path.text("path")?);
        refuse_blocking()?;
        object.session.export()?.write_to(path)
    })
}

/// Opens a session with what a file of spb_session_export holds, from whichever store. What the
/// options leave open is as the file says, the id, too. The file may come from anybody: it is read
/// within the configured limits, and all of it is checked before the session is opened.
///
/// Ownership: copies the options; the caller frees `*out` with spb_session_free.
/// Threads: blocking; WOULD_DEADLOCK in a callback.
/// Errors: those of spb_session_open; INVALID_ARGUMENT, TYPE_MISMATCH and CONSTRAINT for what the
/// file holds, UNAVAILABLE when it cannot be read, WOULD_DEADLOCK.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_session_import(
    platform: spb_platform,
    path: spb_str,
    options: *const spb_session_options,
    out: Option<&mut MaybeUninit<spb_session>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let home = home(platform)?;
        let path = Path::new(path.text("path")?);
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { resolved(options) }?;
        refuse_blocking()?;
        let archive = Archive::read_from(path, home.platform().archive_bytes_max())?;
        let session = home.platform().import_session(archive, options)?;
        SessionObject::hand_out(session, home)
    })
}

/// As spb_session_export, as a value: the document of the archive with the attachments of all
/// variables.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, CLOSED, LEASE_LOST, STORE, UNAVAILABLE, RESOURCE_EXHAUSTED when it is larger
/// than a value may be, INVALID_ARGUMENT when it is nested deeper than a document may be,
/// NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_session_export_value(
    session: spb_session,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let archive = handle_table::get(session)?.session.export()?;
        Ok(spb_value::into_raw(archive.to_value()?))
    })
}

/// As spb_session_import, from a value of spb_session_export_value.
///
/// Ownership: shares `archive`, which stays the caller's; copies the options; the caller frees
/// `*out` with spb_session_free.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: those of spb_session_open; INVALID_ARGUMENT, TYPE_MISMATCH and CONSTRAINT for what the
/// value holds.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_session_import_value(
    platform: spb_platform,
    archive: Option<&spb_value>,
    options: *const spb_session_options,
    out: Option<&mut MaybeUninit<spb_session>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let home = home(platform)?;
        let archive = Archive::from_value(&required(archive, "archive")?)?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { resolved(options) }?;
        let session = home.platform().import_session(archive, options)?;
        SessionObject::hand_out(session, home)
    })
}
