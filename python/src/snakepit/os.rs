//! Those wrappers of the kernel's calls that `shared_memory` needs, mounted from the platform's
//! sources.

#[path = "../../../src/snakepit/os/fork_marker.rs"]
mod fork_marker;
#[path = "../../../src/snakepit/os/memory_region.rs"]
mod memory_region;

pub use fork_marker::{arm_fork_marker, is_forked_child};
pub use memory_region::{BorrowedRegion, OwnedRegion};
