//! What the host has named, as texts of Python: made once, and handed out with each call that names
//! them by numbers.
//!
//! Frames are translated in the order in which they came, so a name is here before the call that
//! needs it. Knows nothing of what the names stand for.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;
use rustc_hash::FxHashMap;
use snakepit_bridge_proto as pb;

/// The names of one link.
#[derive(Default)]
pub struct Names {
    /// No code of Python's runs while it is held.
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    sessions: FxHashMap<u64, Py<PyString>>,
    operations: FxHashMap<u64, Operation>,
}

/// Framework and name.
type Operation = (Py<PyString>, Py<PyString>);

impl Names {
    /// Takes in what the host says.
    pub fn keep(&self, py: Python<'_>, names: pb::Names) {
        // Sessions come and go; some versions of Python keep what is interned for ever.
        let of_session = |text: &str| PyString::new(py, text).unbind();
        let of_operation = |text: &str| PyString::intern(py, text).unbind();
        let mut told = self.told.lock();
        if names.anew {
            *told = Told::default();
        }
        if let Some(session) = names.session {
            told.sessions.insert(session.number, of_session(&session.session_id));
        }
        if let Some(pb::OperationName { number, framework_id, operation_name }) = names.operation {
            told.operations
                .insert(number, (of_operation(&framework_id), of_operation(&operation_name)));
        }
    }

    /// The id of a call's session.
    pub fn session<'py>(&self, py: Python<'py>, call: &pb::Call) -> Bound<'py, PyString> {
        let told = self.told.lock();
        match told.sessions.get(&call.session_number) {
            Some(id) => id.bind(py).clone(),
            None => PyString::new(py, &call.session_id),
        }
    }

    /// The framework and the name of a call's operation.
    pub fn operation<'py>(
        &self,
        py: Python<'py>,
        call: &pb::Call,
    ) -> (Bound<'py, PyString>, Bound<'py, PyString>) {
        let told = self.told.lock();
        match told.operations.get(&call.operation_number) {
            Some((framework, name)) => (framework.bind(py).clone(), name.bind(py).clone()),
            None => {
                (PyString::new(py, &call.framework_id), PyString::new(py, &call.operation_name))
            }
        }
    }
}
