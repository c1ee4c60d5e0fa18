//! Who may attach: one-time tokens, each good for one worker in one life.
//!
//! A token is 256 random bits that reach the worker through an inherited descriptor. It is compared
//! in constant time and forgotten when it has been used or its expectation is dropped.

use std::sync::Arc;

use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use crate::core::{Error, Result, Status, WorkerId};

use super::link::WorkerLink;

/// The tokens that have been handed out and not used.
#[derive(Clone, Default)]
pub struct Gate {
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

struct Waiting {
    worker: WorkerId,
    tag: u64,
    token: Token,
    arrived: oneshot::Sender<(WorkerLink, Announcement)>,
}

/// The secret a worker shows. It has no `Debug` text.
#[derive(Clone)]
pub struct Token([u8; 32]);

/// What a worker said of itself in its hello.
#[derive(Clone, Debug)]
pub struct Announcement {
    pub pid: u32,
    /// For people: "CPython 3.11.7".
    pub runtime: String,
    pub frameworks: Vec<FrameworkNote>,
}

/// One framework adapter that a worker has loaded.
#[derive(Clone, Debug)]
pub struct FrameworkNote {
    pub id: String,
    pub version: String,
    /// The document of docs/frameworks.md, unchecked.
    pub schema_json: bytes::Bytes,
}

/// A worker that is expected; dropping it withdraws the token.
pub struct Expectation {
    gate: Gate,
    tag: u64,
    token: Token,
    arrival: oneshot::Receiver<(WorkerLink, Announcement)>,
}

impl Gate {
    /// Makes a token for `worker`. `tag` is a number of the caller's that no other expectation has.
    pub fn expect(&self, worker: WorkerId, tag: u64) -> Result<Expectation> {
        let token = Token::random()?;
        let (arrived, arrival) = oneshot::channel();
        self.waiting.lock().push(Waiting { worker, tag, token: token.clone(), arrived });
        Ok(Expectation { gate: self.clone(), tag, token, arrival })
    }

    /// Takes the expectation that `token` belongs to, or none.
    pub(super) fn admit(&self, token: &[u8]) -> Option<Admission> {
        let mut waiting = self.waiting.lock();
        let mut found = None;
        for (index, entry) in waiting.iter().enumerate() {
            if bool::from(entry.token.0.ct_eq(token)) {
                found = Some(index);
            }
        }
        let entry = waiting.swap_remove(found?);
        Some(Admission { worker: entry.worker, arrived: entry.arrived })
    }
}

/// A token that was good.
pub(super) struct Admission {
    pub worker: WorkerId,
    pub arrived: oneshot::Sender<(WorkerLink, Announcement)>,
}

impl Expectation {
    /// The token as text, for the handoff document and nothing else.
    pub fn token_hex(&self) -> String {
        self.token.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Waits for the worker's hello.
    pub async fn arrived(mut self) -> Result<(WorkerLink, Announcement)> {
        (&mut self.arrival).await.map_err(|_| {
            Error::new(Status::Closed, "the listener closed before the worker attached")
        })
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.gate.waiting.lock().retain(|entry| entry.tag != self.tag);
    }
}

impl Token {
    fn random() -> Result<Self> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::new(Status::Internal, format!("no randomness for a worker token: {error}"))
        })?;
        Ok(Token(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(expectation: &Expectation) -> Vec<u8> {
        expectation.token.0.to_vec()
    }

    #[test]
    fn a_token_is_good_once_and_only_while_it_is_expected() {
        let gate = Gate::default();
        let worker = WorkerId { slot: 1, generation: 7 };
        let kept = gate.expect(worker, 1).unwrap();
        let dropped = gate.expect(WorkerId { slot: 2, generation: 1 }, 2).unwrap();
        let (good, withdrawn) = (bytes_of(&kept), bytes_of(&dropped));
        drop(dropped);
        assert!(gate.admit(&withdrawn).is_none());
        assert!(gate.admit(&good[..31]).is_none());
        assert!(gate.admit(&[0; 32]).is_none());
        assert_eq!(gate.admit(&good).map(|admission| admission.worker), Some(worker));
        assert!(gate.admit(&good).is_none());
    }
}
