//! Where messages go: a process and the reference that they carry.
//!
//! Messages are sent from the dispatcher's thread only; the BEAM forbids it on its own. Must not
//! know what a message says.

use rustler::env::SavedTerm;
use rustler::{Encoder, Env, LocalPid, OwnedEnv, Term};

/// A process that waits for `{:snakepit_bridge, reference, body}`.
pub struct Address {
    pid: LocalPid,
    env: OwnedEnv,
    reference: SavedTerm,
}

impl Address {
    pub fn new(pid: LocalPid, reference: Term) -> Self {
        let env = OwnedEnv::new();
        let reference = env.save(reference);
        Address { pid, env, reference }
    }

    /// Sends one of several messages: whether the process is alive.
    pub fn send(&self, body: impl for<'a> FnOnce(Env<'a>) -> Term<'a>) -> bool {
        let mut message = OwnedEnv::new();
        let sent = message.send_and_clear(&self.pid, |env| {
            let reference = self.env.run(|own| self.reference.load(own).in_env(env));
            (atoms::snakepit_bridge(), reference, body(env)).encode(env)
        });
        sent.is_ok()
    }

    /// Sends the only or last message, in the memory that kept the reference.
    pub fn send_last(self, body: impl for<'a> FnOnce(Env<'a>) -> Term<'a>) -> bool {
        let Address { pid, mut env, reference } = self;
        let sent = env.send_and_clear(&pid, |env| {
            (atoms::snakepit_bridge(), reference.load(env), body(env)).encode(env)
        });
        sent.is_ok()
    }
}

mod atoms {
    rustler::atoms! { snakepit_bridge }
}
