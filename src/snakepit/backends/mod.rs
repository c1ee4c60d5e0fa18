//! The ways of starting guards; see `Backend`.

mod forkserver;
mod setsid;
mod systemd;

pub use forkserver::{Forkserver, TemplateConfig};
pub use setsid::Setsid;
pub use systemd::{ServiceLimits, Systemd};
