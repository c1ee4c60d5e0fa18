//! Who drives the link: a thread of Python that waits for it anyway (a guest), or else the link's
//! own thread. Part of the link's state: the caller holds the lock.
//!
//! A guest finds what it waits for without any other thread being woken. The link's thread takes
//! the seat when no guest has come for a while, and gives it up when one has had to wait beside it
//! and no more than one frame comes at a time. Knows nothing of runtimes and sockets.

use std::sync::Arc;

use parking_lot::Condvar;

/// The place of whoever drives.
#[derive(Default)]
pub struct Seat {
    who: Who,
    /// What the guest would sleep on if somebody else drove.
    guest_waits: Option<Arc<Condvar>>,
    /// A thread waits beside the link's thread.
    wanted: bool,
    /// More than one frame came with the last message: the next ones are not far.
    is_busy: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Who {
    /// It dials before anybody can wait for anything.
    #[default]
    Link,
    Guest,
    Nobody,
}

impl Seat {
    /// The calling thread would sleep on `condvar`: it drives instead, if nobody does.
    pub fn sit(&mut self, condvar: &Arc<Condvar>) -> bool {
        match self.who {
            Who::Nobody => {
                self.who = Who::Guest;
                self.guest_waits = Some(condvar.clone());
                true
            }
            Who::Link => {
                self.wanted = true;
                false
            }
            Who::Guest => false,
        }
    }

    /// The guest stops driving.
    pub fn rise(&mut self) {
        self.who = Who::Nobody;
        self.guest_waits = None;
    }

    /// The link's thread drives, unless a guest does.
    pub fn take_over(&mut self) -> bool {
        if self.who == Who::Guest {
            return false;
        }
        self.who = Who::Link;
        self.wanted = false;
        true
    }

    /// A message came with so many frames. Whether the link's thread shall give the seat up.
    pub fn note_message(&mut self, frames: usize) -> bool {
        self.is_busy = frames > 1;
        self.who == Who::Link && self.wanted && !self.is_busy
    }

    /// The link's thread stops driving.
    pub fn give_up(&mut self) {
        if self.who == Who::Link {
            self.who = Who::Nobody;
        }
    }

    /// Whether the guest waits for what sleepers on `condvar` wait for.
    pub fn is_guest_at(&self, condvar: &Arc<Condvar>) -> bool {
        self.guest_waits.as_ref().is_some_and(|waits| Arc::ptr_eq(waits, condvar))
    }

    /// Whether somebody has to drive at once after the guest has left.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_drives_at_a_time_and_a_guest_is_preferred_while_little_comes() {
        let (mut seat, condvar, other) = (Seat::default(), Arc::default(), Arc::default());
        assert!(!seat.sit(&condvar), "the link's thread dials");
        assert!(!seat.note_message(2), "much comes");
        assert!(seat.note_message(1));
        seat.give_up();
        assert!(seat.sit(&condvar));
        assert!(seat.is_guest_at(&condvar) && !seat.is_guest_at(&other));
        assert!(!seat.sit(&other), "one guest");
        assert!(!seat.take_over(), "it drives");
        assert!(!seat.note_message(1), "nobody waits beside a guest's back");
        seat.give_up();
        assert!(!seat.take_over(), "it drives still");
        seat.rise();
        assert!(!seat.is_guest_at(&condvar));
        assert!(seat.take_over());
        assert!(!seat.note_message(1), "nobody wants it");
        assert!(!seat.sit(&condvar));
        assert!(seat.note_message(1));
    }
}
