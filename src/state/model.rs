//! A store reduced to its promise: what a backend must answer to any sequence of steps, and what it
//! must tell those who watch, worked out with plain maps and integers. Tests make random numbers,
//! which stand for steps; each is taken by a real store and by this one, and both must agree.
//!
//! Test support; the platform does not use it, and no store is known here.

mod datum;
mod outcome;
mod play;
mod reference;
mod step;

pub use play::check;
pub use step::{Clock, Step};

use super::backend::StoreLimits;

/// What the store under test is to be made with: so little that random steps meet every limit.
pub const LIMITS: StoreLimits =
    StoreLimits { variables_max: 4, bytes_max: 240, history_max: 3, history_bytes_max: 24 };
