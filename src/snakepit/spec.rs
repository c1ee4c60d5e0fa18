//! What a worker process is: a program with its arguments, its whole environment, a secret and its
//! limits.
//!
//! Data only. It travels from the host to the guard, the secret apart from the rest.

use std::ffi::OsString;
use std::path::PathBuf;

/// One process to start. Nothing of the host's own environment, descriptors or signals is added to
/// it.
#[derive(Clone, serde::Deserialize, serde::Serialize)]
pub struct ProcessSpec {
    /// An absolute path; no search path is consulted.
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// `None` is the host's directory at the time of the start.
    pub cwd: Option<PathBuf>,
    /// Read by the process from its inherited descriptor 3, to the end. Never on a command line, in
    /// an environment or in a log.
    #[serde(skip)]
    pub handoff: Vec<u8>,
    pub limits: ResourceLimits,
}

/// Kernel limits of the process, soft and hard alike; `None` leaves what the host has.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct ResourceLimits {
    /// Largest core file; 0 means none.
    pub core_bytes: Option<u64>,
    /// Open descriptors.
    pub open_files: Option<u64>,
    /// Address space.
    pub memory_bytes: Option<u64>,
    /// Processes and threads of the user, all programs of that user together.
    pub processes: Option<u64>,
    /// How much more likely than others the kernel is to kill it when memory runs out, from 0 to
    /// 1000; a host that is above it already hands on its own.
    pub oom_score_adj: Option<u16>,
    /// A control group of its own, for the whole tree.
    pub cgroup: Option<CgroupLimits>,
}

/// Limits of a worker with everything it has started, as control groups have them; `None` leaves
/// what the host's own group has.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct CgroupLimits {
    /// Memory, after which the kernel kills.
    pub memory_bytes: Option<u64>,
    /// Processes and threads, after which a fork fails.
    pub processes: Option<u64>,
    /// Time on processors; 100 is one of them.
    pub cpu_percent: Option<u32>,
    /// Where no group can be made, the start fails. Otherwise the worker runs without it, and its
    /// standard error says so.
    pub required: bool,
}

impl std::fmt::Debug for ProcessSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments and values may be secrets of the caller: only how many there are.
        f.debug_struct("ProcessSpec")
            .field("program", &self.program)
            .field("args_count", &self.args.len())
            .field("env_count", &self.env.len())
            .field("cwd", &self.cwd)
            .field("handoff_bytes", &self.handoff.len())
            .field("limits", &self.limits)
            .finish()
    }
}
