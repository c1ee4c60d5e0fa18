//! One Rust function per function of `SnakepitBridge.Native`, which says what each does.
//!
//! They read arguments, make one call of the library, and write the answer. They must not wait,
//! unless marked dirty, and know nothing of each other.

mod library;
mod logs;
mod operations;
mod platforms;
mod sessions;
mod streams;
mod tools;
mod values;
mod variables;
