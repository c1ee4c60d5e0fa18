//! The C ABI as Rust: the only place with `unsafe`.
//!
//! `sys` is the header; around it are owners that free what they hold, and one safe function for
//! each function that the NIFs call. It must not know terms.

mod sys;

mod event;
mod failure;
mod handles;
mod library;
mod text;
mod value;

mod execute;
mod invocation;
mod platform;
mod pool;
mod session;
mod stream;
mod tool;
mod variable;

pub use event::{Event, EventKind, Events};
pub use execute::{ExecuteOptions, ToolCallOptions};
pub use failure::{Failure, Outcome};
pub use handles::{Invocation, Operation, Platform, Pool, Queue, Session, Tool, Watch};
pub use invocation::{FailureOptions, fail, fail_by_id};
pub use library::{config_schema, is_understood, status_name, status_number, version};
pub use platform::{cancel, state};
pub use session::SessionOptions;
pub use stream::{LogOptions, WatchOptions};
pub use tool::ToolOptions;
pub use value::{Attachment, AttachmentKind, Value};
pub use variable::{VariableOptions, Write, WriteOptions};

pub use sys::{SPB_E_HANDLE, SPB_E_INTERNAL, SPB_E_INVALID_ARGUMENT, SPB_NO_TIMEOUT, spb_status};
