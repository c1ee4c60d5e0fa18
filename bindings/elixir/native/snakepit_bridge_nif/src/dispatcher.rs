//! The thread that sends a platform's messages, from its first event to its last.
//!
//! Owns: waiting, on the platform's queue, which the streams whose readers wait tell. It never
//! waits for anything else, and a panic in one event does not keep it from the next. Must not know
//! NIFs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustler::{Encoder, Env, ResourceArc, Term};

use crate::codec::{SMALL_BYTES_MAX, answer, optional_payload};
use crate::ffi::{Event, EventKind, Events, Failure, Outcome, SPB_E_INTERNAL, Value};
use crate::home::{Call, Entry, Home};
use crate::resources::StreamResource;

/// Starts the thread. It ends with the platform, by its last event.
pub fn start(home: Arc<Home>) -> Outcome<()> {
    let builder = std::thread::Builder::new().name("spb-elixir".to_owned());
    let started = builder.spawn(move || {
        let mut events = Events::with_capacity(BATCH_MAX);
        while catch_unwind(AssertUnwindSafe(|| turn(&home, &mut events))).unwrap_or(true) {}
        end(&home);
    });
    started
        .map(drop)
        .map_err(|error| Failure::own(SPB_E_INTERNAL, format!("the dispatcher's thread: {error}")))
}

/// Waits once and deals with everything that has come: whether there may be more. While it waits
/// the thread may read from workers, and so hears of their answers without being woken.
fn turn(home: &Home, events: &mut Events) -> bool {
    if events.wait(&home.queue).is_err() {
        return false;
    }
    for event in events {
        if matches!(event.kind, EventKind::Shutdown) {
            return false;
        }
        // What was panicked about is lost; every other event is not.
        let _ = catch_unwind(AssertUnwindSafe(|| deliver(home, event)));
    }
    true
}

fn deliver(home: &Home, event: Event) {
    match event.kind {
        EventKind::Done(outcome) => {
            if let Some(Entry::Call(call)) = home.leave(event.tag) {
                finish(home, event.tag, call, outcome);
            }
        }
        EventKind::ToolCall { invocation, arguments } => {
            if let Some(tool) = home.tool(event.tag) {
                tool.call(invocation, arguments);
            }
        }
        EventKind::ToolCancel { id } => {
            if let Some(tool) = home.tool(event.tag) {
                tool.cancel(id);
            }
        }
        EventKind::Log(record) => {
            log(home, event.tag, |env| (atoms::log(), plain(env, record)).encode(env))
        }
        EventKind::LogDropped(count) => {
            log(home, event.tag, |env| (atoms::log_dropped(), count).encode(env));
        }
        EventKind::Readable => wake(home.awaited(event.tag)),
        _ => {}
    }
}

fn finish(home: &Home, tag: u64, call: Call, outcome: Outcome<Option<Value>>) {
    let Call { address, caller, platform, last_of } = call;
    let last = last_of.and_then(|tool| home.leave(tool));
    if let Some(caller) = caller {
        caller.has_ended(tag);
    }
    if let Some(address) = address {
        address.send_last(&home.environments, |env| done_term(env, outcome));
    }
    drop((platform, last));
}

/// `{:done, outcome}`.
pub fn done_term(env: Env, outcome: Outcome<Option<Value>>) -> Term {
    let payload = outcome.and_then(|value| optional_payload(env, value, SMALL_BYTES_MAX));
    (atoms::done(), answer(env, payload)).encode(env)
}

/// A record as a term; what cannot be read is nil.
fn plain(env: Env, record: Option<Value>) -> Term {
    let decoded = optional_payload(env, record, usize::MAX).ok();
    let record = decoded.and_then(|payload| payload.decode::<(Term, Term)>().ok());
    record.map_or_else(|| rustler::types::atom::nil().to_term(env), |(_, record)| record)
}

fn log(home: &Home, tag: u64, body: impl for<'a> FnOnce(Env<'a>) -> Term<'a>) {
    if let Some(log) = home.log(tag) {
        log.address.lock().as_ref().map(|address| address.send(body));
    }
}

fn wake(stream: Option<ResourceArc<StreamResource>>) {
    if let Some(stream) = stream {
        let address = stream.address.lock();
        address.as_ref().map(|address| address.send(|env| atoms::readable().to_term(env)));
    }
}

/// Nobody is left waiting.
fn end(home: &Home) {
    let (entries, waiting) = home.end();
    for (tag, entry) in entries {
        if let Entry::Call(call) = entry {
            finish(home, tag, call, Err(Failure::closed("the platform")));
        }
    }
    for stream in waiting {
        wake(Some(stream));
    }
}

mod atoms {
    rustler::atoms! { done, readable, log, log_dropped }
}

/// Events that are taken at once.
const BATCH_MAX: usize = 128;
