//! The handle structs of the header, and the object that each stands for.
//!
//! A handle is one word, copied freely; the object lives until the handle is freed and nothing
//! under way needs it any more. What the objects can do is in the file of their noun.

use super::handle_table::{Handle, Kind, Table};
use super::invocation::InvocationObject;
use super::operation::OperationObject;
use super::platform::PlatformObject;
use super::pool::PoolObject;
use super::queue::QueueObject;
use super::session::SessionObject;
use super::tool::ToolObject;
use super::watch::WatchObject;

/// One embedded platform: its pools of workers, sessions, tools and threads.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_platform {
    id: u64,
}

/// A named pool of Python workers.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_pool {
    id: u64,
}

/// A session: variables, tools and affinity that calls share.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_session {
    id: u64,
}

/// Something under way that ends exactly once.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_operation {
    id: u64,
}

/// A completion queue.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_queue {
    id: u64,
}

/// A registration of a host function that Python may call.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_tool {
    id: u64,
}

/// One call of a tool by Python, waiting for the host's answer.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_invocation {
    id: u64,
}

/// A subscription; freeing it ends it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_watch {
    id: u64,
}

macro_rules! handle {
    ($name:ident, $kind:ident, $object:ty) => {
        impl $name {
            /// The handle of nothing.
            pub const NULL: $name = $name { id: 0 };
        }

        impl Handle for $name {
            type Object = $object;
            fn table() -> &'static Table<$object> {
                static TABLE: Table<$object> = Table::new(Kind::$kind);
                &TABLE
            }
            fn from_id(id: u64) -> Self {
                $name { id }
            }
            fn id(self) -> u64 {
                self.id
            }
        }
    };
}

handle!(spb_platform, Platform, PlatformObject);
handle!(spb_pool, Pool, PoolObject);
handle!(spb_session, Session, SessionObject);
handle!(spb_operation, Operation, OperationObject);
handle!(spb_queue, Queue, QueueObject);
handle!(spb_tool, Tool, ToolObject);
handle!(spb_invocation, Invocation, InvocationObject);
handle!(spb_watch, Watch, WatchObject);
