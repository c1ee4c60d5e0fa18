//! The platform's one entry: what a host can do, in Rust, without C and without protocols. It
//! checks and delegates; the C ABI and the served endpoint only wrap it.

pub mod assembly;
mod backends;
pub mod description;
pub mod endpoint;
pub mod execute;
pub mod health;
mod keeper;
pub mod logs;
pub mod platform;
pub mod pool;
pub mod protection;
mod python_tools;
pub mod session;
pub mod session_archive;
pub mod sessions;
pub mod shutdown;
mod stores;
mod stuck_tools;
pub mod tool;
pub mod tool_call;
pub mod variable;
pub mod variable_document;
pub mod variables;
pub mod watch;

pub use crate::config::schema_json as config_schema;
pub use crate::operations::{
    Chunk, ChunkCredit, ChunkOutcome, Operation, OperationSink, OperationState, TakeOutcome,
    Timeout,
};
pub use crate::sessions::Archive;
pub use crate::state::{
    Access, Missed, Past, RegisterVariable, Variable, Watch, WatchEnd, WatchEvent, WatchObserver,
    WatchOptions, WatchQueue, Watcher, Write,
};
pub use crate::telemetry::{Level, LogBatch, LogFilter, Told as LogRecord};
pub use crate::tools::hooks::HookedCall;
pub use crate::tools::{Invocation, ToolHooks, ToolSink, ToolSpec};
pub use crate::transport::{Sleepers, WireSeats};
pub use execute::ExecuteRequest;
pub use logs::{LogSink, LogWatch};
pub use platform::Platform;
pub use pool::PoolRef;
pub use session::{Session, SessionOptions};
pub use tool::ToolRef;
pub use tool_call::ToolRequest;
