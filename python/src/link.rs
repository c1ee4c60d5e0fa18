//! `Link`: the worker's connection as Python sees it.
//!
//! Translates arguments, waits without the GIL, raises what the engine refuses. What happens on the
//! link is the engine's business.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::call_result::Outcome;
use snakepit_bridge_proto::state_request::Verb;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::time::Instant;

use crate::engine::outbox::cut;
use crate::engine::state::State;
use crate::engine::{Attempt, Shared};
use crate::fork::Home;
use crate::limits::{
    CLOSE_WAIT, ERROR_CAUSES_MAX, ERROR_TEXT_BYTES_MAX, MESSAGE_OVERHEAD_BYTES, TOOL_CHUNK_WINDOW,
    VALUE_BYTES_MAX,
};
use crate::names::Names;
use crate::payload::{outgoing, shared_bytes};
use crate::request::Request;
use crate::{errors, tuples, waiting};

/// One worker's connection to the platform.
#[pyclass(frozen, module = "snakepit_bridge._native")]
pub struct Link {
    shared: Arc<Shared>,
    home: Home,
    names: Names,
    /// The place in the pool that this worker fills.
    #[pyo3(get)]
    slot: u32,
    /// Which worker in that place it is.
    #[pyo3(get)]
    generation: u64,
    /// The largest value that may be sent, document and attachments together.
    #[pyo3(get)]
    value_bytes_max: usize,
}

