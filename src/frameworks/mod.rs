//! What the workers of a pool can do, as they announced it, and the check of a call against it.
//!
//! The announcement is Python's (docs/frameworks.md); nothing here knows any framework by name.

pub mod announcement;
pub mod catalog;
pub mod tool_rules;

pub use announcement::{FrameworkEntry, OperationEntry};
pub use catalog::Catalog;
pub use tool_rules::{ToolPlace, ToolRules};
