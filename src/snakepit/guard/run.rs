//! The guard's life: take the spec, start the worker, wait for orders or for an end, leave nothing
//! behind.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use rustix::fs::{MemfdFlags, OFlags, memfd_create};
use rustix::process::{Pid, Resource, Signal, getppid, kill_process, kill_process_group, setpgid};

use super::super::os::{self, ChildPlan};
use super::super::spec::{ProcessSpec, ResourceLimits};
use super::adopt;
use super::group::Group;
use super::host_link::HostLink;
use super::mode::Mode;
use super::tree::{self, Spared};
use super::wire::{Order, Report};

/// The whole program. It ends when the worker's tree is gone.
pub fn run() -> ExitCode {
    let host = getppid();
    os::prepare_guard_signals();
    match Mode::parse(std::env::args_os()).and_then(|mode| serve(host, mode)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("snakepit-guard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(host: Option<Pid>, mode: Mode) -> io::Result<()> {
    let inherited = match mode {
        Mode::Adopt(_) => Some(os::take_inherited_descriptors()?),
        Mode::Execute | Mode::Service | Mode::Template => {
            os::close_inherited_descriptors().map(|()| None)?
        }
    };
    // It fails for a leader of its own terminal group, who has a group of its own already.
    let _ = setpgid(None, None);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let wake = os::child_signals()?;
    match (mode, inherited) {
        (Mode::Adopt(worker), Some((go, process))) => {
            adopt::serve(&mut HostLink::watching(process)?, worker, go, &wake)
        }
        (Mode::Service, _) => execute(&mut HostLink::greeted()?, &wake, Spared::Nobody),
        (Mode::Template, _) => execute(&mut HostLink::new(host)?, &wake, Spared::Guards),
        _ => execute(&mut HostLink::new(host)?, &wake, Spared::Nobody),
    }
}

/// Starts the worker as the host says, and guards it.
fn execute(link: &mut HostLink, wake: &OwnedFd, spared: Spared) -> io::Result<()> {
    let socket = match spared {
        Spared::Guards => Some(link.receive_descriptor(wake)?),
        Spared::Nobody => None,
    };
    let (spec, handoff) = link.read_spec(wake)?;
    // What a template forks is no part of one worker's group.
    let group = match spared {
        Spared::Guards => Ok(None),
        Spared::Nobody => Group::make(&spec.limits),
    };
    let started = group.and_then(|group| {
        let worker = start(&spec, &handoff, socket, group.as_ref())?;
        Ok((worker, group))
    });
    match started {
        Ok((worker, group)) => {
            drop((spec, handoff));
            guard(link, worker, wake, spared, group)
        }
        Err(error) => link.report(&Report::SpawnFailed { error }),
    }
}

/// From the worker's start to the end of its tree.
pub(super) fn guard(
    link: &mut HostLink,
    worker: Pid,
    wake: &OwnedFd,
    spared: Spared,
    group: Option<Group>,
) -> io::Result<()> {
    let pid = u32::try_from(worker.as_raw_nonzero().get()).unwrap_or(0);
    // Whatever goes wrong from here on, the tree goes first.
    let told = release_output().and_then(|()| link.report(&Report::Started { pid }));
    let waited = told.and_then(|()| wait(link, worker, wake));
    if let Some(group) = &group {
        group.kill();
    }
    let outcome = tree::end_all(worker, wake, spared);
    let oom_kill = group.as_ref().is_some_and(Group::has_oom_kills);
    drop(group);
    waited?;
    match outcome {
        Some(outcome) => link.report(&Report::Exited { outcome, oom_kill }),
        None => Ok(()),
    }
}

/// Returns when the worker has ended, the host is gone, or the host wants it to end.
fn wait(link: &mut HostLink, worker: Pid, wake: &OwnedFd) -> io::Result<()> {
    // An order may have come along with the spec: what has been read is obeyed before anything is
    // waited for.
    while obey(link, worker)? {
        let happened = link.poll(wake)?;
        if happened.child {
            drain(wake);
            tree::reap_orphans(worker);
            if tree::peek(worker).is_some() {
                return Ok(());
            }
        }
        if happened.host_gone || happened.order && !link.read_more()? {
            return Ok(());
        }
    }
    Ok(())
}

/// Does what the host has asked; false if that is the end.
fn obey(link: &mut HostLink, worker: Pid) -> io::Result<bool> {
    while let Some(frame) = link.next_frame()? {
        match serde_json::from_slice(&frame)? {
            Order::Kill => return Ok(false),
            Order::Abort => {
                // In this order: a stopped process finds ABRT waiting when it goes on.
                let _ = kill_process(worker, Signal::ABORT);
                let _ = kill_process(worker, Signal::CONT);
            }
            Order::Signal(number) => {
                if let Some(signal) = Signal::from_named_raw(number) {
                    let _ = kill_process_group(worker, signal);
                }
            }
        }
    }
    Ok(true)
}

/// The worker's process id, or what failed in words.
fn start(
    spec: &ProcessSpec,
    handoff: &[u8],
    socket: Option<OwnedFd>,
    group: Option<&Group>,
) -> Result<Pid, String> {
    let said = |step: &str, error: &dyn std::fmt::Display| {
        format!("{step} {:?}: {error}", spec.program.display().to_string())
    };
    let handoff = memory_file("handoff", handoff).map_err(|error| said("handoff for", &error))?;
    let doors = group.map(Group::doors).transpose().map_err(|error| said("cgroup for", &error))?;
    let plan = ChildPlan::new(
        spec.program.as_os_str(),
        spec.args.iter().map(AsRef::as_ref),
        spec.env.iter().map(|(key, value)| (key.as_ref(), value.as_ref())),
        spec.cwd.as_ref().map(AsRef::as_ref),
        handoff,
        resources(&spec.limits),
    )
    .map_err(|error| said("a NUL byte in the description of", &error))?
    .with_kernel(doors.unwrap_or_default(), spec.limits.oom_score_adj)
    .with_socket(socket);
    os::fork_exec(&plan).map_err(|failure| match failure.step {
        os::StartStep::Execute => said("execute", &failure.error),
        os::StartStep::Directory => {
            let directory = spec.cwd.as_deref().map(|path| path.as_os_str().as_bytes());
            let directory = String::from_utf8_lossy(directory.unwrap_or_default()).into_owned();
            format!("enter directory {directory:?}: {}", failure.error)
        }
        step => said(&format!("{step:?} for").to_lowercase(), &failure.error),
    })
}

/// A file without a place, for whoever is given its descriptor.
pub(super) fn memory_file(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    let mut file = std::fs::File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

pub(super) fn resources(limits: &ResourceLimits) -> Vec<(Resource, u64)> {
    let named = [
        (Resource::Core, limits.core_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::As, limits.memory_bytes),
        (Resource::Nproc, limits.processes),
    ];
    named.into_iter().filter_map(|(resource, value)| value.map(|value| (resource, value))).collect()
}

/// The worker has its own copies of the output pipes. Without ours, the host sees their end when
/// the tree is gone.
fn release_output() -> io::Result<()> {
    let null =
        rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Empties the signal descriptor, which holds at most one entry per signal.
pub(super) fn drain(wake: &OwnedFd) {
    let mut bytes = [0_u8; 1024];
    while matches!(rustix::io::read(wake, &mut bytes), Ok(count) if count > 0) {}
}
