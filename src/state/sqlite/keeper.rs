//! The store's own thread: takes all commands that wait, carries them out in one transaction, and
//! answers when it is on the disk. So a commit serves as many writers as there are.
//!
//! A transaction that fails is rolled back and its commands are tried once more, each by itself, so
//! that one that cannot be written does not take the others along.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::core::Error;
use crate::core::limits::{SQLITE_BATCH_BYTES_MAX, SQLITE_BATCH_MAX};
use crate::state::change::ChangeSink;

use super::committed::Committed;
use super::job::{Answer, Job, Order, Work};
use super::ledger::{Effect, Ledger};
use super::trouble::{Outcome, Trouble, leaves_doubt, told};

/// Owns the file until it is closed.
pub(super) struct Keeper {
    pub path: PathBuf,
    pub ledger: Ledger,
    pub committed: Arc<Committed>,
    pub sink: Arc<dyn ChangeSink>,
}

impl Keeper {
    /// Serves until it is asked to close or nobody can ask any more. What was sent before is done.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting_for_close = Vec::new();
        while let Some(first) = jobs.blocking_recv() {
            let orders = gather(first, &mut jobs, &mut waiting_for_close);
            if !waiting_for_close.is_empty() {
                jobs.close();
            }
            self.serve(orders);
        }
        // Dropping the connection writes the log back into the file and gives up the lock.
        drop(self);
        for waiter in waiting_for_close {
            waiter.send(()).unwrap_or_default();
        }
    }

    fn serve(&mut self, mut orders: Vec<Order>) {
        let Err(failure) = self.attempt(&mut orders) else { return };
        let may_try_again =
            orders.len() > 1 && failure.details().get("outcome") == Some(&NONE.into());
        for mut order in orders.into_iter().filter(|order| order.answer.is_some()) {
            let again = if may_try_again {
                self.attempt(std::slice::from_mut(&mut order))
            } else {
                Err(failure.clone())
            };
            if let Err(error) = again {
                order.tell(Err(error));
            }
        }
    }

    /// Carries out those commands that have no answer yet in one transaction. After a failure it is
    /// as if they had not been tried, and they have none still.
    fn attempt(&mut self, orders: &mut [Order]) -> Result<(), Error> {
        let (error, at_commit) = match self.transact(orders) {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        self.ledger.roll_back();
        // What a failed commit has left in the log would be found after a crash, unless another
        // commit has taken its place.
        let in_doubt = at_commit && leaves_doubt(&error) && !self.ledger.touch();
        let outcome = if in_doubt { UNKNOWN } else { NONE };
        Err(told(&self.path, &error).with("outcome", outcome))
    }

    /// The error, and whether it came from the commit.
    fn transact(&mut self, orders: &mut [Order]) -> Result<(), (rusqlite::Error, bool)> {
        self.ledger.begin().map_err(|error| (error, false))?;
        let mut held = Vec::new();
        for order in orders.iter_mut().filter(|order| order.answer.is_some()) {
            let answer = match self.carry_out(&order.work) {
                Ok(answer) => Ok(answer),
                Err(Trouble::Refused(error)) => Err(error),
                Err(Trouble::Broken(error)) => return Err((error, false)),
            };
            let effects = std::mem::take(&mut self.ledger.effects);
            if self.ledger.is_written() {
                held.push((order, answer, effects));
            } else {
                // Nothing that it could have seen is still to be committed.
                self.ledger.accept();
                self.publish(order, answer, effects);
            }
        }
        self.ledger.commit().map_err(|error| (error, true))?;
        for (order, answer, effects) in held {
            self.publish(order, answer, effects);
        }
        Ok(())
    }

    fn carry_out(&mut self, work: &Work) -> Outcome<Answer> {
        match work {
            Work::Sessions(verb) => self.ledger.on_sessions(verb).map(Answer::Sessions),
            Work::Variables(key, verb) => {
                self.ledger.on_variables(key, verb).map(Answer::Variables)
            }
        }
    }

    /// In the order of the effects, where readers come before watchers: whoever begins to watch and
    /// then reads misses nothing in between.
    fn publish(&self, order: &mut Order, answer: Result<Answer, Error>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Opened(incarnation) => self.committed.opened(incarnation),
                Effect::Ended(incarnation) => self.committed.ended(incarnation),
                Effect::Kept(incarnation, record) => self.committed.keep(incarnation, record),
                Effect::Dropped(incarnation, name) => self.committed.forget(incarnation, &name),
                Effect::Told(incarnation, change) if self.sink.wants(incarnation) => {
                    self.sink.changed(incarnation, change);
                }
                Effect::Told(..) => {}
            }
        }
        order.tell(answer);
    }
}

/// What waits, up to what one transaction should hold.
fn gather(
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
    waiting_for_close: &mut Vec<oneshot::Sender<()>>,
) -> Vec<Order> {
    let (mut orders, mut bytes, mut next) = (Vec::new(), 0_usize, Some(first));
    while let Some(job) = next {
        match job {
            Job::Work(order) => {
                bytes = bytes.saturating_add(order.work.bytes_len());
                orders.push(order);
            }
            Job::Close(waiter) => waiting_for_close.push(waiter),
        }
        let is_full = orders.len() >= SQLITE_BATCH_MAX || bytes >= SQLITE_BATCH_BYTES_MAX;
        next = if is_full { None } else { jobs.try_recv().ok() };
    }
    orders
}

/// What has happened of a command that failed.
const NONE: &str = "none";
const UNKNOWN: &str = "unknown";
