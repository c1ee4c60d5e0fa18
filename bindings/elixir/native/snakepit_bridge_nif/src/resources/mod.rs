//! What Elixir holds by reference. Each frees its handle when the garbage collector says so,
//! without blocking, and those that work for a process end when it dies. They must not know
//! options.

mod caller;
mod invocation;
mod platform;
mod stream;
mod tool;
mod watched;

pub use caller::{Caller, Callers};
pub use invocation::InvocationResource;
pub use platform::{PlatformResource, SessionResource};
pub use stream::{Source, StreamResource};
pub use tool::ToolResource;
