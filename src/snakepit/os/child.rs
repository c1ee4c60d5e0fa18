//! Forks and executes a worker. Runs in the guard, which has one thread, so the child may do what
//! any program may.
//!
//! The child gets: a process group of its own, death with the guard, its limits, `/dev/null` as
//! standard input, the handoff as descriptor 3, a socket as descriptor 4 if there is one, no other
//! descriptor, default signals, an empty mask.

use std::ffi::{CString, OsStr};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::signals::prepare_worker_signals;

/// Everything the child needs, made before the fork.
pub struct ChildPlan {
    program: CString,
    args: Vec<CString>,
    env: Vec<CString>,
    cwd: Option<CString>,
    /// Read by the child as descriptor 3.
    handoff: OwnedFd,
    /// The child's descriptor 4.
    socket: Option<OwnedFd>,
    /// Soft and hard alike.
    limits: Vec<(Resource, u64)>,
    /// What the child writes `0` into to be in its control groups.
    groups: Vec<OwnedFd>,
    oom_score_adj: Option<u16>,
}

/// Where a start failed, with the kernel's reason.
#[derive(Debug)]
pub struct ForkError {
    pub step: StartStep,
    pub error: io::Error,
}

/// The steps that can fail. The numbers travel from the child to the guard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum StartStep {
    Prepare = 0,
    Fork = 1,
    Group = 2,
    Limits = 3,
    Directory = 4,
    Descriptors = 5,
    Execute = 6,
    Cgroup = 7,
}

