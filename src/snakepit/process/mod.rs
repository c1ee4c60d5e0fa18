//! One guarded process, seen from the host: tell it what to start, hear of it, give it orders, read
//! what it prints.

mod guarded;
mod output;

pub use guarded::Guarded;
pub use output::{Listener, Output, Tail};
