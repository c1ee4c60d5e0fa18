//! One worker's life: starts its process, listens to everything that can happen to it, does what
//! the state machine decides, and accounts for its end.
//!
//! Everything runs in the slot's task; a life that is dropped takes its process along, through the
//! guard.

mod life;

mod ear;
mod events;
mod health;
mod memory;
mod oom;
mod spawning;
mod verdict;

pub use life::{Ended, live};
