//! Makes a forked child of ours the worker: sets its limits and its group, hands it what it is
//! told, and lets it go.
//!
//! The child waits on its end of a socket pair. It gets one message there: the working directory
//! (empty: as it is), with two descriptors, the handoff and the whole environment as `NAME=value`
//! texts, each ended by a zero byte. Descriptors, because a child that is stopped must not keep
//! the guard from its other duties.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::process::{Pid, Rlimit, prlimit, setpgid};

use super::super::os;
use super::super::spec::ProcessSpec;
use super::group::Group;
use super::host_link::HostLink;
use super::run::{guard, memory_file, resources};
use super::tree::{self, Spared};
use super::wire::Report;

/// Guards `worker`, which waits at the other end of `go`.
pub(super) fn serve(
    link: &mut HostLink,
    worker: Pid,
    go: OwnedFd,
    wake: &OwnedFd,
) -> io::Result<()> {
    // It does the same itself; whoever is first, the group stands before anyone signals it.
    let _ = setpgid(Some(worker), Some(worker));
    let adopted = link.read_spec(wake).map(|(spec, handoff)| {
        let group = Group::make(&spec.limits)?;
        adopt(worker, &go, &spec, &handoff, group.as_ref()).map(|()| group)
    });
    drop(go);
    match adopted {
        Ok(Ok(group)) => guard(link, worker, wake, Spared::Nobody, group),
        Ok(Err(error)) => {
            tree::end_all(worker, wake, Spared::Nobody);
            link.report(&Report::SpawnFailed { error })
        }
        Err(error) => {
            tree::end_all(worker, wake, Spared::Nobody);
            Err(error)
        }
    }
}

/// Lets `worker` go; what failed in words.
fn adopt(
    worker: Pid,
    go: &OwnedFd,
    spec: &ProcessSpec,
    handoff: &[u8],
    group: Option<&Group>,
) -> Result<(), String> {
    let said =
        |step: &'static str| move |error: io::Error| format!("{step} a forked worker: {error}");
    let pid = u32::try_from(worker.as_raw_nonzero().get()).unwrap_or(0);
    group.map_or(Ok(()), |group| group.adopt(pid))?;
    if let Some(score) = spec.limits.oom_score_adj {
        os::raise_oom_score(pid, score);
    }
    for (resource, value) in resources(&spec.limits) {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        prlimit(Some(worker), resource, limit).map_err(|error| said("limits for")(error.into()))?;
    }
    let handoff = memory_file("handoff", handoff).map_err(said("handoff for"))?;
    let environment = memory_file("environment", &environment(spec));
    let environment = environment.map_err(said("environment for"))?;
    let directory = spec.cwd.as_ref().map(|path| path.as_os_str().as_bytes());
    // Its first byte says that there is a message at all.
    let message = [b"\n", directory.unwrap_or_default()].concat();
    os::send_message(go, &message, &[handoff.as_fd(), environment.as_fd()])
        .map_err(said("descriptors for"))
}

fn environment(spec: &ProcessSpec) -> Vec<u8> {
    let mut texts = Vec::new();
    for (name, value) in &spec.env {
        texts.extend_from_slice(name.as_bytes());
        texts.push(b'=');
        texts.extend_from_slice(value.as_bytes());
        texts.push(0);
    }
    texts
}
