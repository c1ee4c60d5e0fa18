//! Divides a process of its own, with a shell as the guard: whose child the child is, what it is
//! told, and that it has what any fork has.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{Divided, GuardCommand, divide};

/// Runs `body` in a fork, which then ends, with `printed` as its descriptor for what it has to say;
/// gives what that was when all its descendants are gone.
#[expect(unsafe_code, reason = "a fork has one thread, as `divide` wants it")]
fn in_a_fork(body: impl FnOnce(&OwnedFd)) -> String {
    let (reading, printed) = rustix::pipe::pipe().unwrap();
    // SAFETY: the child does what any process with one thread may, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        body(&printed);
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(0) };
    }
    drop(printed);
    let mut text = String::new();
    std::fs::File::from(reading).read_to_string(&mut text).unwrap();
    // SAFETY: our own child.
    assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
    text
}

/// Starts a shell with `script` as the guard; its 3 is its end of the pair, `$0` the child's id.
fn shell(script: &str, printed: &OwnedFd) -> GuardCommand {
    let words = |words: &[&str]| words.iter().map(|word| CString::new(*word).unwrap()).collect();
    GuardCommand {
        program: c"/bin/sh".to_owned(),
        before: words(&["sh", "-c", script]),
        after: words(&["first", "second"]),
        shared: vec![(printed.as_raw_fd(), 1)],
        own: Vec::new(),
        go: 3,
    }
}

fn say(printed: &OwnedFd, text: &str) {
    rustix::io::write(printed, text.as_bytes()).unwrap();
}

#[expect(unsafe_code, reason = "getppid, waitpid")]
fn wait_for(guard: u32) {
    // SAFETY: our own child.
    unsafe { libc::waitpid(guard.cast_signed(), std::ptr::null_mut(), 0) };
}

#[test]
#[expect(unsafe_code, reason = "getppid, prctl")]
fn the_child_is_its_guards_and_is_told_by_it() {
    let text = in_a_fork(|printed| {
        let command = shell("printf %s \"$$ $0 $1 $2\" >&3; exec sleep 60", printed);
        match divide(&command, c"no guard").unwrap() {
            Divided::Child((message, files)) => {
                let mut ended_by = 0;
                // SAFETY: a number of our own to write to.
                let parent = unsafe {
                    libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut ended_by);
                    libc::getppid()
                };
                let own = std::process::id();
                let expected = format!("{parent} {own} first second");
                assert!(files.is_empty());
                let told = String::from_utf8(message).unwrap();
                let group = rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned();
                say(printed, &format!("{} {ended_by} {}", told == expected, group == own));
                let guard = rustix::process::Pid::from_raw(parent).unwrap();
                rustix::process::kill_process(guard, rustix::process::Signal::KILL).unwrap();
            }
            Divided::Before { guard } => wait_for(guard),
        }
    });
    assert_eq!(text, format!("true {} true", libc::SIGKILL));
}

#[test]
fn a_child_that_is_told_nothing_says_nothing() {
    let text = in_a_fork(|printed| match divide(&shell("exit 0", printed), c"no").unwrap() {
        Divided::Child(_) => say(printed, "child"),
        Divided::Before { guard } => {
            wait_for(guard);
            say(printed, "before");
        }
    });
    assert_eq!(text, "before");
}

#[test]
fn a_guard_that_cannot_start_complains_and_takes_the_child_along() {
    let text = in_a_fork(|printed| {
        let mut command = shell("", printed);
        command.program = c"/no/such/program".to_owned();
        command.shared.push((printed.as_raw_fd(), 2));
        match divide(&command, c"no guard;").unwrap() {
            Divided::Child(_) => say(printed, "child"),
            Divided::Before { guard } => {
                wait_for(guard);
                say(printed, "before");
            }
        }
    });
    assert_eq!(text, "no guard;before");
}

#[test]
#[expect(unsafe_code, reason = "sched_getcpu, sigprocmask")]
fn the_child_knows_its_processor_and_has_the_mask_that_was() {
    let cores = rustix::thread::sched_getaffinity(None).unwrap();
    let cores: Vec<usize> = (0..1024).filter(|core| cores.is_set(*core)).collect();
    let text = in_a_fork(|printed| {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set; the mask is this fork's own.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR1);
            libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
        }
        let command = shell("printf go >&3; exec sleep 60", printed);
        match divide(&command, c"no guard").unwrap() {
            Divided::Before { guard } => wait_for(guard),
            Divided::Child(_) => {
                for core in &cores {
                    let mut only = rustix::thread::CpuSet::new();
                    only.set(*core);
                    rustix::thread::sched_setaffinity(None, &only).unwrap();
                    // SAFETY: takes nothing.
                    let seen = unsafe { libc::sched_getcpu() };
                    if usize::try_from(seen) != Ok(*core) {
                        say(printed, &format!("on {core}, believes {seen};"));
                    }
                }
                let status = std::fs::read_to_string("/proc/self/status").unwrap();
                let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
                say(printed, mask.trim());
                // SAFETY: takes nothing.
                let guard = rustix::process::Pid::from_raw(unsafe { libc::getppid() }).unwrap();
                rustix::process::kill_process(guard, rustix::process::Signal::KILL).unwrap();
            }
        }
    });
    assert_eq!(text, format!("{:016x}", 1 << (libc::SIGUSR1 - 1)));
}
