//! Large tensors and blobs between the host and real Python workers: where they lie, that they are
//! what they were, and that their memory comes back.
//!
//! All tests look at the one pool of regions that a process has, so they take turns.

#[path = "../worker/support.rs"]
#[expect(dead_code, reason = "shared with other programs of tests")]
mod support;

mod both_ways;
mod liar;
mod life;
mod tools;
mod wire;
mod world;
