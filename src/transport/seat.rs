//! Who drives a runtime: a thread that waits for what it brings anyway (a guest), or else the
//! runtime's own thread. The caller locks it.
//!
//! A guest finds what it waits for without any other thread being woken. The own thread takes the
//! seat when no guest has come for a while, and gives it up when one has had to wait beside it. A
//! guest is asked to do the same for another one, whose call it may be. With several calls under
//! way, the own thread gives it up to a regular guest only, and works while the others' threads do.
//! Knows nothing of runtimes and sockets; the worker's link mounts this file, too.

/// The place of whoever drives.
#[derive(Default)]
pub struct Seat {
    who: Who,
    /// A guest came while somebody drove; a regular one.
    is_wanted: bool,
    is_wanted_by_regular: bool,
    /// How many passing guests sleep meanwhile, and behind which message one last fell asleep.
    passing: usize,
    slept_at: u64,
    /// How many have come.
    messages: u64,
    /// The guest shall leave the seat to that thread.
    is_asked: bool,
    /// The next message is not far.
    is_busy: bool,
    /// The last one was for a regular guest.
    is_for_regular: bool,
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

/// How a guest lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Guest {
    /// It takes all that comes, sends what becomes of it, and is back: nobody has to do that for it
    /// meanwhile, however much goes to and fro.
    Regular,
    /// It goes with what it waited for.
    Passing,
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
    pub fn sit(&mut self, guest: Guest) -> bool {
        match self.who {
            _ if self.is_closed => false,
            Who::Nobody => {
                self.who = Who::Guest;
                (self.is_wanted, self.is_wanted_by_regular) = (false, false);
                self.is_asked = false;
                self.turns = self.turns.wrapping_add(1);
                true
            }
            Who::Own | Who::Guest => {
                self.is_wanted = true;
                self.is_wanted_by_regular |= guest == Guest::Regular;
                false
            }
        }
    }

    /// A guest that could not sit down sleeps from here on.
    pub fn begin_sleep(&mut self, guest: Guest) {
        if guest == Guest::Passing {
            self.passing += 1;
            self.slept_at = self.messages;
        }
    }

    /// It was woken.
    pub fn end_sleep(&mut self, guest: Guest) {
        self.passing -= usize::from(guest == Guest::Passing);
    }

    /// The guest stops driving. Whether somebody else has to at once, rather than if no guest comes
    /// soon.
    pub fn rise(&mut self, guest: Guest) -> bool {
        let is_regular = guest == Guest::Regular;
        let is_back_soon = is_regular && self.is_for_regular && !self.is_passing_near();
        self.who = Who::Nobody;
        self.is_closed || (self.is_busy && !is_back_soon)
    }

    /// The own thread drives, unless a guest does.
    pub fn take_over(&mut self) -> bool {
        if self.who == Who::Guest {
            return false;
        }
        self.who = Who::Own;
        (self.is_wanted, self.is_wanted_by_regular) = (false, false);
        true
    }

    /// A message came, with so many frames while so many calls were under way; it `is_for_regular`
    /// if such a guest may find something in it, and is done with it soon. Whether the own thread
    /// shall stop driving: its seat is free from now on, so that a guest who is woken by the
    /// message finds it so.
    pub fn note_message(&mut self, frames: usize, calls: usize, is_for_regular: bool) -> bool {
        self.is_busy = frames > 1 || calls > 1;
        self.is_for_regular = is_for_regular;
        self.messages += 1;
        let is_wanted = match self.is_busy {
            true => self.is_wanted_by_regular && is_for_regular && !self.is_passing_near(),
            false => self.is_wanted,
        };
        match self.who {
            Who::Own if is_wanted => {
                self.who = Who::Nobody;
                return true;
            }
            Who::Guest => self.is_asked |= is_wanted,
            Who::Own | Who::Nobody => {}
        }
        false
    }

    /// Whether a passing guest may be waiting for one of the next messages. One that has slept for
    /// long waits for something else.
    fn is_passing_near(&self) -> bool {
        self.passing > 0 && self.messages - self.slept_at <= PASSING_MESSAGES_MAX
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

    /// Whether nobody drives.
    pub fn is_free(&self) -> bool {
        self.who == Who::Nobody
    }

    /// Whether much goes to and fro.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }
}

/// So many messages after it fell asleep, a passing guest is not expected to wait for the next.
const PASSING_MESSAGES_MAX: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    use Guest::{Passing, Regular};

