//! Log records of the library and of Python, to a sink of the host's. Nothing is printed for it.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::api::{Level, LogFilter};
use crate::core::{Error, Result};

use super::error::spb_error;
use super::guard::{Out, guard};
use super::handle_table;
use super::handles::{spb_platform, spb_watch};
use super::options::{Options, check_reserved, read_optional};
use super::platform::home;
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::target::LogTarget;
use super::text_view::spb_str;
use super::watch::WatchObject;

/// Which records. Start from SPB_LOG_OPTIONS_INIT; zero means default everywhere.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_log_options {
    pub struct_size: usize,
    /// The lowest level, as Python's logging counts: 10 debug, 20 info, 30 warning, 40 error. 0:
    /// the configuration's logs.level.
    pub level: i32,
    pub reserved: u32,
    /// Only targets that begin so; empty: all.
    pub target_prefix: spb_str,
}

// SAFETY: `repr(C)`, the size first, words and one pair of half words without padding.
unsafe impl Options for spb_log_options {}

/// Subscribes to log records, which come as SPB_EVENT_LOG. Of those that are not taken in time as
/// many wait as logs.queue_max of the configuration says, 1024 unless it does; the rest is dropped
/// and counted in SPB_EVENT_OVERFLOW. NULL `options` mean all defaults.
///
/// Ownership: copies the options; the caller ends the subscription with spb_watch_free; the sink's
/// data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, INVALID_ARGUMENT, UTF8, UNSUPPORTED, CLOSED, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_log_subscribe(
    platform: spb_platform,
    options: *const spb_log_options,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_watch>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let home = home(platform)?;
        // SAFETY: the caller vouches for the struct.
        let filter = match unsafe { read_optional(options, "options") }? {
            Some(options) => options.resolve(home.platform().default_log_level())?,
            None => LogFilter {
                level: home.platform().default_log_level(),
                target_prefix: String::new(),
            },
        };
        let target = sink.open_required(&home)?;
        let keeper = target.keeper();
        let target = LogTarget::new(target, home.platform().log_records_max());
        let watch = home.platform().subscribe_logs(filter, Arc::new(target))?;
        out.put(handle_table::insert(Arc::new(WatchObject::Log(watch)))?);
        keeper.keep();
        Ok(())
    })
}

impl spb_log_options {
    fn resolve(&self, default: Level) -> Result<LogFilter> {
        check_reserved(self.reserved.into(), "options.reserved")?;
        let level = match self.level {
            0 => default,
            level => level_of(level)?,
        };
        let target_prefix = self.target_prefix.text("options.target_prefix")?.to_owned();
        Ok(LogFilter { level, target_prefix })
    }
}

fn level_of(number: i32) -> Result<Level> {
    match number {
        10 => Ok(Level::Debug),
        20 => Ok(Level::Info),
        30 => Ok(Level::Warning),
        40 => Ok(Level::Error),
        _ => Err(Error::invalid(format!("options.level is {number}, expected 10, 20, 30 or 40"))),
    }
}
