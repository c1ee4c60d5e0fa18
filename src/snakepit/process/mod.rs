//! One guarded process, seen from the host: start it, hear of it, give it orders, read what it
//! prints.

mod guarded;
mod output;

pub use guarded::{Guarded, launch};
pub use output::{Listener, Output, Tail};
