//! What host and template say to each other: one JSON document per message.

use std::path::Path;

/// From the host: start a guard with a worker. With it come the guard's standard input, output and
/// error, and the host's own process.
#[derive(Debug, serde::Serialize)]
pub struct Request<'a> {
    pub id: u64,
    /// The guard program, to be executed as `guard --adopt PID LABELS…` without an environment.
    /// Descriptor 3 is its end of the pair that the worker waits at, 4 the host's process.
    pub guard: &'a Path,
    pub labels: [&'a str; 2],
}

/// From the template.
#[derive(Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Everything is prepared. The first.
    Ready,
    /// With it comes a descriptor of the guard's process, which has the worker already, or is about
    /// to.
    Forked { id: u64, pid: u32 },
    /// Nothing was forked. The text is a lower-case fragment.
    Refused { id: u64, error: String },
}
