//! Tools: calls of Python go to the process that answers, and fail at once when it is dead, or when
//! the tool's owner dies. Must not know how a call is answered.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustler::{Encoder, Env, LocalPid, Monitor, Resource, ResourceArc};

use crate::address::Address;
use crate::codec::{SMALL_BYTES_MAX, optional_payload};
use crate::ffi::{FailureOptions, Invocation, SPB_E_TOOL_FAILED, Tool, Value, fail_by_id};
use crate::home::{Call, Entry, Home};

use super::invocation::InvocationResource;
use super::watched::Watched;

pub struct ToolResource {
    pub tag: u64,
    pub home: Arc<Home>,
    pub watched: Watched,
    handle: OnceLock<Tool>,
    address: Mutex<Address>,
    calls: Mutex<Calls>,
}

/// Calls without an answer, by the numbers of their handles.
#[derive(Default)]
struct Calls {
    open: HashSet<u64>,
    is_orphan: bool,
}

#[rustler::resource_impl]
impl Resource for ToolResource {
    /// The owner has died.
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.orphan();
    }
}

impl ToolResource {
    pub fn new(tag: u64, home: &Arc<Home>, address: Address) -> ResourceArc<ToolResource> {
        ResourceArc::new(ToolResource {
            tag,
            home: home.clone(),
            watched: Watched::default(),
            handle: OnceLock::new(),
            address: Mutex::new(address),
            calls: Mutex::default(),
        })
    }

    pub fn is_registered(&self, handle: Tool, is_owned: bool) {
        let _ = self.handle.set(handle);
        if !is_owned || self.calls.lock().is_orphan {
            self.orphan();
        }
    }

    pub fn handle(&self) -> Option<&Tool> {
        self.handle.get()
    }

    /// Hands a call to the process that answers.
    pub fn call(tool: &ResourceArc<Self>, handle: Invocation, arguments: Option<Value>) {
        let id = handle.id();
        let is_orphan = {
            let mut calls = tool.calls.lock();
            calls.open.insert(id);
            calls.is_orphan
        };
        let invocation = ResourceArc::new(InvocationResource::new(handle, tool.clone()));
        if is_orphan {
            return fail(&invocation, OWNER_ENDED);
        }
        let is_sent = tool.address.lock().send(|env| {
            // What cannot be decoded would be a defect; the call then fails with its resource.
            let payload = optional_payload(env, arguments, SMALL_BYTES_MAX);
            let payload = payload.unwrap_or_else(|failure| failure.encode(env));
            (atoms::tool_call(), id, invocation.clone(), payload).encode(env)
        });
        if !is_sent {
            fail(&invocation, RECEIVER_ENDED);
        }
    }

    /// Nobody waits for the answer any more.
    pub fn cancel(&self, id: u64) {
        self.address.lock().send(|env| (atoms::tool_cancel(), id).encode(env));
    }

    /// A call has been answered or given up.
    pub fn is_answered(&self, id: u64) {
        self.calls.lock().open.remove(&id);
    }

    fn orphan(&self) {
        let open: Vec<u64> = {
            let mut calls = self.calls.lock();
            calls.is_orphan = true;
            calls.open.drain().collect()
        };
        for id in open {
            fail_by_id(id, OWNER_ENDED);
        }
        self.unregister_unheard();
    }

    /// Unregisters for nobody; the dispatcher lets go of the tool at the end.
    fn unregister_unheard(&self) {
        let Some(handle) = self.handle.get() else { return };
        let call = Call { address: None, operation: None, last_of: Some(self.tag) };
        let tag = self.home.tag();
        if self.home.enter(tag, Entry::Call(call)).is_ok()
            && handle.unregister(&self.home.queue, tag).is_err()
        {
            drop(self.home.leave(tag));
        }
    }
}

fn fail(invocation: &InvocationResource, message: &str) {
    let options = FailureOptions {
        status: SPB_E_TOOL_FAILED,
        is_retryable: false,
        message,
        details_json: None,
    };
    // A call that is over needs no failure.
    let _ = invocation.handle.fail(&options);
}

mod atoms {
    rustler::atoms! { tool_call, tool_cancel }
}

const OWNER_ENDED: &str = "the process that owns the tool has ended";
const RECEIVER_ENDED: &str = "the process that answers the tool's calls has ended";
