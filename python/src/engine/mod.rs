//! The link itself, without Python: one connection, its thread, and everything that travels on it.
//!
//! All shared state is one plain struct behind one lock ([`state`]); the rules that change it are
//! ordinary functions which a test can call. Waiting, waking and the network are around it. Nothing
//! in here may name pyo3: bytes that belong to Python arrive as opaque [`bytes::Bytes`].

pub mod asking;
pub mod cache;
pub mod calls;
pub mod dial;
#[path = "../../../src/transport/drive.rs"]
#[expect(dead_code, reason = "only the platform has threads that send to what others drive")]
pub mod drive;
pub mod outbox;
pub mod receive;
pub mod requests;
#[path = "../../../src/transport/seat.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "a link does not wait for its guest"))]
pub mod seat;
pub mod sending;
pub mod settle;
pub mod shared;
pub mod sharing;
pub mod signals;
#[path = "../../../src/transport/spin.rs"]
pub mod spin;
pub mod state;
pub mod thread;

pub use dial::Dial;
pub use requests::Item;
pub use shared::{Attempt, Shared};
pub use state::{Incoming, Refusal};
