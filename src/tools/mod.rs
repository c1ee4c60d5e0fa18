//! Host tools: functions of the host that Python may call, on the whole platform or in one session.
//!
//! `registry` knows who may call what, `invocation` is one call with exactly one outcome. Neither
//! knows which operation asked, nor how an answer travels: a `Caller` carries it.

pub mod invocation;
pub mod machine;
pub mod registry;
pub mod spec;

pub use invocation::{Caller, Invocation, InvocationFacts};
pub use registry::{ToolEntry, ToolRegistry, ToolSink};
pub use spec::ToolSpec;
