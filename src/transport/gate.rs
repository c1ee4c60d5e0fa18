//! Who may attach: one-time tokens, each good for one worker in one life.
//!
//! A token is 256 random bits that reach the worker through an inherited descriptor. It is compared
//! in constant time and forgotten when it has been used or its expectation is dropped. Whether the
//! process that shows it is the one it was made for, others say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tokio::sync::{oneshot, watch};

use crate::core::{Error, Result, Status, WorkerId};

use super::link::WorkerLink;

/// The tokens that have been handed out and not used. Several pools share one, and each counts its
/// workers from the beginning, so an expectation is told apart by its ticket.
#[derive(Clone, Default)]
pub struct Gate {
    waiting: Arc<Mutex<Vec<Waiting>>>,
    next_ticket: Arc<AtomicU64>,
}

struct Waiting {
    worker: WorkerId,
    ticket: u64,
    token: Token,
    arrived: oneshot::Sender<(WorkerLink, Announcement)>,
    /// `None` until the worker's process is known.
    belongs: watch::Sender<Option<Belongs>>,
}

/// Whether a process is the worker's own.
type Belongs = Arc<dyn Fn(u32) -> bool + Send + Sync>;

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
    ticket: u64,
    token: Token,
    arrival: oneshot::Receiver<(WorkerLink, Announcement)>,
}

impl Gate {
    /// Makes a token for `worker`.
    pub fn expect(&self, worker: WorkerId) -> Result<Expectation> {
        let token = Token::random()?;
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let (arrived, arrival) = oneshot::channel();
        let belongs = watch::Sender::new(None);
        let entry = Waiting { worker, ticket, token: token.clone(), arrived, belongs };
        self.waiting.lock().push(entry);
        Ok(Expectation { gate: self.clone(), ticket, token, arrival })
    }

    /// The process of the worker with that ticket runs: its token is good for those of which
    /// `belongs` is true. Whoever shows it earlier waits for this.
    pub fn recognise(&self, ticket: u64, belongs: impl Fn(u32) -> bool + Send + Sync + 'static) {
        if let Some(entry) = self.waiting.lock().iter().find(|entry| entry.ticket == ticket) {
            entry.belongs.send_replace(Some(Arc::new(belongs)));
        }
    }

    /// Takes the expectation that `token` belongs to, for the process `peer` where the kernel names
    /// it. A token in the wrong hands stays good for the right ones. An error says what is wrong.
    pub(super) async fn admit(
        &self,
        token: &[u8],
        peer: Option<u32>,
    ) -> Result<Admission, &'static str> {
        let mut belongs = self.belongs(token).ok_or(UNKNOWN)?;
        // It ends with the expectation, at the latest when the time for starting is over.
        let known = belongs.wait_for(Option::is_some).await.map_err(|_| UNKNOWN)?.clone();
        if let (Some(belongs), Some(peer)) = (known, peer)
            && !belongs(peer)
        {
            return Err("the token was made for another worker");
        }
        self.take(token).ok_or(UNKNOWN)
    }

    fn belongs(&self, token: &[u8]) -> Option<watch::Receiver<Option<Belongs>>> {
        let waiting = self.waiting.lock();
        Some(waiting.get(find(&waiting, token)?)?.belongs.subscribe())
    }

    fn take(&self, token: &[u8]) -> Option<Admission> {
        let mut waiting = self.waiting.lock();
        let found = find(&waiting, token)?;
        let entry = waiting.swap_remove(found);
        Some(Admission { worker: entry.worker, arrived: entry.arrived })
    }
}

/// Looks at all of them, in the same time whichever it is.
fn find(waiting: &[Waiting], token: &[u8]) -> Option<usize> {
    let mut found = None;
    for (index, entry) in waiting.iter().enumerate() {
        if entry.token.is(token) {
            found = Some(index);
        }
    }
    found
}

/// A token that was good.
pub(super) struct Admission {
    pub worker: WorkerId,
    pub arrived: oneshot::Sender<(WorkerLink, Announcement)>,
}

impl Expectation {
    /// What tells it from every other one of its gate.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

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
        self.gate.waiting.lock().retain(|entry| entry.ticket != self.ticket);
    }
}

impl Token {
    pub(super) fn random() -> Result<Self> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::new(Status::Internal, format!("no randomness for a worker token: {error}"))
        })?;
        Ok(Token(bytes))
    }

    /// Compares in constant time.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.0.ct_eq(bytes).into()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

const UNKNOWN: &str = "unknown or used token";

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
        let kept = gate.expect(worker).unwrap();
        let dropped = gate.expect(WorkerId { slot: 2, generation: 1 }).unwrap();
        let (good, withdrawn) = (bytes_of(&kept), bytes_of(&dropped));
        drop(dropped);
        assert!(gate.take(&withdrawn).is_none());
        assert!(gate.take(&good[..31]).is_none());
        assert!(gate.take(&[0; 32]).is_none());
        assert_eq!(gate.take(&good).map(|admission| admission.worker), Some(worker));
        assert!(gate.take(&good).is_none());
    }

    #[tokio::test]
    async fn a_token_is_good_for_its_own_process_once_that_is_known() {
        let gate = Gate::default();
        let worker = WorkerId { slot: 1, generation: 7 };
        let kept = gate.expect(worker).unwrap();
        let other = gate.expect(WorkerId { slot: 2, generation: 1 }).unwrap();
        let (good, withdrawn) = (bytes_of(&kept), bytes_of(&other));
        let early = gate.admit(&good, Some(77));
        let given_up = gate.admit(&withdrawn, Some(77));
        let what_follows = async {
            gate.recognise(kept.ticket(), |pid| pid == 77);
            drop(other);
            let stolen = gate.admit(&good, Some(78)).await;
            assert_eq!(stolen.err(), Some("the token was made for another worker"));
        };
        // The thief comes between the owner's first look and its admission.
        let (early, given_up, ()) = tokio::join!(biased; early, given_up, what_follows);
        assert_eq!(early.unwrap().worker, worker);
        assert_eq!(given_up.err(), Some(UNKNOWN));
        assert_eq!(gate.admit(&good, Some(77)).await.err(), Some(UNKNOWN));
    }

    #[tokio::test]
    async fn two_pools_may_have_a_worker_of_the_same_name() {
        let gate = Gate::default();
        let worker = WorkerId { slot: 0, generation: 1 };
        let (one, other) = (gate.expect(worker).unwrap(), gate.expect(worker).unwrap());
        gate.recognise(one.ticket(), |pid| pid == 11);
        gate.recognise(other.ticket(), |pid| pid == 12);
        assert!(gate.admit(&bytes_of(&one), Some(11)).await.is_ok());
        let good = bytes_of(&other);
        drop(one);
        assert!(gate.admit(&good, Some(12)).await.is_ok(), "its expectation stands");
    }
}
