//! Calls of the platform and of completion queues. Must not know the dispatcher.

use std::ptr::{null, null_mut};

use super::event::sink;
use super::failure::{Outcome, call};
use super::handles::{Operation, Platform, Queue};
use super::sys::{self, spb_operation, spb_platform, spb_queue, spb_text};
use super::text::{bytes_view, text, view};
use super::value::{Value, made};

impl Platform {
    pub fn open(config_json: &[u8]) -> Outcome<Platform> {
        let mut out = spb_platform { id: 0 };
        // SAFETY: the view is read during the call, the outputs are ours.
        call(|err| unsafe { sys::spb_platform_open(bytes_view(config_json), &raw mut out, err) })?;
        Ok(Platform(out))
    }

    pub fn shutdown(&self, grace_ms: i64, queue: &Queue, tag: u64) -> Outcome<Operation> {
        let sink = sink(queue, tag);
        submitted(|out, err| unsafe {
            // SAFETY: the sink is read during the call, the outputs are ours.
            sys::spb_platform_shutdown(self.0, grace_ms, &raw const sink, out, err)
        })
    }

    /// Starts closing without waiting for anything; nobody hears of the end.
    pub fn abandon(&self) {
        let mut out = spb_operation { id: 0 };
        // SAFETY: no sink, no error wanted, the output is ours.
        unsafe {
            sys::spb_platform_shutdown(self.0, GRACE_MIN_MS, null(), &raw mut out, null_mut());
            sys::spb_operation_free(out);
        }
    }

    pub fn health(&self) -> Outcome<Value> {
        // SAFETY: the outputs are ours, here and below.
        made(|out, err| unsafe { sys::spb_platform_health(self.0, out, err) })
    }

    pub fn describe(&self) -> Outcome<Value> {
        // SAFETY: as above.
        made(|out, err| unsafe { sys::spb_platform_describe(self.0, out, err) })
    }

    pub fn schema(&self, framework: &str) -> Outcome<Value> {
        // SAFETY: as above; the view is read during the call.
        made(|out, err| unsafe { sys::spb_platform_schema(self.0, view(framework), out, err) })
    }

    pub fn metrics(&self) -> Outcome<String> {
        let mut out: *mut spb_text = null_mut();
        // SAFETY: as above.
        call(|err| unsafe { sys::spb_platform_metrics(self.0, &raw mut out, err) })?;
        // SAFETY: the text is ours, copied before it is freed once.
        unsafe {
            let metrics = text(sys::spb_text_view(out)).to_owned();
            sys::spb_text_free(out);
            Ok(metrics)
        }
    }
}

impl Queue {
    pub fn new(platform: &Platform) -> Outcome<Queue> {
        let mut out = spb_queue { id: 0 };
        // SAFETY: the outputs are ours.
        call(|err| unsafe { sys::spb_queue_new(platform.0, &raw mut out, err) })?;
        Ok(Queue(out))
    }

    /// Lets `to` hear once, with `tag`, that this one has events.
    pub fn notify(&self, to: &Queue, tag: u64) -> Outcome<()> {
        // SAFETY: no needs.
        call(|err| unsafe { sys::spb_queue_notify(self.0, to.0, tag, err) })
    }
}

impl Operation {
    /// It is known by this until the handle is dropped, and never again.
    pub fn number(&self) -> u64 {
        self.0.id
    }

    pub fn cancel(&self) -> Outcome<()> {
        cancel(self.number())
    }
}

/// Cancels an operation by its number.
pub fn cancel(number: u64) -> Outcome<()> {
    // SAFETY: no needs: the library checks numbers.
    call(|err| unsafe { sys::spb_operation_cancel(spb_operation { id: number }, err) })
}

/// SPB_OPERATION_*.
pub fn state(number: u64) -> Outcome<u32> {
    let mut state = 0;
    let operation = spb_operation { id: number };
    // SAFETY: the outputs are ours.
    call(|err| unsafe { sys::spb_operation_state(operation, &raw mut state, err) })?;
    Ok(state)
}

/// Makes a call whose output is an operation.
pub(super) fn submitted(
    function: impl FnOnce(*mut spb_operation, *mut *mut sys::spb_error) -> sys::spb_status,
) -> Outcome<Operation> {
    let mut out = spb_operation { id: 0 };
    call(|err| function(&raw mut out, err))?;
    Ok(Operation(out))
}

/// 0 would be the configured grace.
const GRACE_MIN_MS: i64 = 1;
