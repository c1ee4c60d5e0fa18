//! What a thread of the host sends itself, before it leaves the library: otherwise a thread that
//! waits for what workers send would have to be woken, only to send it.
//!
//! That is what one outbox holds, if it is light: while little goes to and fro, and what has piled
//! up while nobody drives the wire. All else is left to who drives it. Knows nothing of what is
//! sent.

use std::cell::Cell;

use super::outbox::Outbox;

thread_local! {
    static HELD: Cell<Held> = const { Cell::new(Held::Nothing) };
}

/// What the calling thread has to send.
#[derive(Default)]
enum Held {
    /// It is not inside of `sending`.
    #[default]
    Nothing,
    Vacant,
    Full(Outbox),
}

/// Sends what `act` queued first, on the calling thread, where that is worth it. It holds no lock,
/// and is not cancelled meanwhile; it may take as much stack as a thread that waits for an
/// operation.
pub fn sending<T>(act: impl FnOnce() -> T) -> T {
    let _scope = Scope::open();
    act()
}

/// Leaves what waits in `outbox` to the end of `sending`, if the calling thread is inside of that,
/// and if it `is_worth_it`.
pub(super) fn hold(outbox: &Outbox, is_worth_it: impl FnOnce() -> bool) -> bool {
    let before = take();
    let holds = matches!(before, Held::Vacant) && is_worth_it();
    set(if holds { Held::Full(outbox.clone()) } else { before });
    holds
}

/// A thread at its end, inside of destructors of its own data, has nothing any more.
fn take() -> Held {
    HELD.try_with(Cell::take).unwrap_or_default()
}

fn set(held: Held) {
    // What such a thread would hold is nothing.
    let _ = HELD.try_with(|cell| cell.set(held));
}

/// Dropped at the end of `sending`.
struct Scope {
    is_outer: bool,
}

impl Scope {
    fn open() -> Self {
        let before = take();
        let is_outer = matches!(before, Held::Nothing);
        set(if is_outer { Held::Vacant } else { before });
        Scope { is_outer }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if !self.is_outer {
            return;
        }
        if let Held::Full(outbox) = take() {
            match std::thread::panicking() {
                true => outbox.send_there(),
                false => outbox.send_here(),
            }
        }
    }
}

#[cfg(test)]
#[path = "sending_tests.rs"]
mod tests;
