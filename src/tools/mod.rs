//! Host tools: functions of the host that Python may call, on the whole platform or in one session.
//!
//! `registry` knows who may call what, `invocation` is one call with exactly one outcome, `hooks`
//! stand around every call. None knows which operation asked, nor how an answer travels: a `Caller`
//! carries it.

pub mod hooks;
pub mod invocation;
pub mod machine;
pub mod registry;
pub mod spec;

pub use hooks::ToolHooks;
pub use invocation::{Caller, Invocation, InvocationFacts};
pub use registry::{ToolEntry, ToolRegistry, ToolSink, ToolSource};
pub use spec::ToolSpec;
