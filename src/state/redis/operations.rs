//! Numbers for this host's writes, and which of them are still waited for. Redis forgets the
//! outcome of what nobody waits for any more, and refuses a copy of it that comes late.

use std::collections::BTreeSet;

use parking_lot::Mutex;

/// All writes of one store.
#[derive(Debug, Default)]
pub struct Operations {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    waited_for: BTreeSet<u64>,
}

/// One write, until its outcome is known or given up.
#[derive(Debug)]
pub struct Operation<'a> {
    pub number: u64,
    /// No write of this host with a lower number is waited for.
    pub lowest: u64,
    all: &'a Operations,
}

impl Operations {
    pub fn begin(&self) -> Operation<'_> {
        let mut state = self.state.lock();
        state.last += 1;
        let number = state.last;
        state.waited_for.insert(number);
        let lowest = state.waited_for.first().copied().unwrap_or(number);
        Operation { number, lowest, all: self }
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        self.all.state.lock().waited_for.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_is_the_oldest_that_is_waited_for() {
        let all = Operations::default();
        let first = all.begin();
        let second = all.begin();
        assert_eq!((first.number, second.number, second.lowest), (1, 2, 1));
        drop(first);
        let third = all.begin();
        assert_eq!((third.number, third.lowest), (3, 2));
        drop((second, third));
        assert_eq!(all.begin().lowest, 4);
    }
}
