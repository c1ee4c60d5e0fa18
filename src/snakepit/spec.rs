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
