//! The leaf vocabulary that every layer of the platform shares: statuses and errors, ids, values,
//! limits, time.
//!
//! Nothing here does I/O, starts a thread or knows a protocol. `core` names no other module of this
//! crate; the one layer that may not use it is `snakepit`, which has to compile on its own.

pub mod affinity;
pub mod clock;
pub mod error;
pub mod ids;
pub mod json;
mod json_quick;
pub mod limits;
mod members;
pub mod nearest;
pub mod schema;
mod schema_refusal;
pub mod status;
pub mod strides;
pub mod tag;
pub mod tensor_file;
pub mod timers;
pub mod value;

pub use affinity::Affinity;
pub use clock::Deadline;
pub use error::{Error, PythonError, Result};
pub use ids::{CallId, SessionId, WorkerId};
pub use schema::Schema;
pub use status::Status;
pub use timers::{Expire, TimerKey, Timers};
pub use value::{Attachment, DType, Tensor, Value, copied};
