//! Sessions: who is open, since when, until when. No I/O, no tasks: the platform's tick asks which
//! are due, and whoever closes one ends what belongs to it. Variables, tools and operations are not
//! known here.

pub mod registry;
pub mod session;

pub use registry::{OpenSession, Sessions};
pub use session::{Session, SessionHold};
