//! Watching variables: who is told of what changes in a session, in which order, and what becomes
//! of those who are too slow. Who may watch, and how events reach a host or a worker, is not known
//! here.

mod event;
mod hub;
mod queue;
mod watcher;

pub use event::{Missed, WatchEnd, WatchEvent, WatchOptions, WatchPatterns};
pub use hub::{Listener, Listening, OnLost, Watches};
pub use queue::WatchQueue;
pub use watcher::{Watch, WatchObserver, Watcher};
