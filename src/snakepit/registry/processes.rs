//! Processes as `/proc` shows them, and how to hold one so that what is done to it reaches no
//! other. Only looks; whom to look for is decided elsewhere.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// A process at the moment it was looked at. Number and start together are a name that is never
/// given twice.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Process {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    pub sid: i32,
    /// Since the system's start, as the kernel counts it.
    pub started_ticks: u64,
}

/// A process that keeps its number as long as this is held.
pub(super) struct Held {
    fd: OwnedFd,
}

impl Held {
    /// Takes hold of `process`; `None` if it has ended, even if another has its number by now.
    pub fn take(process: &Process) -> Option<Held> {
        let fd = pidfd_open(Pid::from_raw(process.pid)?, PidfdFlags::empty()).ok()?;
        // Looked at again only now: had the number passed on before, the start would differ.
        let now = find(process.pid)?;
        (now.started_ticks == process.started_ticks).then_some(Held { fd })
    }

    /// True if it was still there to be killed.
    pub fn kill(&self) -> bool {
        pidfd_send_signal(&self.fd, Signal::KILL).is_ok()
    }

    pub fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut fds, Some(&now)), Ok(1..))
    }

    /// Readable when it has ended.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// All living processes of `user`, ended ones that nobody has waited for left out.
pub(super) fn all_of(user: u32) -> io::Result<Vec<Process>> {
    let entries = std::fs::read_dir("/proc")?.flatten();
    let numbered = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (entry.metadata().ok()?.uid() == user).then_some(pid)
    });
    Ok(numbered.filter_map(find).collect())
}

/// The living process with this number.
pub(super) fn find(pid: i32) -> Option<Process> {
    parse(pid, &String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/stat")).ok()?))
}

pub(super) fn own() -> io::Result<Process> {
    let pid = getpid().as_raw_nonzero().get();
    find(pid).ok_or_else(|| io::Error::other("/proc does not show this process"))
}

/// With what the process was started; empty if that is hidden from us.
pub(super) fn environment(pid: i32) -> Vec<u8> {
    contents(pid, "environ")
}

pub(super) fn command_line(pid: i32) -> Vec<u8> {
    contents(pid, "cmdline")
}

fn contents(pid: i32, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(format!("/proc/{pid}/{name}")) {
        // A process that ends meanwhile leaves what was read so far, which does no harm.
        let _ = file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes);
    }
    bytes
}

fn parse(pid: i32, stat: &str) -> Option<Process> {
    // The name in brackets may hold anything; what follows the last one is numbered from 3 on.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, sid) = (number()?, number()?, number()?);
    let started_ticks = fields.nth(STARTED_FIELD - SID_FIELD - 1)?.parse().ok()?;
    Some(Process { pid, parent, group, sid, started_ticks })
}

const SID_FIELD: usize = 6;
const STARTED_FIELD: usize = 22;
/// What the kernel accepts for arguments and environment together, by default.
const TEXT_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernels_is_understood_whatever_the_name() {
        let line = "7 (a) S 1 (b) R 3 4 5 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 4242 1 1";
        let expected = Process { pid: 7, parent: 3, group: 4, sid: 5, started_ticks: 4242 };
        assert_eq!(parse(7, line), Some(expected));
        assert_eq!(parse(7, &line.replace(") R", ") Z")), None);
        assert_eq!(parse(7, "7 (a) R 3"), None);
        assert_eq!(parse(7, ""), None);
    }

    #[test]
    fn this_process_is_found_and_held_and_one_of_another_start_is_not() {
        let own = own().unwrap();
        assert_eq!(own.parent, rustix::process::getppid().unwrap().as_raw_nonzero().get());
        assert!(all_of(rustix::process::geteuid().as_raw()).unwrap().contains(&own));
        assert!(Held::take(&own).is_some());
        let other = Process { started_ticks: own.started_ticks + 1, ..own };
        assert!(Held::take(&other).is_none());
        assert!(!command_line(own.pid).is_empty());
    }
}
