//! The pool's contact with the kernel, and the only place of it that holds `unsafe`.
//!
//! Small wrappers, each safe to call, none with a policy: what is started, killed or waited for is
//! decided above. The host side (`spawn`, `reap`, `message`, `signals::block…`, `fork_marker`,
//! `library`, `procfs`, `memory_region`) changes nothing of the host's process: no handler, no
//! disposition, no inherited descriptor. `divide` runs in a template; the rest runs in the guard.

mod cgroup;
mod child;
mod divide;
#[cfg(test)]
mod divide_tests;
mod fork_marker;
#[cfg(target_arch = "x86_64")]
mod kernel_area;
mod library;
mod memory_region;
mod message;
mod procfs;
mod reap;
mod signals;
mod spawn;

pub use cgroup::{Cgroups, oom_kills};
pub use child::{
    ChildPlan, StartStep, close_inherited_descriptors, fork_exec, raise_oom_score,
    take_inherited_descriptors,
};
pub use divide::{Divided, GuardCommand, divide};
pub use fork_marker::{arm_fork_marker, is_forked_child};
pub use library::library_dir;
pub use memory_region::{BorrowedRegion, OwnedRegion};
pub use message::{
    Message, MessageSocket, own_process, receive_descriptor, receive_message, send_message,
};
pub use procfs::{children_of, descendants_of, is_of_family, proportional_bytes, resident_bytes};
pub use reap::Reaper;
pub use signals::{block_signals_on_this_thread, child_signals, prepare_guard_signals};
pub use spawn::{GuardEnds, GuardProcess, guard_ends, spawn_guard, spawn_program};
