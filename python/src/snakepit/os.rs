//! Those wrappers of the kernel's calls that `shared_memory` and a template need, mounted from the
//! platform's sources.

#[path = "../../../src/snakepit/os/divide.rs"]
mod divide;
#[path = "../../../src/snakepit/os/fork_marker.rs"]
mod fork_marker;
#[cfg(target_arch = "x86_64")]
#[path = "../../../src/snakepit/os/kernel_area.rs"]
mod kernel_area;
#[path = "../../../src/snakepit/os/memory_region.rs"]
mod memory_region;
#[path = "../../../src/snakepit/os/message.rs"]
#[expect(dead_code, reason = "only the platform and its guards send messages")]
mod message;

pub use divide::{Divided, GuardCommand, divide};
pub use fork_marker::{arm_fork_marker, is_forked_child};
pub use memory_region::{BorrowedRegion, OwnedRegion};
