//! Signal masks and dispositions. In the host only this library's own threads' masks are touched,
//! never a disposition; the guard and the worker are programs of our own and start from a clean
//! table.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

/// Blocks every asynchronous signal on the calling thread, for threads that this library starts
/// inside a host: the host's handlers then run on the host's threads, and a write to a closed pipe
/// is an error instead of its death. Signals that a thread causes itself (SEGV, BUS, FPE, ILL,
/// ABRT, TRAP, SYS) and the profiler's stay open.
#[expect(unsafe_code, reason = "pthread_sigmask")]
pub fn block_signals_on_this_thread() {
    let mut set = full_set();
    for signal in SYNCHRONOUS {
        // SAFETY: `set` is initialised, and the numbers are the platform's own.
        unsafe { libc::sigdelset(&raw mut set, signal) };
    }
    // SAFETY: a valid set; only the calling thread's mask changes. It fails only for a bad `how`.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Gives the guard a table of its own: everything default and unblocked, except what a terminal or
/// an operator would end it with, which is ignored, because it must outlive what it guards.
pub fn prepare_guard_signals() {
    reset_dispositions();
    for signal in IGNORED_BY_GUARD {
        set_disposition(signal, libc::SIG_IGN);
    }
    set_mask(&empty_set());
}

/// A descriptor that is readable when a child changed state. Blocks SIGCHLD for the calling thread,
/// which in the single-threaded guard means: for the guard.
#[expect(unsafe_code, reason = "signalfd")]
pub fn child_signals() -> io::Result<OwnedFd> {
    let mut set = empty_set();
    // SAFETY: `set` is initialised.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    set_mask(&set);
    // SAFETY: a valid set; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What a worker starts with: every signal default, none blocked. Called between fork and exec.
pub(super) fn prepare_worker_signals() {
    reset_dispositions();
    set_mask(&empty_set());
}

fn reset_dispositions() {
    for signal in 1..=libc::SIGRTMAX() {
        // KILL, STOP and the two that libc keeps for itself refuse, and need no reset.
        set_disposition(signal, libc::SIG_DFL);
    }
}

#[expect(unsafe_code, reason = "signal")]
fn set_disposition(signal: libc::c_int, disposition: libc::sighandler_t) {
    // SAFETY: only SIG_DFL and SIG_IGN arrive here, so no handler can run with a broken contract.
    unsafe { libc::signal(signal, disposition) };
}

#[expect(unsafe_code, reason = "sigprocmask")]
fn set_mask(set: &libc::sigset_t) {
    // SAFETY: a valid set; `how` is one of the three.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, set, std::ptr::null_mut()) };
}

#[expect(unsafe_code, reason = "sigemptyset")]
fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

#[expect(unsafe_code, reason = "sigfillset")]
fn full_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the whole set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

const SYNCHRONOUS: [libc::c_int; 8] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGPROF,
];

const IGNORED_BY_GUARD: [libc::c_int; 5] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE];

#[cfg(test)]
mod tests {
    /// A line of `/proc/thread-self/status` that holds a set of signals.
    fn signals(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    }

    #[test]
    fn a_blocked_thread_keeps_the_signals_it_causes_itself_open() {
        let before = (signals("SigIgn:"), signals("SigCgt:"));
        let blocked = std::thread::spawn(|| {
            super::block_signals_on_this_thread();
            signals("SigBlk:")
        })
        .join()
        .unwrap();
        let holds = |signal: i32| blocked >> (signal - 1) & 1 == 1;
        for signal in [libc::SIGPIPE, libc::SIGTERM, libc::SIGCHLD, libc::SIGINT, libc::SIGUSR1] {
            assert!(holds(signal), "signal {signal} is open");
        }
        for signal in super::SYNCHRONOUS {
            assert!(!holds(signal), "signal {signal} is blocked");
        }
        assert_eq!((signals("SigIgn:"), signals("SigCgt:")), before);
    }
}
