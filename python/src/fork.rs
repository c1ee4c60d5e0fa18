//! Notices a fork: the link's thread does not exist in the child, and its lock may be held there
//! for ever.
//!
//! Python calls [`_forked`] in every child (`os.register_at_fork`); whoever holds a link compares
//! the count before touching it. Knows nothing of what a link is.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;

/// The process that something belongs to, as the number of forks that led to it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Home(u32);

impl Home {
    /// This process. Makes sure that forks are counted from now on.
    pub fn here(py: Python<'_>) -> PyResult<Self> {
        if !REGISTERED.swap(true, Ordering::Relaxed) {
            let hooks = PyDict::new(py);
            hooks.set_item("after_in_child", wrap_pyfunction!(_forked, py)?)?;
            py.import("os")?.call_method("register_at_fork", (), Some(&hooks))?;
        }
        Ok(Home(FORKS.load(Ordering::Relaxed)))
    }

    /// Whether this is still the same process.
    pub fn is_here(self) -> bool {
        self.0 == FORKS.load(Ordering::Relaxed)
    }

    /// Refuses to go on in a forked child.
    pub fn check(self, py: Python<'_>) -> PyResult<()> {
        match self.is_here() {
            true => Ok(()),
            false => Err(errors::link_closed(py, "link belongs to the parent process")),
        }
    }
}

/// Called by Python in a forked child.
#[pyfunction]
pub fn _forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

static FORKS: AtomicU32 = AtomicU32::new(0);
static REGISTERED: AtomicBool = AtomicBool::new(false);
