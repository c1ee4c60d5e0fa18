//! The ways of starting guards; see `Backend`.

mod setsid;

pub use setsid::Setsid;
