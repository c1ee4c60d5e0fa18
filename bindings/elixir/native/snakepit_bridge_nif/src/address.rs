//! Where messages go: a process and the reference that they carry.
//!
//! Messages are sent from the dispatcher's thread only; the BEAM forbids it on its own. What the
//! BEAM allocates on one of its schedulers and frees elsewhere, or the other way round, wakes a
//! thread of its own each time; so environments come from a scheduler, with room for a small
//! message, and go back to one. Must not know what a message says.

use parking_lot::Mutex;
use rustler::env::SavedTerm;
use rustler::{Encoder, Env, LocalPid, OwnedEnv, Term};

/// A process that waits for `{:snakepit_bridge, reference, body}`.
pub struct Address {
    pid: LocalPid,
    env: OwnedEnv,
    reference: SavedTerm,
}

/// Environments that wait to be used again.
#[derive(Default)]
pub struct Environments(Mutex<Vec<OwnedEnv>>);

impl Address {
    /// On a scheduler.
    pub fn new(pid: LocalPid, reference: Term, spare: &Environments) -> Self {
        let env = spare.take();
        let reference = env.save(reference);
        Address { pid, env, reference }
    }

    /// Another one of the same process and reference. On a scheduler.
    pub fn twin(&self, spare: &Environments) -> Self {
        let pid = self.pid;
        self.env.run(|own| Address::new(pid, self.reference.load(own), spare))
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
    pub fn send_last(
        self,
        spare: &Environments,
        body: impl for<'a> FnOnce(Env<'a>) -> Term<'a>,
    ) -> bool {
        let Address { pid, mut env, reference } = self;
        let sent = env.send_and_clear(&pid, |env| {
            (atoms::snakepit_bridge(), reference.load(env), body(env)).encode(env)
        });
        spare.put(env);
        sent.is_ok()
    }
}

impl Environments {
    fn take(&self) -> OwnedEnv {
        self.0.lock().pop().unwrap_or_default()
    }

    fn put(&self, env: OwnedEnv) {
        let mut spare = self.0.lock();
        if spare.len() < SPARE_MAX {
            spare.push(env);
        }
    }
}

mod atoms {
    rustler::atoms! { snakepit_bridge }
}

/// Environments that are kept; a burst of calls needs more for a while.
const SPARE_MAX: usize = 256;
