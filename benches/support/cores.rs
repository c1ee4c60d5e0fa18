//! Which cores a host and its workers run on. Where the kernel puts both on one core a call takes a
//! third of what it takes across two, and it does so for some programs, some of the time. What is
//! to be compared is therefore kept apart, as the two ends of a bare ping-pong are.
//!
//! It must not know what is measured.

use std::fs::{read_dir, read_to_string};
use std::path::Path;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

use crate::program::Program;

/// For the notes of rows that were measured so.
pub const APART: &str = "host and worker each bound to its own core";

/// Binds a host's threads to one core and what its guards have started to another, or lets all of
/// them run anywhere again. Where there is one core only, they run there in any case.
pub fn place(host: &Program, is_apart: bool) {
    let all = own();
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).map(only);
    match (cores.next(), cores.next()) {
        (Some(host_core), Some(worker_core)) if is_apart => {
            bind(host.pid(), &host_core, &worker_core);
        }
        _ => bind(host.pid(), &all, &all),
    }
}

fn own() -> CpuSet {
    sched_getaffinity(None).expect("the cores of this process")
}

fn only(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}

/// Processes and threads that end meanwhile need no core.
fn bind(process: u32, cores: &CpuSet, workers_cores: &CpuSet) {
    let process = format!("/proc/{process}");
    let process = Path::new(&process);
    let is_guard = read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == GUARD);
    let children_cores = if is_guard { workers_cores } else { cores };
    for task in read_dir(process.join("task")).into_iter().flatten().flatten() {
        let id = task.file_name().to_str().and_then(|id| Pid::from_raw(id.parse().ok()?));
        let _ = sched_setaffinity(id, cores);
        let children = read_to_string(task.path().join("children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        children.for_each(|child| bind(child, children_cores, workers_cores));
    }
}

const GUARD: &str = "snakepit-guard";
