//! `spb_watch`: a subscription, to log records or to changes of variables.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::api::{LogWatch, Watch, WatchOptions};
use crate::core::{Error, Result};

use super::error::spb_error;
use super::guard::{Out, guard, guard_or};
use super::handle_table;
use super::handles::{spb_session, spb_watch};
use super::options::{Options, check_flags, check_reserved, read_optional};
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::target::WatchTarget;
use super::text_view::spb_str;

/// First every variable there is, then the changes.
pub const SPB_WATCH_INITIAL: u32 = 1;
/// Of several changes of one variable that wait, only the newest comes.
pub const SPB_WATCH_COALESCE: u32 = 2;

/// How changes are told. Start from SPB_WATCH_OPTIONS_INIT; NULL and zero mean default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_watch_options {
    pub struct_size: usize,
    /// SPB_WATCH_*, added up.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
    /// Changes that may wait, at most 65536; those on top are counted in SPB_EVENT_WATCH_MISSED. 0:
    /// 1024.
    pub queue_max: u64,
}

// SAFETY: `repr(C)`, the size first, one pair of half words and a word without padding.
unsafe impl Options for spb_watch_options {}

/// What a watch handle stands for: dropping it ends the subscription.
pub enum WatchObject {
    Log(LogWatch),
    Variables(Watch),
}

/// Watches the variables of a session whose names match one of `patterns` ('*' stands for any text,
/// '?' for one character; several are separated by commas; empty: all). Changes come as
/// SPB_EVENT_VARIABLE in the order in which they happen, and SPB_EVENT_WATCH_END is the last event:
/// when the watch is stopped or freed, and when session or platform are closed.
///
/// Ownership: copies the options; the caller frees `*out` with spb_watch_free; the sink's data is
/// the library's from now on.
/// Threads: nonblocking with the memory store, callback-safe.
/// Errors: HANDLE, INVALID_ARGUMENT, UTF8, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE,
/// NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_watch_start(
    session: spb_session,
    patterns: spb_str,
    options: *const spb_watch_options,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_watch>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(session)?;
        let patterns = patterns.text("patterns")?;
        // SAFETY: the caller vouches for the struct.
        let options = match unsafe { read_optional(options, "options") }? {
            Some(given) => given.resolve()?,
            None => WatchOptions::default(),
        };
        let target = sink.open_required(&object.home)?;
        let keeper = target.keeper();
        let patterns = patterns.split(',').filter(|_| !patterns.is_empty());
        let watch = object.session.watch(patterns, options, Arc::new(WatchTarget(target)))?;
        out.put(handle_table::insert(Arc::new(WatchObject::Variables(watch)))?);
        keeper.keep();
        Ok(())
    })
}

/// Ends a subscription. Events that wait still come, and of a watch of variables the end behind
/// them. Stopping twice does no harm.
///
/// Ownership: the handle stays the caller's, to be freed.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_watch_stop(
    watch: spb_watch,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        match &*handle_table::get(watch)? {
            WatchObject::Log(watch) => watch.stop(),
            WatchObject::Variables(watch) => watch.stop(),
        }
        Ok(())
    })
}

/// Ends a subscription and frees the handle; 0 and stale handles are allowed. Events that wait
/// still come, and of a watch of variables the end behind them.
///
/// Ownership: takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_watch_free(watch: spb_watch) {
    guard_or((), || drop(handle_table::remove(watch)));
}

impl spb_watch_options {
    fn resolve(&self) -> Result<WatchOptions> {
        check_flags(self.flags, SPB_WATCH_INITIAL | SPB_WATCH_COALESCE, "options.flags")?;
        check_reserved(self.reserved.into(), "options.reserved")?;
        let queue_max = usize::try_from(self.queue_max)
            .map_err(|_| Error::invalid("options.queue_max is out of range"))?;
        Ok(WatchOptions {
            coalesce: self.flags & SPB_WATCH_COALESCE != 0,
            queue_max,
            initial: self.flags & SPB_WATCH_INITIAL != 0,
        })
    }
}
