//! The name of one worker.

/// One life of one slot: the next worker in the same slot has a higher generation, and is a
/// different worker.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
pub struct WorkerId {
    pub slot: u32,
    pub generation: u64,
}

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}
