//! Tools: calls of Python go to the process that answers, and fail at once when it is dead, or when
//! the tool's owner dies. Must not know how a call is answered.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustler::{Encoder, Env, LocalPid, Monitor, Resource, ResourceArc, Term};

use crate::address::Address;
use crate::codec::{SMALL_BYTES_MAX, optional_payload};
use crate::ffi::{Failure, FailureOptions, Invocation, Outcome, Tool, Value, fail, fail_by_id};
use crate::home::{Call, Entry, Home};

use super::invocation::InvocationResource;
use super::watched::Watched;

pub struct ToolResource {
    pub tag: u64,
    pub home: Arc<Home>,
    owner: Watched,
    /// The process that answers, where it is another one.
    receiver: Watched,
    /// Who both are.
    pids: (LocalPid, LocalPid),
    handle: OnceLock<Tool>,
    address: Mutex<Address>,
    /// For messages to come: see `Address`.
    twins: Mutex<Vec<Address>>,
    calls: Mutex<Calls>,
}

/// Calls without an answer, by the numbers of their handles; those that wait to be taken, with
/// them.
#[derive(Default)]
struct Calls {
    open: HashMap<u64, Option<Invocation>>,
    is_orphan: bool,
}

#[rustler::resource_impl]
impl Resource for ToolResource {
    /// The owner has died, or who answers.
    fn down<'a>(&'a self, _env: Env<'a>, pid: LocalPid, _monitor: Monitor) {
        if pid == self.pids.0 { self.orphan() } else { self.unheard() }
    }
}

impl ToolResource {
    /// A tool of `owner`, whose calls `to` hears of with a reference.
    pub fn new(
        tag: u64,
        home: &Arc<Home>,
        owner: LocalPid,
        to: (LocalPid, Term),
    ) -> ResourceArc<ToolResource> {
        let address = Address::new(to.0, to.1, &home.environments);
        let twins = vec![address.twin(&home.environments)];
        ResourceArc::new(ToolResource {
            tag,
            home: home.clone(),
            owner: Watched::default(),
            receiver: Watched::default(),
            pids: (owner, to.0),
            handle: OnceLock::new(),
            address: Mutex::new(address),
            twins: Mutex::new(twins),
            calls: Mutex::default(),
        })
    }

    /// Whether the owner lives. On a scheduler.
    pub fn watch(tool: &ResourceArc<Self>, env: Env) -> bool {
        let (owner, receiver) = &tool.pids;
        if owner != receiver {
            // Of one that is dead already, sending will tell.
            tool.receiver.begin(tool, env, receiver);
        }
        tool.owner.begin(tool, env, owner)
    }

    /// Nobody's death counts any more. On a scheduler.
    pub fn unwatch(tool: &ResourceArc<Self>, env: Env) {
        tool.owner.end(tool, Some(env));
        tool.receiver.end(tool, Some(env));
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

    /// Tells the process that answers of a call, for it to take.
    pub fn call(&self, handle: Invocation, arguments: Option<Value>) {
        let id = handle.id();
        let is_orphan = {
            let mut calls = self.calls.lock();
            calls.open.insert(id, Some(handle));
            calls.is_orphan
        };
        if is_orphan {
            return self.give_up(id, OWNER_ENDED);
        }
        let twin = self.twins.lock().pop();
        let is_sent = match twin {
            Some(twin) => {
                twin.send_last(&self.home.environments, |env| call_term(env, id, arguments))
            }
            None => self.address.lock().send(|env| call_term(env, id, arguments)),
        };
        if !is_sent {
            self.give_up(id, RECEIVER_ENDED);
        }
    }

    /// Takes a call to answer it. On a scheduler.
    pub fn take(tool: &ResourceArc<Self>, id: u64) -> Outcome<ResourceArc<InvocationResource>> {
        let taken = tool.calls.lock().open.get_mut(&id).and_then(Option::take);
        let Some(handle) = taken else { return Err(Failure::closed("the tool call")) };
        tool.prepare_twin();
        Ok(ResourceArc::new(InvocationResource::new(handle, tool.clone())))
    }

    /// Fails a call, whether it was taken or not.
    pub fn refuse(&self, id: u64, failure: &FailureOptions) -> Outcome<()> {
        fail(id, failure)?;
        self.is_answered(id);
        Ok(())
    }

    /// Nobody waits for the answer any more.
    pub fn cancel(&self, id: u64) {
        self.address.lock().send(|env| (atoms::tool_cancel(), id).encode(env));
    }

    /// A call has been answered or given up.
    pub fn is_answered(&self, id: u64) {
        let answered = self.calls.lock().open.remove(&id);
        drop(answered);
    }

    fn give_up(&self, id: u64, message: &str) {
        fail_by_id(id, message);
        self.is_answered(id);
    }

    fn prepare_twin(&self) {
        if self.twins.lock().len() < TWINS_MAX {
            let twin = self.address.lock().twin(&self.home.environments);
            self.twins.lock().push(twin);
        }
    }

    /// Calls that nobody has taken will not be taken any more.
    fn unheard(&self) {
        let waiting: Vec<Invocation> =
            self.calls.lock().open.values_mut().filter_map(Option::take).collect();
        for invocation in waiting {
            self.give_up(invocation.id(), RECEIVER_ENDED);
        }
    }

    fn orphan(&self) {
        let open = {
            let mut calls = self.calls.lock();
            calls.is_orphan = true;
            std::mem::take(&mut calls.open)
        };
        for id in open.keys() {
            fail_by_id(*id, OWNER_ENDED);
        }
        drop(open);
        self.unregister_unheard();
    }

    /// Unregisters for nobody; the dispatcher lets go of the tool at the end.
    fn unregister_unheard(&self) {
        let Some(handle) = self.handle.get() else { return };
        let call = Call { last_of: Some(self.tag), ..Call::default() };
        let tag = self.home.tag();
        if self.home.enter(tag, Entry::Call(call)).is_ok()
            && handle.unregister(&self.home.queue, tag).is_err()
        {
            drop(self.home.leave(tag));
        }
    }
}

/// `{:tool_call, id, payload}`.
fn call_term(env: Env, id: u64, arguments: Option<Value>) -> Term {
    // What cannot be decoded would be a defect: the process that answers ends, and the call fails.
    let payload = optional_payload(env, arguments, SMALL_BYTES_MAX);
    let payload = payload.unwrap_or_else(|failure| failure.encode(env));
    (atoms::tool_call(), id, payload).encode(env)
}

mod atoms {
    rustler::atoms! { tool_call, tool_cancel }
}

const OWNER_ENDED: &str = "the process that owns the tool has ended";
const RECEIVER_ENDED: &str = "the process that answers the tool's calls has ended";
/// Messages that are prepared; what is beyond is made when it is sent.
const TWINS_MAX: usize = 64;
