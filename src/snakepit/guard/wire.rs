//! What host and guard say to each other: one JSON document per frame. The host begins with a
//! `ProcessSpec` and then the handoff's raw bytes, each in a frame of its own; from then on it
//! sends orders, and the guard reports.

/// From the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Send this signal to the worker's process group.
    Signal(i32),
    /// Have the worker itself print where it stands and die: ABRT, and CONT for one that is
    /// stopped. What it started is left alone.
    Abort,
    /// End the whole tree now.
    Kill,
}

/// From the guard.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The program runs, under this process id.
    Started { pid: u32 },
    /// There is no process. `error` names the step and the kernel's reason.
    SpawnFailed { error: String },
    /// The worker has ended and its whole tree is gone. The last report.
    /// `oom_kill`: the out-of-memory killer has killed in the worker's own control group.
    Exited {
        outcome: Outcome,
        #[serde(default)]
        oom_kill: bool,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Code(i32),
    Signal { number: i32, core: bool },
}
