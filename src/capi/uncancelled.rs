//! Threads that may be ended by `pthread_cancel`, kept from ending while they wait or send.
//!
//! A thread that does may be at work for a wire, inside calls at which a cancelled thread ends; the
//! wire would be lost with it. Its end comes when it has left the library.

use std::ffi::c_int;

use crate::transport::sending;

/// Runs `wait` on the calling thread, which is not cancelled before it returns.
pub fn uncancelled<T>(wait: impl FnOnce() -> T) -> T {
    let _disabled = Disabled::new();
    wait()
}

/// Runs `act`, which may queue something for a worker; the calling thread may send it.
pub fn send<T>(act: impl FnOnce() -> T) -> T {
    uncancelled(|| sending(act))
}

/// While it lives, requests to end this thread wait.
struct Disabled {
    before: c_int,
}

impl Disabled {
    fn new() -> Self {
        Disabled { before: set_state(PTHREAD_CANCEL_DISABLE) }
    }
}

impl Drop for Disabled {
    fn drop(&mut self) {
        set_state(self.before);
    }
}

fn set_state(state: c_int) -> c_int {
    let mut before = 0;
    // SAFETY: it changes the calling thread's state and writes one integer of ours.
    unsafe { pthread_setcancelstate(state, &raw mut before) };
    before
}

unsafe extern "C" {
    // The crate `libc` does not have it for Linux.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

/// Of glibc and musl.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_what_it_was_afterwards() {
        let inside = uncancelled(|| set_state(PTHREAD_CANCEL_DISABLE));
        assert_eq!(inside, PTHREAD_CANCEL_DISABLE);
        assert_eq!(set_state(0), 0);
    }
}
