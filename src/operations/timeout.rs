//! How long a caller wants to wait, in the three ways it can be said.

use std::time::Duration;

use crate::core::Deadline;

/// A caller's wish; the configuration gives the default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Timeout {
    #[default]
    Default,
    Never,
    After(Duration),
}

impl Timeout {
    /// The moment it stands for, from now.
    pub fn deadline(self, default: Duration) -> Deadline {
        match self {
            Timeout::Default => Deadline::after(default),
            Timeout::Never => Deadline::NEVER,
            Timeout::After(time) => Deadline::after(time),
        }
    }
}
