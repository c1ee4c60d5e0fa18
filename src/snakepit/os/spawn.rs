//! Starts a guard from inside the host.
//!
//! Without any closure between fork and exec, so that the standard library takes the posix_spawn
//! path, whose cost does not grow with the host's memory. All that a child needs done to it, the
//! guard does. Every descriptor made here is closed on exec, so that no other child of the host
//! inherits the death pipe.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::reap::Reaper;

/// A started guard, seen from the host.
pub struct GuardProcess {
    /// Control socket and death pipe in one: the guard ends everything when this end is closed.
    /// Non-blocking.
    pub control: OwnedFd,
    /// What the worker prints.
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// The guard's own process.
    pub reaper: Reaper,
}

/// What a guard that is started elsewhere has for its standard streams, and what of it stays here.
pub struct GuardEnds {
    pub control: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// The two sides of a guard that is not started by us: ours, non-blocking, and its own.
pub fn guard_ends() -> io::Result<(GuardEnds, GuardEnds)> {
    let (control, its_control) = control_pair()?;
    let flags = PipeFlags::CLOEXEC;
    let (stdout, its_stdout) = pipe_with(flags)?;
    let (stderr, its_stderr) = pipe_with(flags)?;
    let its = GuardEnds { control: its_control, stdout: its_stdout, stderr: its_stderr };
    Ok((GuardEnds { control, stdout, stderr }, its))
}

/// Starts `guard` with an empty environment in a process group of its own. `labels` appear on its
/// command line, for whoever lists processes.
pub fn spawn_guard(guard: &Path, labels: &[&OsStr]) -> io::Result<GuardProcess> {
    spawn_program(guard, labels, &[])
}

/// As `spawn_guard`, for a program that starts a guard, or has to do with one: with arguments and
/// its whole environment.
#[expect(clippy::disallowed_methods, reason = "the one place where the host starts a process")]
pub fn spawn_program(
    program: &Path,
    args: &[&OsStr],
    env: &[(OsString, OsString)],
) -> io::Result<GuardProcess> {
    let (ours, theirs) = control_pair()?;
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .process_group(0)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipes = child.stdout.take().zip(child.stderr.take());
    let opened = Reaper::open(child.id());
    match (pipes, opened) {
        (Some((stdout, stderr)), Ok(reaper)) => {
            Ok(GuardProcess { control: ours, stdout: stdout.into(), stderr: stderr.into(), reaper })
        }
        (_, opened) => {
            // Without a way to wait for it later it is ended and waited for now: it leaves when its
            // socket closes.
            drop(ours);
            let _ = child.wait();
            Err(opened.err().unwrap_or_else(|| io::Error::other("a guard without pipes")))
        }
    }
}

fn control_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}
