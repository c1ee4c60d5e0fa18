//! The link's state behind its lock, and how threads wait on it and the socket reads from it.
//!
//! The lock is only held for what `state` does in memory, so taking it while holding the GIL is
//! fine; sleeping is not, and is left to the caller to arrange.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::{Condvar, Mutex};
use snakepit_bridge_proto as pb;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::drive::Drive;
use super::outbox::Take;
use super::seat::Guest;
use super::sharing::Sharing;
use super::state::State;

/// One link, as everybody who takes part in it holds it.
#[derive(Default)]
pub struct Shared {
    state: Mutex<State>,
    /// Tells the link's thread that Python wants to leave.
    pub leave: Notify,
    /// How whoever waits first drives the link.
    pub drive: Drive,
    /// What lies in shared memory.
    pub sharing: Sharing,
    ended: Mutex<bool>,
    ended_now: Condvar,
}

/// What a try brought: a result, or where to wait before the next one.
pub enum Attempt<T> {
    Done(T),
    Wait(Arc<Condvar>),
}

impl Shared {
    /// Does `act` under the lock, then wakes whom it concerns.
    pub fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = act(&mut state);
        let wakes = state.take_wakes();
        drop(state);
        wakes.fire(&self.drive);
        result
    }

    /// Tries once.
    pub fn attempt<T>(&self, act: impl FnOnce(&mut State) -> Attempt<T>) -> Option<T> {
        match self.with(act) {
            Attempt::Done(result) => Some(result),
            Attempt::Wait(_) => None,
        }
    }

    /// Tries until it is done, at most until `until`. The thread drives the link meanwhile, if
    /// nobody else does; otherwise it is woken by whatever the attempt waits for. The end of the
    /// link ends the wait, too.
    pub fn wait<T>(
        &self,
        until: Instant,
        mut act: impl FnMut(&mut State) -> Attempt<T>,
    ) -> Option<T> {
        let mut state = self.state.lock();
        // Whether the link's thread has to go on at once where this one has driven.
        let mut risen = None;
        loop {
            let tried = act(&mut state);
            let wakes = state.take_wakes();
            let condvar = match tried {
                Attempt::Wait(condvar) if Instant::now() < until => condvar,
                Attempt::Wait(_) | Attempt::Done(_) => {
                    drop(state);
                    wakes.fire(&self.drive);
                    self.see_off(risen);
                    return match tried {
                        Attempt::Done(result) => Some(result),
                        Attempt::Wait(_) => None,
                    };
                }
            };
            if state.sit(&condvar) {
                drop(state);
                wakes.fire(&self.drive);
                self.drive.turn(Some(until));
                state = self.state.lock();
                risen = Some(state.rise());
            } else {
                wakes.fire(&self.drive);
                let guest = state.guest_at(&condvar);
                state.seat.begin_sleep(guest);
                condvar.wait_until(&mut state, until.into_std());
                state.seat.end_sleep(guest);
            }
        }
    }

    /// Whether the calling thread has something to send, since nobody drives who would.
    pub fn is_due(&self) -> bool {
        self.state.lock().is_due()
    }

    /// Sends what waits, unless somebody drives by now.
    pub fn send(&self) {
        let mut state = self.state.lock();
        if state.seat.is_free() && state.seat.sit(Guest::Regular) {
            drop(state);
            self.drive.turn(Some(Instant::now()));
            let is_urgent = self.state.lock().rise();
            self.see_off(Some(is_urgent));
        }
    }

    /// Lets the link's thread take the seat that a guest has left: at once, or unless one comes
    /// back soon.
    fn see_off(&self, risen: Option<bool>) {
        match risen {
            Some(true) => self.drive.call_own(),
            Some(false) => self.drive.watch_seat(),
            None => {}
        }
    }

    /// The link's thread is through.
    pub fn set_ended(&self) {
        *self.ended.lock() = true;
        self.ended_now.notify_all();
    }

    /// Waits until the link's thread is through, at most until `until`.
    pub fn wait_ended(&self, until: Instant) {
        let mut ended = self.ended.lock();
        while !*ended {
            if self.ended_now.wait_until(&mut ended, until.into_std()).timed_out() {
                return;
            }
        }
    }

    fn take(&self, context: &Context<'_>) -> Take {
        self.with(|state| {
            let (take, is_room) = state.outbox.take(context.waker());
            if is_room {
                state.wakes.all.push(state.outbox.room.clone());
                state.fire_armed();
            }
            take
        })
    }
}

/// The frames that wait, as messages for tonic.
pub struct Outgoing {
    shared: Arc<Shared>,
}

impl Outgoing {
    pub fn new(shared: Arc<Shared>) -> Self {
        Outgoing { shared }
    }
}

impl tokio_stream::Stream for Outgoing {
    type Item = pb::WorkerMessage;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.shared.take(context) {
            Take::Message(mut message) => {
                self.shared.sharing.share(&mut message.frames);
                Poll::Ready(Some(message))
            }
            Take::Nothing => Poll::Pending,
            Take::End => Poll::Ready(None),
        }
    }
}
