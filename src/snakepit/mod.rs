//! A generic pool of worker processes: keeps N of them alive, hands out their capacity, leaves
//! nothing behind.
//!
//! It knows processes and nothing else: not what they run, how they are spoken to or what the work
//! is. All of that comes in through `Adapter`, all numbers through `PoolConfig`, and the way that
//! processes are started through `Backend`. It names no other module of this crate, so that it
//! compiles mounted on its own. `unsafe` is in `os` only.

mod adapter;
mod backend;
mod config;
mod error;
mod exit;
mod ids;
mod journey;
mod spec;
mod stats;

mod pool;

mod admission;
mod backoff;
mod chance;
mod ending;
mod expectation;
mod fleet;
mod lease;
mod lifecycle;
mod moment;
mod recycling;
mod replacing;
mod shared;
mod sizing;
mod slot;
mod standing;
mod steward;
mod worker;

mod backends;
mod find_guard;
pub mod guard;
pub mod os;
mod process;
mod registry;

pub use adapter::{Adapter, OutputStream};
pub use admission::{Affinity, Claim, Group, Home};
pub use backend::Backend;
pub use backends::{Forkserver, ServiceLimits, Setsid, Systemd, TemplateConfig};
pub use chance::chance;
pub use config::PoolConfig;
pub use error::{Failure, PoolError, StartFailure};
pub use exit::{Cause, Exit, ExitKind, Verdict};
pub use find_guard::find_guard;
pub use ids::WorkerId;
pub use journey::{Journey, Step};
pub use lease::Lease;
pub use lifecycle::{Manner, WorkerState};
pub use pool::Pool;
pub use recycling::Terms;
pub use registry::Instance;
pub use spec::{CgroupLimits, ProcessSpec, ResourceLimits};
pub use stats::{PoolState, PoolStats, WorkerRow};
