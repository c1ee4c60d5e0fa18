//! Who drives a runtime: a thread that waits for what it brings anyway (a guest), or else the
//! runtime's own thread. The caller locks it.
//!
//! A guest finds what it waits for without any other thread being woken. The own thread takes the
//! seat when no guest has come for a while, and gives it up when one has had to wait beside it and
//! one call goes to and fro alone: with several, it works while the others' threads do. A guest is
//! asked to do the same for another one, whose call it may be. Knows nothing of runtimes and
//! sockets; the worker's link mounts this file, too.

/// The place of whoever drives.
#[derive(Default)]
pub struct Seat {
    who: Who,
    /// A thread waits beside the one that drives.
    wanted: bool,
    /// The guest shall leave the seat to that thread.
    is_asked: bool,
    /// The next message is not far.
    is_busy: bool,
    is_closed: bool,
    /// How many turns guests have had.
    turns: u64,
}

/// What the own thread sees of the seat, to compare with what it saw before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Look {
    pub is_driven: bool,
    pub turns: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Who {
    /// At the start, before anybody can wait for anything.
    #[default]
    Own,
    Guest,
    Nobody,
}

impl Seat {
    /// The calling thread would sleep: it drives instead, if nobody does.
    pub fn sit(&mut self) -> bool {
        match self.who {
            _ if self.is_closed => false,
            Who::Nobody => {
                self.who = Who::Guest;
                (self.wanted, self.is_asked) = (false, false);
                self.turns = self.turns.wrapping_add(1);
                true
            }
            Who::Own | Who::Guest => {
                self.wanted = true;
                false
            }
        }
    }

    /// The guest stops driving.
    pub fn rise(&mut self) {
        self.who = Who::Nobody;
    }

    /// The own thread drives, unless a guest does.
    pub fn take_over(&mut self) -> bool {
        if self.who == Who::Guest {
            return false;
        }
        self.who = Who::Own;
        self.wanted = false;
        true
    }

    /// A message came, with so many frames while so many calls were under way. Whether the own
    /// thread shall stop driving: its seat is free from now on, so that a guest who is woken by the
    /// message finds it so.
    pub fn note_message(&mut self, frames: usize, calls: usize) -> bool {
        self.is_busy = frames > 1 || calls > 1;
        if !self.wanted || self.is_busy {
            return false;
        }
        self.is_asked = self.who == Who::Guest;
        let leaves = self.who == Who::Own;
        if leaves {
            self.who = Who::Nobody;
        }
        leaves
    }

    /// Whether the guest shall leave, since another one waits, and since the last message.
    pub fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// The own thread has stopped driving.
    pub fn give_up(&mut self) {
        if self.who == Who::Own {
            self.who = Who::Nobody;
        }
    }

    /// No guest sits down any more; one who sits there still may rise.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub fn look(&self) -> Look {
        Look { is_driven: self.who == Who::Guest, turns: self.turns }
    }

    /// Whether much goes to and fro.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Whether somebody has to drive at once after the guest has left.
    pub fn is_urgent(&self) -> bool {
        self.is_busy || self.is_closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_drives_at_a_time_and_a_guest_is_preferred_while_little_comes() {
        let mut seat = Seat::default();
        assert!(!seat.sit(), "the own thread begins");
        assert!(!seat.note_message(2, 1), "much comes");
        assert!(!seat.note_message(1, 2), "another call is under way");
        assert!(seat.note_message(1, 1));
        assert!(seat.sit(), "at once");
        seat.give_up();
        assert!(!seat.sit(), "one guest");
        assert!(!seat.take_over(), "it drives");
        assert!(!seat.note_message(1, 1), "nobody waits beside a guest's back");
        seat.give_up();
        assert!(!seat.take_over(), "it drives still");
        seat.rise();
        assert!(seat.take_over());
        assert!(!seat.note_message(1, 1), "nobody wants it");
        assert!(!seat.sit());
        assert!(seat.note_message(1, 1));
    }

    #[test]
    fn a_guest_is_asked_to_leave_for_another_one_while_little_comes() {
        let mut seat = Seat::default();
        seat.give_up();
        assert!(seat.sit());
        assert!(!seat.note_message(1, 1) && !seat.is_asked(), "nobody waits");
        assert!(!seat.sit(), "another one waits from here on");
        assert!(!seat.note_message(2, 1) && !seat.is_asked(), "much comes");
        assert!(!seat.note_message(1, 1), "this is not the own thread's");
        assert!(seat.is_asked() && seat.look().is_driven, "until it leaves");
        seat.rise();
        assert!(seat.sit() && !seat.is_asked());
        assert!(!seat.note_message(1, 1) && !seat.is_asked(), "it was for somebody else");
    }

    #[test]
    fn a_closed_seat_takes_no_guest_and_lets_the_last_one_rise() {
        let mut seat = Seat::default();
        seat.give_up();
        assert!(seat.sit());
        seat.close();
        assert!(seat.is_closed() && seat.look().is_driven, "it sits there still");
        seat.rise();
        assert!(!seat.look().is_driven);
        assert!(seat.is_urgent(), "the own thread is to end");
        assert!(!seat.sit());
        assert!(seat.take_over());
    }
}