#[pymethods]
impl Link {
    /// What has arrived, at most `max_frames` of it; see `_native.pyi`.
    fn next_batch<'py>(
        &self,
        py: Python<'py>,
        max_frames: usize,
        timeout_ms: u64,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        self.home.check(py)?;
        let timeout = Some(Duration::from_millis(timeout_ms));
        let frames_max = max_frames.max(1);
        let batch = waiting::wait(py, &self.shared, timeout, |state| state.take_batch(frames_max))?;
        let list = PyList::empty(py);
        match batch {
            Some(None) => return Ok(None),
            None => {}
            Some(Some(frames)) => {
                for frame in frames {
                    if let Some(frame) = tuples::of_frame(py, frame, &self.names)? {
                        list.append(frame)?;
                    }
                }
            }
        }
        Ok(Some(list))
    }

    /// The calling thread has passed on its last batch; see `_native.pyi`.
    fn pass_on(&self, py: Python<'_>) -> PyResult<()> {
        self.home.check(py)?;
        self.shared.with(State::pass_on);
        Ok(())
    }

    /// Ends a call with its result.
    fn send_result(
        &self,
        py: Python<'_>,
        call_id: u64,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
    ) -> PyResult<()> {
        self.home.check(py)?;
        let payload = self.outgoing(json, attachments)?;
        self.finish(py, call_id, Outcome::Payload(payload))
    }

    /// Ends a call with an error.
    #[expect(clippy::too_many_arguments, reason = "Python calls it with keywords")]
    #[pyo3(signature = (
        call_id, status, message, python_type="", traceback="", causes=Vec::new(),
        details_json=None, retryable=None
    ))]
    fn send_error(
        &self,
        py: Python<'_>,
        call_id: u64,
        status: i32,
        mut message: String,
        python_type: &str,
        traceback: &str,
        causes: Vec<(String, String)>,
        details_json: Option<&Bound<'_, PyBytes>>,
        retryable: Option<bool>,
    ) -> PyResult<()> {
        self.home.check(py)?;
        cut(&mut message, ERROR_TEXT_BYTES_MAX);
        let error = pb::Error {
            status,
            message,
            retryable: retryable.unwrap_or(RETRYABLE.contains(&status)),
            details_json: details_json.map(shared_bytes).unwrap_or_default(),
            python_type: python_type.to_owned(),
            python_traceback: tail(traceback),
            causes: causes.into_iter().take(ERROR_CAUSES_MAX).map(cause).collect(),
        };
        self.finish(py, call_id, Outcome::Error(error))
    }

    /// Sends a chunk; waits for credit without the GIL.
    fn send_chunk(
        &self,
        py: Python<'_>,
        call_id: u64,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
    ) -> PyResult<()> {
        self.home.check(py)?;
        let mut payload = Some(self.outgoing(json, attachments)?);
        let sent =
            waiting::wait_done(py, &self.shared, |state| state.send_chunk(call_id, &mut payload))?;
        sent.map_err(|refusal| errors::refusal(py, &refusal))
    }

    /// Sends a chunk if there is credit and room now.
    fn try_send_chunk(
        &self,
        py: Python<'_>,
        call_id: u64,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
    ) -> PyResult<bool> {
        self.home.check(py)?;
        let mut payload = Some(self.outgoing(json, attachments)?);
        match self.shared.attempt(|state| state.send_chunk(call_id, &mut payload)) {
            Some(Ok(())) => Ok(true),
            Some(Err(refusal)) => Err(errors::refusal(py, &refusal)),
            None => Ok(false),
        }
    }

    /// Asks for one `("credit", call_id)` frame when a chunk can be sent, or can no longer be.
    fn arm_credit(&self, py: Python<'_>, call_id: u64) -> PyResult<()> {
        self.home.check(py)?;
        self.shared.with(|state| state.arm_credit(call_id));
        Ok(())
    }

    /// Calls a host tool.
    #[expect(clippy::too_many_arguments, reason = "Python calls it with keywords")]
    #[pyo3(signature = (
        call_id, name, json, attachments, stream=false, timeout_ms=0, traceparent=""
    ))]
    fn call_tool(
        &self,
        py: Python<'_>,
        call_id: u64,
        name: String,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
        stream: bool,
        timeout_ms: u64,
        traceparent: &str,
    ) -> PyResult<Request> {
        let arguments = Some(self.outgoing(json, attachments)?);
        let request = pb::ToolRequest {
            call_id,
            request_id: 0,
            name,
            arguments,
            stream,
            chunk_credit: if stream { TOOL_CHUNK_WINDOW } else { 0 },
            timeout_ms,
            traceparent: traceparent.to_owned(),
        };
        self.open(py, call_id, true, |request_id| {
            Kind::ToolRequest(pb::ToolRequest { request_id, ..request })
        })
    }

    /// Asks which host tools the call may use.
    fn query_tools(&self, py: Python<'_>, call_id: u64) -> PyResult<Request> {
        self.open(py, call_id, false, |request_id| {
            Kind::ToolQuery(pb::ToolQuery { call_id, request_id })
        })
    }

    /// Sends a log record, or drops and counts it.
    fn log(&self, call_id: u64, level: i32, target: String, message: String) {
        // Logging must work anywhere, a forked child included: there it says nothing.
        if self.home.is_here() {
            let record = pb::LogRecord { call_id, level, target, message, dropped: 0 };
            self.shared.with(|state| state.outbox.push_log(record));
        }
    }

    /// Says that all calls are finished after a drain.
    fn send_drained(&self, py: Python<'_>) -> PyResult<()> {
        self.home.check(py)?;
        let sent = self.shared.with(State::send_drained);
        sent.map_err(|refusal| errors::refusal(py, &refusal))
    }

    /// Whether the host gave the call up, or it has ended.
    fn is_cancelled(&self, py: Python<'_>, call_id: u64) -> PyResult<bool> {
        self.home.check(py)?;
        Ok(self.shared.with(|state| state.is_cancelled(call_id)))
    }

    /// Frames from the host that belonged to nothing known here: they crossed with an end.
    #[getter]
    fn frames_ignored(&self, py: Python<'_>) -> PyResult<u64> {
        self.home.check(py)?;
        Ok(self.shared.with(|state| state.frames_ignored))
    }

    /// Sends what is queued, then closes.
    fn close(&self, py: Python<'_>) {
        if self.home.is_here() {
            self.leave();
            py.detach(|| self.shared.wait_ended(Instant::now() + CLOSE_WAIT));
        }
    }

    fn __repr__(&self) -> String {
        format!("<snakepit_bridge._native.Link slot {} generation {}>", self.slot, self.generation)
    }
}

