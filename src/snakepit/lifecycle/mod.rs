//! The pool's decisions as pure state machines: no time, no process, no lock. What they decide is
//! done elsewhere.

mod pool;
mod slot;
mod worker;

pub use pool::{Phase, PoolEvent};
pub use slot::{Ending, SlotEvent, SlotState};
pub use worker::{Effect, Event, Grace, Manner, WorkerState};
