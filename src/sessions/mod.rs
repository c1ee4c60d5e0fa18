//! Sessions: who is open on this host, since when, until when. No I/O, no tasks: the platform opens
//! them in the store, its tick asks which are due, and whoever ends one ends what belongs to it.
//! Variables, tools and operations are not known here.

pub mod registry;
pub mod session;

pub mod end;

pub use end::SessionEnd;
pub use registry::{Admitted, OpenSession, Place, Sessions};
pub use session::{Session, SessionHold};