impl ChildPlan {
    /// Fails where a text holds a NUL byte.
    pub fn new<'a>(
        program: &OsStr,
        args: impl IntoIterator<Item = &'a OsStr>,
        env: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
        cwd: Option<&OsStr>,
        handoff: OwnedFd,
        limits: Vec<(Resource, u64)>,
    ) -> io::Result<ChildPlan> {
        let name = text(program.as_bytes())?;
        let mut all = vec![name.clone()];
        for arg in args {
            all.push(text(arg.as_bytes())?);
        }
        let mut pairs = Vec::new();
        for (key, value) in env {
            pairs.push(text([key.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        let cwd = cwd.map(|path| text(path.as_bytes())).transpose()?;
        Ok(ChildPlan {
            program: name,
            args: all,
            env: pairs,
            cwd,
            handoff,
            socket: None,
            limits,
            groups: Vec::new(),
            oom_score_adj: None,
        })
    }

    /// The child enters the groups of these files, and gets this score.
    #[must_use]
    pub fn with_kernel(self, groups: Vec<OwnedFd>, oom_score_adj: Option<u16>) -> ChildPlan {
        ChildPlan { groups, oom_score_adj, ..self }
    }

    /// The child gets `socket`, too.
    #[must_use]
    pub fn with_socket(self, socket: Option<OwnedFd>) -> ChildPlan {
        ChildPlan { socket, ..self }
    }
}

/// Starts the child and returns its id once it has become the new program. The caller reaps it,
/// also after an error, because a child that failed has ended but is not yet waited for.
#[expect(unsafe_code, reason = "fork")]
pub fn fork_exec(plan: &ChildPlan) -> Result<Pid, ForkError> {
    let at = |step| move |error: io::Error| ForkError { step, error };
    let flags = rustix::pipe::PipeFlags::CLOEXEC;
    let (report, told) =
        rustix::pipe::pipe_with(flags).map_err(|e| at(StartStep::Prepare)(e.into()))?;
    let parent = rustix::process::getpid();
    // SAFETY: the guard has a single thread, so the child's memory is in a consistent state.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        let failure = become_worker(plan, parent, &told);
        tell_and_leave(&told, &failure);
    }
    let pid = Pid::from_raw(forked.max(0))
        .ok_or_else(|| at(StartStep::Fork)(io::Error::last_os_error()))?;
    drop(told);
    // Both sides set the group: whoever is first, it stands before anyone signals it.
    let _ = rustix::process::setpgid(Some(pid), Some(pid));
    match read_failure(report) {
        None => Ok(pid),
        Some(failure) => Err(failure),
    }
}

/// Returns only if it fails.
fn become_worker(plan: &ChildPlan, parent: Pid, told: &OwnedFd) -> ForkError {
    let prepared = isolate(parent)
        .and_then(|()| join(plan))
        .and_then(|()| limit(plan))
        .and_then(|()| enter(plan));
    let told = match prepared.and_then(|()| arrange_descriptors(plan, told)) {
        Ok(told) => told,
        Err(failure) => return failure,
    };
    prepare_worker_signals();
    let failure = ForkError { step: StartStep::Execute, error: execute(plan) };
    // The first report pipe was closed with everything above descriptor 5; this one replaces it.
    tell_and_leave(&told, &failure)
}

fn isolate(parent: Pid) -> Result<(), ForkError> {
    let step = |error: rustix::io::Errno| ForkError { step: StartStep::Group, error: error.into() };
    rustix::process::setpgid(None, None).map_err(step)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(step)?;
    // The guard may have died before the kernel was told to watch it.
    if rustix::process::getppid() != Some(parent) {
        let error = io::Error::other("the guard has died");
        return Err(ForkError { step: StartStep::Group, error });
    }
    Ok(())
}

fn limit(plan: &ChildPlan) -> Result<(), ForkError> {
    for (resource, value) in &plan.limits {
        let limit = Rlimit { current: Some(*value), maximum: Some(*value) };
        rustix::process::setrlimit(*resource, limit)
            .map_err(|error| ForkError { step: StartStep::Limits, error: error.into() })?;
    }
    Ok(())
}

fn join(plan: &ChildPlan) -> Result<(), ForkError> {
    for group in &plan.groups {
        rustix::io::write(group, b"0")
            .map_err(|error| ForkError { step: StartStep::Cgroup, error: error.into() })?;
    }
    if let Some(score) = plan.oom_score_adj {
        raise_oom_score(std::process::id(), score);
    }
    Ok(())
}

fn enter(plan: &ChildPlan) -> Result<(), ForkError> {
    let Some(directory) = &plan.cwd else { return Ok(()) };
    rustix::process::chdir(directory.as_c_str())
        .map_err(|error| ForkError { step: StartStep::Directory, error: error.into() })
}

/// 0 is `/dev/null`, 1 and 2 stay, 3 is the handoff, 4 the socket, 5 the report until exec, and
/// nothing else is open.
fn arrange_descriptors(plan: &ChildPlan, told: &OwnedFd) -> Result<OwnedFd, ForkError> {
    let arrange = || -> io::Result<OwnedFd> {
        let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(&null)?;
        // Out of the way first: any may sit on 3, 4 or 5 already.
        let handoff = rustix::io::fcntl_dupfd_cloexec(&plan.handoff, ABOVE)?;
        let above = rustix::io::fcntl_dupfd_cloexec(told, ABOVE)?;
        let socket = match &plan.socket {
            Some(socket) => (rustix::io::fcntl_dupfd_cloexec(socket, ABOVE)?, 0),
            None => (rustix::io::fcntl_dupfd_cloexec(&null, ABOVE)?, libc::O_CLOEXEC),
        };
        place(handoff.as_raw_fd(), HANDOFF, 0)?;
        place(socket.0.as_raw_fd(), SOCKET, socket.1)?;
        let report = place_owned(&above, REPORT)?;
        close_from(REPORT + 1)?;
        // They are closed by now, or replaced: their numbers must not be closed again.
        std::mem::forget((null, handoff, above, socket));
        Ok(report)
    };
    arrange().map_err(|error| ForkError { step: StartStep::Descriptors, error })
}

#[expect(unsafe_code, reason = "dup3 to a chosen number")]
fn place(from: RawFd, to: RawFd, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: `from` is open; whatever was at `to` in this child is given up on purpose.
    match unsafe { libc::dup3(from, to, flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[expect(unsafe_code, reason = "takes a descriptor by its number")]
fn place_owned(from: &OwnedFd, to: RawFd) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    place(from.as_fd().as_raw_fd(), to, libc::O_CLOEXEC)?;
    // SAFETY: `to` was filled a line above and belongs to nobody else in this child.
    Ok(unsafe { OwnedFd::from_raw_fd(to) })
}

/// Closes what the guard inherited beside the three standard streams: a host may have opened
/// descriptors without the close-on-exec flag. To be called before the program opens any of its
/// own.
pub fn close_inherited_descriptors() -> io::Result<()> {
    close_from(HANDOFF)
}

/// For a guard that was started by a template: its descriptors 3 and 4. Closes all others, as
/// `close_inherited_descriptors` does.
#[expect(unsafe_code, reason = "takes descriptors by their numbers")]
pub fn take_inherited_descriptors() -> io::Result<(OwnedFd, OwnedFd)> {
    use std::os::fd::FromRawFd;
    close_from(REPORT)?;
    for number in [HANDOFF, SOCKET] {
        // SAFETY: it only asks whether the descriptor is open.
        if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: both are open, and nobody else in this program knows of them yet.
    Ok(unsafe { (OwnedFd::from_raw_fd(HANDOFF), OwnedFd::from_raw_fd(SOCKET)) })
}

/// Makes `pid` so much more likely to be killed when memory runs out, unless it is more likely
/// already. Raising needs no right, so it fails only where there is no `/proc`.
pub fn raise_oom_score(pid: u32, score: u16) {
    let file = format!("/proc/{pid}/oom_score_adj");
    let now = std::fs::read_to_string(&file).ok();
    let now: Option<i32> = now.and_then(|text| text.trim().parse().ok());
    if now.is_some_and(|now| now < i32::from(score)) {
        let _ = std::fs::write(file, score.to_string());
    }
}

#[expect(unsafe_code, reason = "close_range")]
fn close_from(first: RawFd) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).unwrap_or(0);
    // SAFETY: descriptors that Rust objects still own are forgotten by the caller or not open yet.
    match unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[expect(unsafe_code, reason = "execve")]
fn execute(plan: &ChildPlan) -> io::Error {
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (args, env) = (pointers(&plan.args), pointers(&plan.env));
    // SAFETY: all three are NUL-terminated texts in NULL-terminated arrays that outlive the call.
    unsafe { libc::execve(plan.program.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

#[expect(unsafe_code, reason = "_exit")]
fn tell_and_leave(told: &OwnedFd, failure: &ForkError) -> ! {
    let errno = failure.error.raw_os_error().unwrap_or(libc::EIO);
    let mut bytes = [failure.step as u8; REPORT_BYTES];
    for (to, from) in bytes.iter_mut().skip(1).zip(errno.to_ne_bytes()) {
        *to = from;
    }
    let _ = rustix::io::write(told, &bytes);
    // SAFETY: ends the child without running anything that belongs to the guard.
    unsafe { libc::_exit(FAILED_START) }
}

fn read_failure(report: OwnedFd) -> Option<ForkError> {
    let mut bytes = [0; REPORT_BYTES];
    std::fs::File::from(report).read_exact(&mut bytes).ok()?;
    let [step, errno @ ..] = bytes;
    let step = STEPS.into_iter().find(|known| *known as u8 == step).unwrap_or(StartStep::Prepare);
    Some(ForkError { step, error: io::Error::from_raw_os_error(i32::from_ne_bytes(errno)) })
}

fn text(bytes: impl Into<Vec<u8>>) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

const STEPS: [StartStep; 8] = [
    StartStep::Prepare,
    StartStep::Fork,
    StartStep::Group,
    StartStep::Limits,
    StartStep::Directory,
    StartStep::Descriptors,
    StartStep::Execute,
    StartStep::Cgroup,
];

/// The descriptor that a worker reads its handoff from.
const HANDOFF: RawFd = 3;
const SOCKET: RawFd = 4;
const REPORT: RawFd = 5;
const ABOVE: RawFd = 6;
/// A step and an errno.
const REPORT_BYTES: usize = 5;
/// What shells use for a program that cannot be run; nobody reads it, the report says more.
const FAILED_START: i32 = 127;
