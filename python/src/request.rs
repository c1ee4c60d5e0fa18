//! `Request`: one thing that Python asked of the host, as an object to take items from.
//!
//! A thread waits in `next`; an asyncio task uses `try_next` and `arm`. The request itself lives in
//! the engine under its number; dropping the object gives it up.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::engine::{Item, Refusal, Shared};
use crate::fork::Home;
use crate::{errors, tuples, waiting};

/// One tool call, tool list or access to a variable that is under way.
#[pyclass(frozen, module = "snakepit_bridge._native")]
pub struct Request {
    shared: Arc<Shared>,
    home: Home,
    /// The worker's own number for it; `("ready", id)` frames carry it.
    #[pyo3(get)]
    id: u64,
}

impl Request {
    pub fn new(shared: Arc<Shared>, home: Home, id: u64) -> Self {
        Request { shared, home, id }
    }

    fn tuple<'py>(
        &self,
        py: Python<'py>,
        taken: Result<Item, Refusal>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        match taken {
            Ok(item) => tuples::of_item(py, item),
            Err(refusal) => Err(errors::refusal(py, &refusal)),
        }
    }
}

#[pymethods]
impl Request {
    /// The next item; waits without the GIL. `None` on timeout.
    #[pyo3(signature = (timeout_ms=None))]
    fn next<'py>(
        &self,
        py: Python<'py>,
        timeout_ms: Option<u64>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.home.check(py)?;
        let timeout = timeout_ms.map(Duration::from_millis);
        let taken = waiting::wait(py, &self.shared, timeout, |state| state.take_item(self.id))?;
        taken.map(|taken| self.tuple(py, taken)).transpose()
    }

    /// The next item if one is there.
    fn try_next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.home.check(py)?;
        let taken = self.shared.attempt(|state| state.take_item(self.id));
        taken.map(|taken| self.tuple(py, taken)).transpose()
    }

    /// Asks for one `("ready", id)` frame when there is something to take.
    fn arm(&self, py: Python<'_>) -> PyResult<()> {
        self.home.check(py)?;
        self.shared.with(|state| state.arm_request(self.id));
        Ok(())
    }

    /// Gives the request up.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.home.check(py)?;
        self.shared.with(|state| state.drop_request(self.id));
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("<snakepit_bridge._native.Request {}>", self.id)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // In a forked child the lock may be held by a thread that does not exist there.
        if self.home.is_here() {
            self.shared.with(|state| state.forget_request(self.id));
        }
    }
}
