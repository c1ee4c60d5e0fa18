//! The variables of sessions: typed, constrained, versioned, on a store that can be exchanged.
//!
//! `Variables` is what the rest of the platform uses. Below it stands `Backend`, the one seam that
//! a store implements, and beside it the rules a value must keep, which are pure. A store knows
//! nothing of workers, calls or the wire; whether a session exists is not known here either.

pub mod variables;
pub mod watch;

pub mod rule;
pub mod update;
pub mod variable;
pub mod variable_type;

pub mod backend;
pub mod change;
pub mod conformance;
pub mod key;
pub mod memory;
pub mod model;
pub mod pending;
pub mod quota;
pub mod record;
pub mod redis;
pub mod sqlite;

pub mod fault;
pub mod name;

mod constraints;
mod elements;
mod number;
mod scalars;
mod tensor_limits;

pub use self::redis::{RedisOptions, RedisStore};
pub use backend::{
    Access, Backend, Command, Measure, NewVariable, Reply, SessionCommand, SessionReply,
    StoreLimits, Write,
};
pub use change::{Change, ChangeKind, ChangeSink, SessionLoss};
pub use key::{SessionAbout, SessionKey, SessionRow, whole_millis};
pub use memory::MemoryStore;
pub use name::NamePattern;
pub use pending::Pending;
pub use rule::Rule;
pub use sqlite::SqliteStore;
pub use update::Update;
pub use variable::{Definition, Lock, Past, RegisterVariable, SavedVariable, Variable};
pub use variable_type::VariableType;
pub use variables::Variables;
pub use watch::{
    Listener, Listening, Missed, Watch, WatchEnd, WatchEvent, WatchObserver, WatchOptions,
    WatchPatterns, WatchQueue, Watcher, Watches,
};
