//! What a watcher of variables is told, and what it may ask for. Plain data: how it is kept in
//! order is `queue`'s business, and who is told is the hub's.

use crate::core::limits::{WATCH_PATTERNS_MAX, WATCH_QUEUE_LIMIT, WATCH_QUEUE_MAX};
use crate::core::{Error, Result, Status};
use crate::state::change::{Change, SessionLoss};
use crate::state::name::NamePattern;
use crate::state::variable::Variable;

/// How a watcher wants to be told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WatchOptions {
    /// Of several changes of one variable that wait, only the newest is told.
    pub coalesce: bool,
    /// Changes that may wait; what comes on top is missed. 0: `WATCH_QUEUE_MAX`.
    pub queue_max: usize,
    /// First every variable there is, then the changes.
    pub initial: bool,
}

/// Which variables are meant: any of several patterns.
#[derive(Clone, Debug)]
pub struct WatchPatterns(Vec<NamePattern>);

/// One thing that a watcher is told.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// A variable as it was when the watch began.
    Initial(Variable),
    Change(Change),
    /// Changes were not kept for this watcher, because too many waited, or because a shared store
    /// lost sight of them. Whoever needs the current state reads it now.
    Missed(Missed),
    /// The last event, exactly once.
    End(WatchEnd),
}

/// Changes that a watcher is not told one by one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Missed {
    /// How many; 0: nobody knows.
    pub count: u64,
    /// The revisions of the first and of the last of them, as far as they are known, else 0.
    pub from_revision: u64,
    pub to_revision: u64,
}

/// Why nothing more will be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WatchEnd {
    /// The watcher wanted it.
    Stopped,
    /// The session was closed, or unused for its time.
    SessionClosed,
    /// The session is over, and not by this host.
    SessionLost(SessionLoss),
    PlatformClosed,
}

impl WatchOptions {
    /// How many changes may wait.
    pub fn checked_queue_max(&self) -> Result<usize> {
        match self.queue_max {
            0 => Ok(WATCH_QUEUE_MAX),
            given if given <= WATCH_QUEUE_LIMIT => Ok(given),
            given => {
                let message =
                    format!("watch queue of {given}, expected at most {WATCH_QUEUE_LIMIT}");
                Err(Error::invalid(message).with("field", "queue_max"))
            }
        }
    }
}

impl WatchPatterns {
    /// Patterns with `*` and `?`; none at all mean every variable.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let patterns = patterns.into_iter().map(NamePattern::new).collect::<Result<Vec<_>>>()?;
        let given = patterns.len();
        if given <= WATCH_PATTERNS_MAX {
            return Ok(WatchPatterns(patterns));
        }
        let message = format!("watch has {given} patterns, the limit is {WATCH_PATTERNS_MAX}");
        Err(Error::invalid(message).with("field", "patterns"))
    }

    pub fn matches(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(name))
    }
}

impl WatchEnd {
    /// The same as an error, for those who are told of an end that way.
    pub fn error(self) -> Error {
        match self {
            WatchEnd::Stopped => Error::new(Status::Cancelled, "the watch was stopped"),
            WatchEnd::SessionClosed => {
                Error::new(Status::Closed, "the session was closed, and the watch ended with it")
            }
            WatchEnd::SessionLost(SessionLoss::Ended) => {
                Error::new(Status::Closed, "the session has ended on another host")
            }
            WatchEnd::SessionLost(SessionLoss::LeaseLost) => {
                let message =
                    "this host's lease on the store ran out: the session may have changed";
                Error::new(Status::LeaseLost, message)
            }
            WatchEnd::PlatformClosed => {
                Error::new(Status::Closed, "the platform is closing, and the watch ended with it")
            }
        }
    }
}
