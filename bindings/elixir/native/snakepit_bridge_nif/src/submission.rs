//! Submitting for a process, which then gets exactly one message, and whose death cancels what was
//! submitted. Must not know what operations do.

use std::sync::Arc;

use rustler::{Env, LocalPid, ResourceArc, Term};

use crate::address::Address;
use crate::ffi::{Operation, Outcome, Queue};
use crate::home::{Call, Entry, Home};
use crate::resources::PlatformResource;

/// Submits what `submit` does; gives the operation's number.
pub fn submit(
    env: Env,
    platform: &ResourceArc<PlatformResource>,
    to: (LocalPid, Term),
    submit: impl FnOnce(&Queue, u64) -> Outcome<Operation>,
) -> Outcome<u64> {
    let call = Call { platform: Some(platform.clone()), ..Call::default() };
    submit_call(env, &platform.home, to, call, submit)
}

/// The same for `call`, without its address and caller.
pub fn submit_call(
    env: Env,
    home: &Arc<Home>,
    (pid, reference): (LocalPid, Term),
    call: Call,
    submit: impl FnOnce(&Queue, u64) -> Outcome<Operation>,
) -> Outcome<u64> {
    let tag = home.tag();
    let caller = home.callers.of(home, env, pid);
    if let Some(caller) = &caller {
        caller.begins(tag);
    }
    let address = Some(Address::new(pid, reference, &home.environments));
    let entry = Entry::Call(Call { address, caller: caller.clone(), ..call });
    let submitted = home.enter(tag, entry).and_then(|()| submit(&home.queue, tag));
    match submitted {
        Ok(operation) => {
            let number = operation.number();
            match caller {
                Some(caller) => caller.has_begun(tag, operation),
                // Its process is dead; what has ended needs no cancelling.
                None => drop(operation.cancel()),
            }
            Ok(number)
        }
        Err(failure) => {
            if let Some(caller) = caller {
                caller.has_ended(tag);
            }
            drop(home.leave(tag));
            Err(failure)
        }
    }
}
