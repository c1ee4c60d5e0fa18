//! How much it matters that the calls of one session are served by the same worker.

use serde::{Deserialize, Serialize};

/// From "not at all" to "nowhere else". The first call takes any worker of its pool, which becomes
/// the session's home there.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Affinity {
    /// Any worker serves any call.
    #[default]
    None,
    /// At home if there is room, else anywhere.
    Hint,
    /// At home only; a call waits for it.
    StrictQueue,
    /// At home only; a call is refused while it is busy.
    StrictFailFast,
}

impl Affinity {
    /// Whether no other worker than the home will do.
    pub const fn is_strict(self) -> bool {
        matches!(self, Affinity::StrictQueue | Affinity::StrictFailFast)
    }

    /// The name that the configuration and the statistics use.
    pub const fn name(self) -> &'static str {
        match self {
            Affinity::None => "none",
            Affinity::Hint => "hint",
            Affinity::StrictQueue => "strict_queue",
            Affinity::StrictFailFast => "strict_fail_fast",
        }
    }
}
