//! The exceptions of the module, and how the link's refusals become them.
//!
//! The classes themselves are Python (`errors.py`, compiled in): the stable ABI of Python 3.11
//! cannot give a native exception class attributes. Knows nothing of who raises what when.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::engine::Refusal;
use crate::limits::REQUESTS_MAX;

/// Compiles the classes and puts them into the module.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    // A namespace of its own: made as a module, it would take this one's place among the loaded.
    let classes = PyDict::new(py);
    classes.set_item("__name__", "snakepit_bridge._native")?;
    py.run(pyo3::ffi::c_str!(include_str!("errors.py")), Some(&classes), None)?;
    for (name, class) in [
        ("LinkClosed", &LINK_CLOSED),
        ("CallCancelled", &CALL_CANCELLED),
        ("ValueRefused", &VALUE_REFUSED),
    ] {
        let found = classes.as_any().get_item(name)?.cast_into::<PyType>()?;
        module.add(name, &found)?;
        class.get_or_init(py, || found.unbind());
    }
    Ok(())
}

/// `LinkClosed` with a sentence.
pub fn link_closed(py: Python<'_>, reason: &str) -> PyErr {
    raise(py, &LINK_CLOSED, (reason,))
}

/// `ValueRefused` with the place in the value (`$.a[3]`) and what is wrong there.
pub fn value_refused(py: Python<'_>, path: &str, message: &str) -> PyErr {
    raise(py, &VALUE_REFUSED, (path, message))
}

/// The exception for what the link refused.
pub fn refusal(py: Python<'_>, refusal: &Refusal) -> PyErr {
    match refusal {
        Refusal::Closed(reason) => link_closed(py, reason),
        Refusal::Cancelled { call_id, reason } => {
            let message = format!("call {call_id} was cancelled or has ended (status {reason})");
            raise(py, &CALL_CANCELLED, (*reason, message))
        }
        Refusal::NoCall(call_id) => {
            PyRuntimeError::new_err(format!("call {call_id} has its result already, or never was"))
        }
        Refusal::RequestsFull => {
            PyRuntimeError::new_err(format!("{REQUESTS_MAX} requests are open already"))
        }
    }
}

fn raise<'py>(
    py: Python<'py>,
    class: &PyOnceLock<Py<PyType>>,
    args: impl pyo3::call::PyCallArgs<'py>,
) -> PyErr {
    let Some(class) = class.get(py) else {
        return PyRuntimeError::new_err("module snakepit_bridge._native is not initialised");
    };
    match class.bind(py).call1(args) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

static LINK_CLOSED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static CALL_CANCELLED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static VALUE_REFUSED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
