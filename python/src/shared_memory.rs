//! The platform's own code for shared memory, mounted from its sources: both ends of a connection
//! run the same.
//!
//! Only the pool differs: the platform has one for its process, this side has one for its link.

#[path = "../../src/shared_memory/borrower.rs"]
mod borrower;
#[path = "../../src/shared_memory/lane.rs"]
mod lane;
#[path = "../../src/shared_memory/lender.rs"]
mod lender;
#[path = "../../src/shared_memory/notes.rs"]
mod notes;
#[path = "../../src/transport/shared_payload.rs"]
pub mod payload;
#[path = "../../src/shared_memory/pieces.rs"]
pub mod pieces;
#[path = "../../src/shared_memory/pool.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "the platform uses what this side does not"))]
mod pool;
#[path = "../../src/shared_memory/region.rs"]
mod region;

pub use borrower::{Borrower, Fault};
pub use lane::Lane;
pub use lender::{Lender, Place};
pub use notes::Notes;
pub use pool::{Pool, PoolLimits};
