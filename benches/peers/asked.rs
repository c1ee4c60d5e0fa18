//! What the benchmark asks a subject, whatever it is: one command, and the figures it came to.
//!
//! It must not know which subjects there are.

use std::fmt;

use serde_json::Value as Json;

use crate::program::Program;

/// One thing to do until the time is over.
#[derive(Clone, Copy)]
pub struct Command {
    pub verb: &'static str,
    /// The name of a document: what is sent and comes back.
    pub size: &'static str,
    pub in_flight: usize,
    pub time_ms: u64,
}

impl Command {
    /// One call after the other.
    pub fn is_lone(&self) -> bool {
        self.in_flight == 1 && self.verb != "chunks"
    }
}

/// A program or a client; its answer has `p50_us`, `p99_us`, `per_s` and `count`, or some of them.
pub trait Asked {
    fn ask(&mut self, command: Command) -> Json;
}

impl Asked for Program {
    fn ask(&mut self, command: Command) -> Json {
        Program::ask(self, &command.to_string())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command { verb, size, in_flight, time_ms } = self;
        write!(formatter, "{verb} {size} {in_flight} {time_ms}")
    }
}
