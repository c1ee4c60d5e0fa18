//! The ways of starting guards; see `Backend`.

mod forkserver;
mod setsid;

pub use forkserver::{Forkserver, TemplateConfig};
pub use setsid::Setsid;
