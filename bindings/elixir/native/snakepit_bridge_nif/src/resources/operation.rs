//! Operations: submitted for a process, cancelled when it dies. Must not know what they do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustler::{Env, LocalPid, Monitor, Resource, ResourceArc, Term};

use crate::address::Address;
use crate::ffi::{Operation, Outcome, Queue};
use crate::home::{Call, Entry, Home};

use super::platform::PlatformResource;
use super::watched::Watched;

pub struct OperationResource {
    handle: OnceLock<Operation>,
    is_abandoned: AtomicBool,
    pub watched: Watched,
    /// What is under way keeps its platform open.
    _platform: Option<ResourceArc<PlatformResource>>,
}

#[rustler::resource_impl]
impl Resource for OperationResource {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.abandon();
    }
}

impl OperationResource {
    /// Submits what `submit` does for a process, which then gets exactly one message.
    pub fn submit(
        env: Env,
        platform: &ResourceArc<PlatformResource>,
        to: (LocalPid, Term),
        submit: impl FnOnce(&Queue, u64) -> Outcome<Operation>,
    ) -> Outcome<ResourceArc<OperationResource>> {
        let keep = Some(platform.clone());
        OperationResource::begin(env, &platform.home, to, (keep, None), submit)
    }

    /// The same for what needs no platform to be kept; the tool `last_of` goes with its end.
    pub fn begin(
        env: Env,
        home: &Home,
        (pid, reference): (LocalPid, Term),
        (platform, last_of): (Option<ResourceArc<PlatformResource>>, Option<u64>),
        submit: impl FnOnce(&Queue, u64) -> Outcome<Operation>,
    ) -> Outcome<ResourceArc<OperationResource>> {
        let operation = ResourceArc::new(OperationResource {
            handle: OnceLock::new(),
            is_abandoned: AtomicBool::new(false),
            watched: Watched::default(),
            _platform: platform,
        });
        let address = Some(Address::new(pid, reference));
        let call = Call { address, operation: Some(operation.clone()), last_of };
        let tag = home.tag();
        home.enter(tag, Entry::Call(call))?;
        let is_alive = operation.watched.begin(&operation, env, &pid);
        match submit(&home.queue, tag) {
            Ok(handle) => {
                operation.is_submitted(handle);
                if !is_alive {
                    operation.abandon();
                }
                Ok(operation)
            }
            Err(failure) => {
                operation.watched.end(&operation, Some(env));
                drop(home.leave(tag));
                Err(failure)
            }
        }
    }

    pub fn handle(&self) -> Option<&Operation> {
        self.handle.get()
    }

    fn is_submitted(&self, handle: Operation) {
        let handle = self.handle.get_or_init(|| handle);
        if self.is_abandoned.load(Ordering::SeqCst) {
            // Its process died before there was anything to cancel.
            let _ = handle.cancel();
        }
    }

    fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::SeqCst);
        if let Some(handle) = self.handle.get() {
            // An operation that has ended needs no cancelling.
            let _ = handle.cancel();
        }
    }
}
