//! `Link`, second part: what Python asks of the variables of a call's session.
//!
//! Translates arguments into verbs; the answers are items of the request. What is cached is
//! answered at once.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::state_request::Verb;
use snakepit_bridge_proto::worker_frame::Kind;

use crate::limits::WATCH_WINDOW;
use crate::link::Link;
use crate::payload::shared_bytes;
use crate::request::Request;
use crate::{errors, tuples};

/// A name, its value as document and attachments, and the version that it has to be at.
type Write<'py> = (String, Bound<'py, PyBytes>, Bound<'py, PyList>, Option<u64>);

#[pymethods]
impl Link {
    /// The variable, if it was read before and has not changed since; the host is not asked.
    fn state_cached<'py>(
        &self,
        py: Python<'py>,
        call_id: u64,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.check_home(py)?;
        let cached = self.with_state(|state| state.cached(call_id, name));
        match cached.map_err(|refusal| errors::refusal(py, &refusal))? {
            Some(variable) => tuples::of_variable(py, pb::Variable::clone(&variable)).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a variable of the call's session.
    fn state_get(&self, py: Python<'_>, call_id: u64, name: String) -> PyResult<Request> {
        self.state(py, call_id, Verb::Get(pb::VariableGet { name, cache: true }))
    }

    /// Reads several at one moment.
    fn state_get_many(
        &self,
        py: Python<'_>,
        call_id: u64,
        names: Vec<String>,
    ) -> PyResult<Request> {
        self.state(py, call_id, Verb::GetMany(pb::VariableGetMany { names }))
    }

    /// Writes a variable of the call's session.
    #[expect(clippy::too_many_arguments, reason = "Python calls it with keywords")]
    #[pyo3(signature = (call_id, name, json, attachments, expected_version=None, owner=""))]
    fn state_set(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
        expected_version: Option<u64>,
        owner: &str,
    ) -> PyResult<Request> {
        let value = Some(self.outgoing(json, attachments)?);
        let owner = owner.to_owned();
        self.state(py, call_id, Verb::Set(pb::VariableSet { name, value, expected_version, owner }))
    }

    /// Writes several, all or none.
    #[pyo3(signature = (call_id, writes, owner=""))]
    fn state_set_many(
        &self,
        py: Python<'_>,
        call_id: u64,
        writes: Vec<Write<'_>>,
        owner: &str,
    ) -> PyResult<Request> {
        let mut set = Vec::with_capacity(writes.len());
        for (name, json, attachments, expected_version) in &writes {
            set.push(pb::VariableSet {
                name: name.clone(),
                value: Some(self.outgoing(json, attachments)?),
                expected_version: *expected_version,
                owner: String::new(),
            });
        }
        let owner = owner.to_owned();
        self.state(py, call_id, Verb::SetMany(pb::VariableSetMany { writes: set, owner }))
    }

    /// Reads, reckons and writes in one step.
    #[expect(clippy::too_many_arguments, reason = "Python calls it with keywords")]
    #[pyo3(signature = (call_id, name, json, attachments, expected_version=None, owner=""))]
    fn state_update(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
        expected_version: Option<u64>,
        owner: &str,
    ) -> PyResult<Request> {
        let update = Some(self.outgoing(json, attachments)?);
        let owner = owner.to_owned();
        let update = pb::VariableUpdate { name, update, expected_version, owner };
        self.state(py, call_id, Verb::Update(update))
    }

    /// Makes a variable in the call's session.
    #[expect(clippy::too_many_arguments, reason = "Python calls it with keywords")]
    #[pyo3(signature = (
        call_id, name, r#type, json, attachments, constraints_json=None, metadata_json=None
    ))]
    fn state_register(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        r#type: String,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
        constraints_json: Option<&Bound<'_, PyBytes>>,
        metadata_json: Option<&Bound<'_, PyBytes>>,
    ) -> PyResult<Request> {
        let register = pb::VariableRegister {
            name,
            r#type,
            initial: Some(self.outgoing(json, attachments)?),
            constraints_json: constraints_json.map(shared_bytes).unwrap_or_default(),
            metadata_json: metadata_json.map(shared_bytes).unwrap_or_default(),
        };
        self.state(py, call_id, Verb::Register(register))
    }

    /// Removes a variable of the call's session.
    #[pyo3(signature = (call_id, name, expected_version=None, owner=""))]
    fn state_delete(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        expected_version: Option<u64>,
        owner: &str,
    ) -> PyResult<Request> {
        let owner = owner.to_owned();
        self.state(py, call_id, Verb::Delete(pb::VariableDelete { name, expected_version, owner }))
    }

    /// Lists the variables of the call's session.
    #[pyo3(signature = (call_id, pattern="", after="", limit=0))]
    fn state_list(
        &self,
        py: Python<'_>,
        call_id: u64,
        pattern: &str,
        after: &str,
        limit: u32,
    ) -> PyResult<Request> {
        let (pattern, after) = (pattern.to_owned(), after.to_owned());
        self.state(py, call_id, Verb::List(pb::VariableList { pattern, after, limit }))
    }

    /// Reads the earlier values that are kept, and the current one.
    fn state_history(&self, py: Python<'_>, call_id: u64, name: String) -> PyResult<Request> {
        self.state(py, call_id, Verb::History(pb::VariableHistory { name }))
    }

    /// Writes an earlier value again.
    #[pyo3(signature = (call_id, name, version, expected_version=None, owner=""))]
    fn state_rollback(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        version: u64,
        expected_version: Option<u64>,
        owner: &str,
    ) -> PyResult<Request> {
        let owner = owner.to_owned();
        let back = pb::VariableRollback { name, version, expected_version, owner };
        self.state(py, call_id, Verb::Rollback(back))
    }

    /// Keeps everybody but `owner` from writing.
    fn state_lock(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        owner: String,
        ttl_ms: u64,
    ) -> PyResult<Request> {
        self.state(py, call_id, Verb::Lock(pb::VariableLock { name, owner, ttl_ms }))
    }

    /// Gives a locked variable back.
    fn state_unlock(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        owner: String,
    ) -> PyResult<Request> {
        self.state(py, call_id, Verb::Unlock(pb::VariableUnlock { name, owner }))
    }

    /// Asks for changes.
    #[pyo3(signature = (call_id, patterns, coalesce=false, initial=false, queue_max=0))]
    fn state_watch(
        &self,
        py: Python<'_>,
        call_id: u64,
        patterns: Vec<String>,
        coalesce: bool,
        initial: bool,
        queue_max: u32,
    ) -> PyResult<Request> {
        let watch =
            pb::VariableWatch { patterns, coalesce, initial, queue_max, credit: WATCH_WINDOW };
        self.open(py, call_id, true, |request_id| {
            let verb = Some(Verb::Watch(watch));
            Kind::StateRequest(pb::StateRequest { call_id, request_id, verb })
        })
    }
}
