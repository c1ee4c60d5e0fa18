//! `spb_session`: what calls share, opened and closed by the host.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::api::{Session, SessionOptions};
use crate::core::{Affinity, Error, Result};

use super::error::spb_error;
use super::guard::{Out, guard, guard_or, guard_out};
use super::handle_table;
use super::handles::{spb_operation, spb_platform, spb_session};
use super::home::Home;
use super::operation::submit;
use super::options::{Options, check_reserved, read_optional};
use super::platform::home;
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::text_view::spb_str;
use super::times::long_limit_ms;
use super::value::spb_value;

/// As the session says, and for a session as configured.
pub const SPB_AFFINITY_DEFAULT: u32 = 0;
/// Any worker serves any call.
pub const SPB_AFFINITY_NONE: u32 = 1;
/// The session's calls go to one worker of a pool, its home there, if that has room; else anywhere.
pub const SPB_AFFINITY_HINT: u32 = 2;
/// They go to their home and nowhere else, and wait for it. Once that worker is gone, one call ends
/// with SESSION_WORKER_UNAVAILABLE, and the next has a new home.
pub const SPB_AFFINITY_STRICT_QUEUE: u32 = 3;
/// The same, but a call that would have to wait for its home ends with BUSY.
pub const SPB_AFFINITY_STRICT_FAIL_FAST: u32 = 4;

/// How a session is to be. Start from SPB_SESSION_OPTIONS_INIT; zero means default everywhere.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_session_options {
    pub struct_size: usize,
    /// A name of your own, at most 128 bytes; empty: a random one.
    pub id: spb_str,
    /// A JSON object that is kept and shown, at most 8 KiB; empty: none.
    pub metadata_json: spb_str,
    /// Closed when unused for so long. 0: as configured, SPB_NO_TIMEOUT: never.
    pub ttl_ms: i64,
    /// SPB_AFFINITY_*.
    pub affinity: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, the size first, words without padding.
unsafe impl Options for spb_session_options {}

/// What a session handle stands for.
pub struct SessionObject {
    pub session: Session,
    pub home: Arc<Home>,
}

/// Opens a session.
///
/// Ownership: copies the options; the caller frees `*out` with spb_session_free.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, ALREADY_EXISTS, INVALID_ARGUMENT, UTF8, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED,
/// LEASE_LOST, STORE, UNAVAILABLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_session_open(
    platform: spb_platform,
    options: *const spb_session_options,
    out: Option<&mut MaybeUninit<spb_session>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let home = home(platform)?;
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { resolved(options) }?;
        let session = home.platform().open_session(options)?;
        SessionObject::hand_out(session, home)
    })
}

/// Finds the session of that name: open on this host, or in the store, opened by another host or
/// before a restart; then it is joined, and its time starts again.
///
/// Ownership: the caller frees `*out` with spb_session_free.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, NOT_FOUND, INVALID_ARGUMENT, UTF8, RESOURCE_EXHAUSTED, CLOSED, LEASE_LOST,
/// STORE, UNAVAILABLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_session_join(
    platform: spb_platform,
    id: spb_str,
    out: Option<&mut MaybeUninit<spb_session>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let home = home(platform)?;
        let session = home.platform().session(id.text("id")?)?;
        SessionObject::hand_out(session, home)
    })
}

/// Lists the sessions of the store in the order of their ids, at most `limit` (0: 10000) from the
/// one behind `after_id` (empty: the first): an array of {"id", "metadata", "affinity", "ttl_ms",
/// "open"}, with "age_ms", "idle_ms" and "expires_in_ms" of those that are open on this host. The
/// times to live are null for a session that never expires.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, INVALID_ARGUMENT, UTF8, CLOSED, LEASE_LOST, STORE, UNAVAILABLE, NULL_ARGUMENT,
/// FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_session_list(
    platform: spb_platform,
    after_id: spb_str,
    limit: usize,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let after = after_id.optional_text("after_id")?;
        let list = home(platform)?.platform().list_sessions(after, limit)?;
        Ok(spb_value::from_document(&list))
    })
}

/// Reports id, metadata, ages, and what the session holds: {"id", "metadata", "affinity", "age_ms",
/// "idle_ms", "ttl_ms", "expires_in_ms", "closed", "operations_running", "store", "variables",
/// "bytes", "revision"}. "ttl_ms" and "expires_in_ms" are null for a session that never expires.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, CLOSED, LEASE_LOST, STORE, UNAVAILABLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_session_info(
    session: spb_session,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        Ok(spb_value::from_document(&handle_table::get(session)?.session.info()?))
    })
}

/// Counts as a use of the session: its time to live starts again.
///
/// Ownership: none.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, CLOSED, LEASE_LOST, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_session_touch(
    session: spb_session,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || handle_table::get(session)?.session.touch())
}

/// Starts closing a session, for every host of the store: its operations are cancelled, its tools
/// and variables go.
///
/// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_session_close(
    session: spb_session,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_operation>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(session)?;
        let target = sink.open(&object.home)?;
        submit(object.session.close()?, target, None, out)
    })
}

/// Frees the handle; 0 and stale handles are allowed. The session lives until it is closed or its
/// time is up.
///
/// Ownership: takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_session_free(session: spb_session) {
    guard_or((), || drop(handle_table::remove(session)));
}

/// The options behind a pointer that may be NULL.
///
/// # Safety
/// `options` is NULL or a readable struct of the size that it says.
pub(super) unsafe fn resolved(options: *const spb_session_options) -> Result<SessionOptions> {
    // SAFETY: as the caller vouches.
    match unsafe { read_optional(options, "options") }? {
        Some(given) => given.resolve(),
        None => Ok(SessionOptions::default()),
    }
}

impl SessionObject {
    /// A handle for it.
    pub(super) fn hand_out(session: Session, home: Arc<Home>) -> Result<spb_session> {
        handle_table::insert(Arc::new(SessionObject { session, home }))
    }
}

impl spb_session_options {
    fn resolve(&self) -> Result<SessionOptions> {
        let metadata = match self.metadata_json.optional_text("options.metadata_json")? {
            None => None,
            Some(text) => Some(serde_json::from_str(text).map_err(|error| {
                Error::invalid(format!("options.metadata_json is not a JSON object: {error}"))
            })?),
        };
        Ok(SessionOptions {
            id: self.id.optional_text("options.id")?.map(str::to_owned),
            metadata,
            ttl: long_limit_ms(self.ttl_ms, "options.ttl_ms")?,
            affinity: affinity_of(self.affinity, self.reserved)?,
        })
    }
}

/// The affinity of a number of the header. None: as by default.
pub(super) fn affinity_of(number: u32, reserved: u32) -> Result<Option<Affinity>> {
    check_reserved(reserved.into(), "options.reserved")?;
    Ok(Some(match number {
        SPB_AFFINITY_DEFAULT => return Ok(None),
        SPB_AFFINITY_NONE => Affinity::None,
        SPB_AFFINITY_HINT => Affinity::Hint,
        SPB_AFFINITY_STRICT_QUEUE => Affinity::StrictQueue,
        SPB_AFFINITY_STRICT_FAIL_FAST => Affinity::StrictFailFast,
        _ => {
            let message = format!("options.affinity is {number}, expected one of SPB_AFFINITY_*");
            return Err(Error::invalid(message).with("argument", "options.affinity"));
        }
    }))
}
