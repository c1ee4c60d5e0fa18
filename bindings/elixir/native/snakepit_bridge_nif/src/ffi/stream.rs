//! Subscriptions: changes of variables, and the log. Must not know who reads them.

use super::event::sink;
use super::failure::{Outcome, call};
use super::handles::{Platform, Queue, Session, Watch};
use super::sys::{self, spb_error, spb_log_options, spb_status, spb_watch, spb_watch_options};
use super::text::{optional, view};

/// See spb_watch_options.
pub struct WatchOptions {
    pub has_initial: bool,
    pub is_coalesced: bool,
    pub queue_max: u64,
}

/// See spb_log_options.
pub struct LogOptions<'a> {
    pub level: i32,
    pub target_prefix: Option<&'a str>,
}

impl Watch {
    pub fn variables(
        session: &Session,
        patterns: &str,
        options: &WatchOptions,
        queue: &Queue,
        tag: u64,
    ) -> Outcome<Watch> {
        let mut raw = spb_watch_options::init();
        raw.flags = if options.has_initial { sys::SPB_WATCH_INITIAL } else { 0 };
        raw.flags |= if options.is_coalesced { sys::SPB_WATCH_COALESCE } else { 0 };
        raw.queue_max = options.queue_max;
        let sink = sink(queue, tag);
        // SAFETY: everything that the structs point to lives until the call has returned.
        started(|out, err| unsafe {
            let patterns = view(patterns);
            sys::spb_watch_start(session.0, patterns, &raw const raw, &raw const sink, out, err)
        })
    }

    pub fn log(
        platform: &Platform,
        options: &LogOptions,
        queue: &Queue,
        tag: u64,
    ) -> Outcome<Watch> {
        let mut raw = spb_log_options::init();
        raw.level = options.level;
        raw.target_prefix = optional(options.target_prefix);
        let sink = sink(queue, tag);
        // SAFETY: as above.
        started(|out, err| unsafe {
            sys::spb_log_subscribe(platform.0, &raw const raw, &raw const sink, out, err)
        })
    }

    pub fn stop(&self) -> Outcome<()> {
        // SAFETY: no needs.
        call(|err| unsafe { sys::spb_watch_stop(self.0, err) })
    }
}

fn started(
    function: impl FnOnce(*mut spb_watch, *mut *mut spb_error) -> spb_status,
) -> Outcome<Watch> {
    let mut out = spb_watch { id: 0 };
    call(|err| function(&raw mut out, err))?;
    Ok(Watch(out))
}