impl Link {
    /// The link that a welcome opened.
    pub fn new(shared: Arc<Shared>, home: Home, welcome: &pb::Welcome) -> Self {
        let message_bytes_max = usize::try_from(welcome.message_bytes_max).unwrap_or(usize::MAX);
        let value_bytes_max = match message_bytes_max.saturating_sub(MESSAGE_OVERHEAD_BYTES) {
            0 => VALUE_BYTES_MAX,
            named => named,
        };
        let pb::Welcome { slot, generation, .. } = *welcome;
        Link { shared, home, names: Names::default(), slot, generation, value_bytes_max }
    }

    /// A value of Python for the wire.
    pub fn outgoing(
        &self,
        json: &Bound<'_, PyBytes>,
        attachments: &Bound<'_, PyList>,
    ) -> PyResult<pb::Payload> {
        self.home.check(json.py())?;
        outgoing(json, attachments, self.value_bytes_max, &self.shared.sharing)
    }

    /// Raises in a forked child.
    pub fn check_home(&self, py: Python<'_>) -> PyResult<()> {
        self.home.check(py)
    }

    /// Tries once.
    pub fn attempt<T>(&self, act: impl FnOnce(&mut State) -> Attempt<T>) -> Option<T> {
        self.shared.attempt(act)
    }

    /// Whether a value of so many bytes is not too large.
    pub fn may_send(&self, bytes: usize) -> bool {
        bytes <= self.value_bytes_max
    }

    pub fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        self.shared.with(act)
    }

    fn finish(&self, py: Python<'_>, call_id: u64, outcome: Outcome) -> PyResult<()> {
        let mut outcome = Some(outcome);
        let sent =
            waiting::wait_done(py, &self.shared, |state| state.send_result(call_id, &mut outcome))?;
        self.send_if_due(py);
        sent.map_err(|refusal| errors::refusal(py, &refusal))
    }

    /// Sends what waits, without the GIL, if that is much and whoever would send it is away.
    pub fn send_if_due(&self, py: Python<'_>) {
        if self.shared.is_due() {
            py.detach(|| self.shared.send());
        }
    }

    pub fn state(&self, py: Python<'_>, call_id: u64, verb: Verb) -> PyResult<Request> {
        self.open(py, call_id, false, |request_id| {
            Kind::StateRequest(pb::StateRequest { call_id, request_id, verb: Some(verb) })
        })
    }

    pub fn open(
        &self,
        py: Python<'_>,
        call_id: u64,
        is_stream: bool,
        frame: impl FnOnce(u64) -> Kind + Send,
    ) -> PyResult<Request> {
        self.home.check(py)?;
        let mut frame = Some(frame);
        let opened = waiting::wait_done(py, &self.shared, |state| {
            state.open_request(call_id, is_stream, &mut frame)
        })?;
        match opened {
            Ok(id) => Ok(Request::new(self.shared.clone(), self.home, id)),
            Err(refusal) => Err(errors::refusal(py, &refusal)),
        }
    }

    fn leave(&self) {
        self.shared.with(|state| state.close("link was closed by this worker"));
        self.shared.leave.notify_one();
        self.shared.drive.call_own();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // In a forked child the lock may be held by a thread that does not exist there.
        if self.home.is_here() {
            self.leave();
        }
    }
}

fn cause((r#type, mut message): (String, String)) -> pb::PythonCause {
    cut(&mut message, ERROR_TEXT_BYTES_MAX);
    pb::PythonCause { r#type, message }
}

/// The end of a traceback says most.
fn tail(traceback: &str) -> String {
    let start = traceback.ceil_char_boundary(traceback.len().saturating_sub(ERROR_TEXT_BYTES_MAX));
    traceback.get(start..).unwrap_or_default().to_owned()
}

/// `Status::is_retryable` of the platform: again, busy, resource exhausted, unavailable.
const RETRYABLE: [i32; 4] = [1, 7, 17, 18];
