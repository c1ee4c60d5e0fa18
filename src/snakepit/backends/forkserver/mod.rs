//! The quick way: a template process prepares once what all workers need, and forks them.
//!
//! The template runs under a guard of its own and has a socket to the host. For a worker the host
//! sends it the three ends that a guard has for its standard streams, and its own process to watch.
//! The template makes a process that forks the worker and then becomes the worker's guard by exec,
//! so that the worker is the guard's child, as always; that process borrows the template's memory
//! until then (`os/divide.rs`), so the worker's is the one copy. The template answers with a
//! descriptor of the guard's process. It holds no secret and no connection; what a worker is told
//! comes through its guard.
//!
//! A template that ends takes no worker along, and the next start brings a new one. One that cannot
//! fork says why, and so does the start that fails: nothing else is tried instead.

mod keeper;
mod server;
mod template;
mod wire;

pub use server::{Forkserver, TemplateConfig};
