//! Sessions: who is open on this host, since when, until when. No tasks: the platform opens them in
//! the store, its tick asks which are due, and whoever ends one ends what belongs to it. Tools and
//! operations are not known here, variables only as they travel in an archive.

pub mod registry;
pub mod session;

pub mod archive;
pub mod end;

pub use archive::Archive;
pub use end::SessionEnd;
pub use registry::{Admitted, OpenSession, Place, Sessions};
pub use session::{Session, SessionHold};
