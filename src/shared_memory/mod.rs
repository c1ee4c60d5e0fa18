//! Large content that several processes look at without copying it: regions of memory, passed by
//! descriptor and used again.
//!
//! `process` is the host's own pool of regions, `pool` and `region` what any such pool does,
//! `lender` and `borrower` the two sides of a connection, `lane` how descriptors travel, `notes`
//! what the two tell each other. The worker's extension module mounts all files but the first: both
//! ends run the same code. Knows nothing of messages, values, tensors or workers.

mod process;

mod borrower;
mod lane;
mod lender;
mod notes;
mod pieces;
mod pool;
mod region;

pub use borrower::{Borrower, Fault};
pub use lane::{Lane, Record};
pub use lender::{Lender, Place};
pub use notes::Notes;
pub use pool::{Party, Pool, PoolLimits, PoolStats};
pub use process::{bytes_of, is_large, placed, pool};
pub use region::{Blank, Lease};
