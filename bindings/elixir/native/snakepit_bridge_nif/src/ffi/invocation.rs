//! Answering a tool call. Must not know which process does.

use super::failure::{Outcome, call};
use super::handles::Invocation;
use super::sys::{self, spb_failure_options, spb_status};
use super::text::{optional, view};
use super::value::{Value, made};

/// See spb_failure_options.
pub struct FailureOptions<'a> {
    pub status: spb_status,
    pub is_retryable: bool,
    pub message: &'a str,
    pub details_json: Option<&'a str>,
}

impl Invocation {
    pub fn info(&self) -> Outcome<Value> {
        // SAFETY: the outputs are ours, here and below.
        made(|out, err| unsafe { sys::spb_invocation_info(self.0, out, err) })
    }

    /// Whether nobody waits for the answer any more; also when it has been given.
    pub fn is_cancelled(&self) -> bool {
        let mut is_cancelled = 1;
        // SAFETY: as above.
        let known = call(|err| unsafe {
            sys::spb_invocation_is_cancelled(self.0, &raw mut is_cancelled, err)
        });
        known.is_err() || is_cancelled != 0
    }

    pub fn emit(&self, chunk: &Value) -> Outcome<()> {
        // SAFETY: the value lives until the call has returned, here and below.
        call(|err| unsafe { sys::spb_invocation_emit(self.0, chunk.as_ptr(), err) })
    }

    pub fn complete(&self, result: &Value) -> Outcome<()> {
        // SAFETY: as above.
        call(|err| unsafe { sys::spb_invocation_complete(self.0, result.as_ptr(), err) })
    }

    pub fn fail(&self, options: &FailureOptions) -> Outcome<()> {
        fail(self.id(), options)
    }
}

/// Fails a call by its number.
pub fn fail(id: u64, options: &FailureOptions) -> Outcome<()> {
    let mut raw = spb_failure_options::init();
    raw.status = options.status;
    raw.flags = if options.is_retryable { sys::SPB_FAILURE_RETRYABLE } else { 0 };
    raw.message = view(options.message);
    raw.details_json = optional(options.details_json);
    let invocation = sys::spb_invocation { id };
    // SAFETY: what the struct points to lives until the call has returned.
    call(|err| unsafe { sys::spb_invocation_fail(invocation, &raw const raw, err) })
}

/// Fails a call for a reason of ours; nothing happens if it was answered.
pub fn fail_by_id(id: u64, message: &str) {
    let options = FailureOptions {
        status: sys::SPB_E_TOOL_FAILED,
        is_retryable: false,
        message,
        details_json: None,
    };
    // An answer that came first is as good.
    let _ = fail(id, &options);
}
