//! The place of a fault in a term, `$.scores[3]`, put together on the way out of the walk, so that
//! what has no fault pays nothing. Must not know terms.

use crate::ffi::{Failure, SPB_E_INVALID_ARGUMENT};

/// A fault and the steps that lead to it, the innermost first.
pub struct Fault {
    steps: Vec<Step>,
    message: String,
}

pub enum Step {
    Key(String),
    Index(usize),
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Fault { steps: Vec::new(), message: message.into() }
    }

    /// The same fault, seen from one level further out.
    pub fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub fn path(&self) -> String {
        let mut path = String::from("$");
        for step in self.steps.iter().rev() {
            match step {
                Step::Key(key) => {
                    path.push('.');
                    path.extend(key.chars().take(KEY_CHARS_MAX));
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        let path = fault.path();
        Failure::Own {
            status: SPB_E_INVALID_ARGUMENT,
            message: format!("at {path}: {}", fault.message),
            path: Some(path),
        }
    }
}

/// As the library cuts them.
const KEY_CHARS_MAX: usize = 64;
