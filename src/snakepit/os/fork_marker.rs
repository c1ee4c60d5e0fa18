//! Tells a forked child from the process that armed the marker, at the cost of two loads.
//!
//! The marker is one page that the kernel wipes in a child (`MADV_WIPEONFORK`). No `pthread_atfork`
//! handler and no `getpid` per call. A child that execs is a new program and never asks.

use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// Makes `is_forked_child` meaningful from here on. Idempotent; fails with the kernel's error where
/// the page cannot be had (then nothing is ever taken for a child).
#[expect(unsafe_code, reason = "a page with a kernel property")]
pub fn arm_fork_marker() -> std::io::Result<()> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
    if !MARKER.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    let prot = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no existing
    // memory.
    let page =
        unsafe { mmap_anonymous(std::ptr::null_mut(), PAGE_BYTES, prot, MapFlags::PRIVATE)? };
    // SAFETY: the range is the mapping made above, whole, and nobody else knows it yet.
    if let Err(error) = unsafe { madvise(page, PAGE_BYTES, Advice::LinuxWipeOnFork) } {
        // SAFETY: as above, and nothing points into it.
        let _ = unsafe { munmap(page, PAGE_BYTES) };
        return Err(error.into());
    }
    let marker = page.cast::<AtomicU8>();
    // SAFETY: the page is mapped, writable, aligned, and zeroed: a valid `AtomicU8`.
    unsafe { &*marker }.store(PARENT, Ordering::Release);
    let null = std::ptr::null_mut();
    if MARKER.compare_exchange(null, marker, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: another thread was first; this page has not been shown to anyone.
        let _ = unsafe { munmap(page, PAGE_BYTES) };
    }
    Ok(())
}

/// True in a process that was forked, without exec, from one that had armed the marker.
#[expect(unsafe_code, reason = "reads the marker's page")]
pub fn is_forked_child() -> bool {
    let marker = MARKER.load(Ordering::Acquire);
    // SAFETY: once published the page is never unmapped, in no process.
    !marker.is_null() && unsafe { &*marker }.load(Ordering::Relaxed) != PARENT
}

static MARKER: AtomicPtr<AtomicU8> = AtomicPtr::new(std::ptr::null_mut());
const PARENT: u8 = 1;
/// The smallest page there is; the kernel rounds up.
const PAGE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "a fork is the thing under test")]
    fn a_child_knows_itself_and_the_parent_stays_what_it_is() {
        arm_fork_marker().unwrap();
        arm_fork_marker().unwrap();
        assert!(!is_forked_child());
        // SAFETY: the child calls nothing but two loads and `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(if is_forked_child() { 42 } else { 1 }) };
        }
        let pid = rustix::process::Pid::from_raw(child).unwrap();
        let options = rustix::process::WaitOptions::empty();
        let (_, status) = rustix::process::waitpid(Some(pid), options).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(42));
        assert!(!is_forked_child());
    }
}