    #[test]
    fn one_drives_at_a_time_and_a_guest_is_preferred_while_little_comes() {
        let mut seat = Seat::default();
        assert!(!seat.sit(Passing), "the own thread begins");
        assert!(!seat.note_message(2, 1, true), "much comes");
        assert!(!seat.note_message(1, 2, true), "another call is under way");
        assert!(seat.note_message(1, 1, true));
        assert!(seat.is_free() && seat.sit(Passing), "at once");
        seat.give_up();
        assert!(!seat.is_free() && !seat.sit(Passing), "one guest");
        assert!(!seat.take_over(), "it drives");
        assert!(!seat.note_message(1, 1, true), "nobody waits beside a guest's back");
        seat.give_up();
        assert!(!seat.take_over(), "it drives still");
        assert!(!seat.rise(Passing), "a guest may come soon");
        assert!(seat.take_over());
        assert!(!seat.note_message(1, 1, true), "nobody wants it");
        assert!(!seat.sit(Passing));
        assert!(seat.note_message(1, 1, true));
    }

    #[test]
    fn with_much_to_and_fro_the_own_thread_leaves_for_regular_guests_only() {
        let mut seat = Seat::default();
        assert!(!seat.sit(Passing) && !seat.note_message(8, 8, true));
        assert!(!seat.sit(Regular));
        assert!(!seat.note_message(8, 8, false), "nothing in it for the regular one");
        assert!(seat.note_message(8, 8, true));
        assert!(seat.sit(Regular));
        assert!(!seat.note_message(8, 8, true) && !seat.rise(Regular), "it is back soon");
        assert!(seat.sit(Regular));
        assert!(!seat.note_message(8, 8, false) && seat.rise(Regular), "it may take its time");
        assert!(seat.take_over());
        assert!(!seat.note_message(8, 8, true), "nobody wants it any more");
        seat.give_up();
        assert!(seat.sit(Passing));
        assert!(seat.rise(Passing), "who knows when this one is back");
        assert!(seat.sit(Passing) && !seat.sit(Regular));
        assert!(!seat.note_message(8, 8, false) && !seat.is_asked());
        assert!(!seat.note_message(8, 8, true) && seat.is_asked(), "the regular one is woken");
    }

    #[test]
    fn who_sleeps_beside_a_regular_guest_does_not_wait_for_it_to_come_back() {
        let mut seat = Seat::default();
        seat.give_up();
        assert!(seat.sit(Regular));
        assert!(!seat.sit(Passing));
        seat.begin_sleep(Passing);
        assert!(!seat.note_message(8, 8, true) && !seat.is_asked());
        assert!(seat.rise(Regular), "another one sleeps");
        assert!(seat.take_over() && !seat.sit(Regular));
        assert!(!seat.note_message(8, 8, true), "the own thread stays for that one");
        seat.end_sleep(Passing);
        seat.begin_sleep(Regular);
        assert!(seat.note_message(8, 8, true));
        seat.end_sleep(Regular);
        assert!(seat.sit(Regular));
        assert!(!seat.rise(Regular));
    }

    #[test]
    fn who_has_slept_for_long_is_in_nobodys_way() {
        let mut seat = Seat::default();
        seat.begin_sleep(Passing);
        for _ in 0..PASSING_MESSAGES_MAX {
            assert!(!seat.sit(Regular));
            assert!(!seat.note_message(8, 8, true));
        }
        assert!(seat.note_message(8, 8, true));
        assert!(seat.sit(Regular));
        assert!(!seat.rise(Regular));
        seat.begin_sleep(Passing);
        assert!(seat.sit(Regular));
        assert!(seat.rise(Regular), "another one has just begun to");
    }

    #[test]
    fn a_guest_is_asked_to_leave_for_another_one_while_little_comes() {
        for guest in [Regular, Passing] {
            let mut seat = Seat::default();
            seat.give_up();
            assert!(seat.sit(guest));
            assert!(!seat.note_message(1, 1, true) && !seat.is_asked(), "nobody waits");
            assert!(!seat.sit(Passing), "another one waits from here on");
            assert!(!seat.note_message(2, 1, true) && !seat.is_asked(), "much comes");
            assert!(!seat.note_message(1, 1, true), "this is not the own thread's");
            assert!(seat.is_asked() && seat.look().is_driven, "until it leaves");
            seat.rise(guest);
            assert!(seat.sit(guest) && !seat.is_asked());
            assert!(!seat.note_message(1, 1, true) && !seat.is_asked(), "it was for another one");
        }
    }

    #[test]
    fn a_closed_seat_takes_no_guest_and_lets_the_last_one_rise() {
        let mut seat = Seat::default();
        seat.give_up();
        assert!(seat.sit(Regular));
        seat.close();
        assert!(seat.is_closed() && seat.look().is_driven, "it sits there still");
        assert!(seat.rise(Regular), "the own thread is to end");
        assert!(!seat.look().is_driven);
        assert!(!seat.sit(Regular) && !seat.sit(Passing));
        assert!(seat.take_over());
    }
}
