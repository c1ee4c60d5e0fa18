//! The worker's end of `Attach` on the host: admits a worker by its hello, then reads its frames
//! until the stream ends. What a frame means is decided here; what happens is the peers' business.

use std::sync::Arc;

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::call_result::Outcome;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio_stream::StreamExt;
use tonic::Streaming;

use crate::core::limits::LIGHT_BYTES;
use crate::core::{CallId, Result, WorkerId};

use super::chunk_run::ChunkRun;
use super::gate::{Admission, Announcement, FrameworkNote, Gate};
use super::lanes::{LaneExpectation, Lanes};
use super::link::WorkerLink;
use super::outbox::Outbox;
use super::peer::{LogNote, ToolAsk, ToolReplier, WorkerEvents};
use super::state_peer::StateReplier;
use super::wires::Wire;
use super::{state_wire, wire};

/// Reads one worker's frames from the hello to the end.
pub struct Attachment {
    pub gate: Gate,
    pub events: Arc<dyn WorkerEvents>,
    pub outbox: Outbox,
    pub lanes: Lanes,
    /// What the connection lives on.
    pub wire: Arc<Wire>,
    pub message_bytes_max: u64,
    /// Of a value that the worker sends, wherever its content lies.
    pub value_bytes_max: usize,
    /// The connected process as the kernel names it, where it does.
    pub peer_pid: Option<u32>,
}

type Inbound = Streaming<pb::WorkerMessage>;

impl Attachment {
    /// Runs until the worker leaves, the stream breaks, or the hello is refused.
    pub async fn run(self, mut inbound: Inbound) {
        let first = match inbound.next().await {
            Some(Ok(message)) => message,
            Some(Err(_)) | None => return self.outbox.finish(Ok(())),
        };
        let mut frames = first.frames.into_iter();
        match self.admit(frames.next()).await {
            Err(reason) => self.refuse(&reason),
            Ok((admission, hello)) => {
                let link = self.welcome(admission, hello).await;
                self.frames(&link, frames);
                self.read(&link, inbound).await;
                link.close_and_tell();
            }
        }
    }

    async fn admit(
        &self,
        first: Option<pb::WorkerFrame>,
    ) -> Result<(Admission, pb::Hello), String> {
        let Some(Kind::Hello(hello)) = first.and_then(|frame| frame.kind) else {
            return Err("the first frame is not a hello".to_owned());
        };
        if hello.protocol_version != pb::PROTOCOL_VERSION {
            let (given, ours) = (hello.protocol_version, pb::PROTOCOL_VERSION);
            return Err(format!("protocol version {given}, this platform speaks {ours}"));
        }
        if self.peer_pid.is_some_and(|pid| pid != hello.pid) {
            return Err("the hello names another process than the one connected".to_owned());
        }
        let admission = self.gate.admit(&hello.token, self.peer_pid).await?;
        Ok((admission, hello))
    }

    fn refuse(&self, reason: &str) {
        self.events.refused(reason);
        self.outbox.finish(Err(tonic::Status::unauthenticated(reason)));
    }

    async fn welcome(&self, admission: Admission, hello: pb::Hello) -> WorkerLink {
        let WorkerId { slot, generation } = admission.worker;
        let link = WorkerLink::new(admission.worker, self.outbox.clone(), self.value_bytes_max);
        let lane = self.expect_lane(&hello);
        let (lane_socket, lane_key) = lane.as_ref().map(|lane| lane.named()).unwrap_or_default();
        self.outbox.push(HostKind::Welcome(pb::Welcome {
            protocol_version: pb::PROTOCOL_VERSION,
            slot,
            generation,
            message_bytes_max: self.message_bytes_max,
            lane_socket,
            lane_key,
            spin_us: u64::try_from(self.wire.spin().as_micros()).unwrap_or(u64::MAX),
        }));
        // Before anyone can send it a value: the first is not to travel otherwise than the next.
        let lane = match lane {
            Some(lane) => lane.arrived().await,
            None => None,
        };
        match lane {
            Some(lane) => link.share(lane),
            None => tracing::debug!(worker = %link.worker(), "worker has no shared memory"),
        }
        if admission.arrived.send((link.clone(), announcement_from(hello))).is_err() {
            // Nobody waits any more: the slot gave up on this worker, and its process is being
            // ended.
            link.close_and_tell();
        }
        link
    }

    fn expect_lane(&self, hello: &pb::Hello) -> Option<LaneExpectation> {
        if !hello.shared_memory {
            return None;
        }
        self.lanes.expect(self.peer_pid).ok()
    }

    async fn read(&self, link: &WorkerLink, mut inbound: Inbound) {
        loop {
            tokio::select! {
                message = inbound.next() => match message {
                    Some(Ok(message)) => {
                        let is_light = is_light(&message.frames);
                        self.wire.note_message(message.frames.len(), link.calls_open(), is_light);
                        self.frames(link, message.frames.into_iter());
                    }
                    Some(Err(status)) => {
                        tracing::debug!(worker = %link.worker(), "attach stream broke: {status}");
                        return;
                    }
                    None => return,
                },
                () = link.closed() => return,
            }
        }
    }

    fn frames(&self, link: &WorkerLink, frames: impl Iterator<Item = pb::WorkerFrame>) {
        let mut run = ChunkRun::default();
        for frame in frames {
            if let Some(Kind::Chunk(chunk)) = frame.kind {
                chunk_of(link, chunk, &mut run);
                continue;
            }
            run.flush(link);
            self.frame(link, frame.kind);
        }
        run.flush(link);
    }

    fn frame(&self, link: &WorkerLink, kind: Option<Kind>) {
        match kind {
            Some(Kind::Result(result)) => finish(link, result),
            Some(Kind::ToolRequest(request)) => tool_request(link, request),
            Some(Kind::ToolCancel(cancel)) => {
                if let Some(tool) = link.tool(cancel.request_id) {
                    tool.cancel();
                }
            }
            Some(Kind::ToolCredit(credit)) => {
                if let Some(tool) = link.tool(credit.request_id) {
                    tool.credit(credit.chunks);
                }
            }
            Some(Kind::ToolQuery(query)) => {
                let tools = with_call(link, query.call_id, |call| call.tools());
                link.send_tool_list(query.request_id, tools);
            }
            Some(Kind::StateRequest(request)) => state_request(link, request),
            Some(Kind::Log(record)) => self.log(link, record),
            Some(Kind::Pong(pong)) => link.ponged(pong.number),
            // What matters is that the process ends, and the pool sees that.
            Some(Kind::Drained(_)) => {}
            Some(Kind::RegionNotes(notes)) => {
                if let Some(sharing) = link.sharing() {
                    sharing.heed(notes);
                }
            }
            Some(Kind::Hello(_)) => self.misbehaved(link, "a second hello"),
            // Chunks go on in runs.
            Some(Kind::Chunk(_)) => {}
            None => self.misbehaved(link, "a frame of a kind that this build does not know"),
        }
    }

    fn log(&self, link: &WorkerLink, record: pb::LogRecord) {
        let call = link.call(record.call_id);
        let note = LogNote {
            call: call.as_ref().map(|_| CallId(record.call_id)),
            level: record.level,
            target: record.target,
            message: record.message,
            dropped: record.dropped,
        };
        match call {
            Some(call) => call.log(note),
            None => self.events.log(link.worker(), note),
        }
    }

    fn misbehaved(&self, link: &WorkerLink, what: &str) {
        tracing::warn!(worker = %link.worker(), "worker sent {what}; it is cut off");
        link.close_and_tell();
    }
}

fn announcement_from(hello: pb::Hello) -> Announcement {
    let frameworks = hello.frameworks.into_iter().map(|schema| FrameworkNote {
        id: schema.framework_id,
        version: schema.version,
        schema_json: schema.schema_json,
    });
    Announcement { pid: hello.pid, runtime: hello.runtime, frameworks: frameworks.collect() }
}

/// Whether who takes what came sends something in return, and reading it takes no time worth the
/// name.
fn is_light(frames: &[pb::WorkerFrame]) -> bool {
    let has_chunks = frames.iter().any(|frame| matches!(frame.kind, Some(Kind::Chunk(_))));
    let bytes: usize = frames.iter().map(document_bytes).sum();
    !has_chunks && bytes <= frames.len() * LIGHT_BYTES
}

fn document_bytes(frame: &pb::WorkerFrame) -> usize {
    let payload = match &frame.kind {
        Some(Kind::ToolRequest(request)) => request.arguments.as_ref(),
        Some(Kind::Result(result)) => match &result.outcome {
            Some(Outcome::Payload(payload)) => Some(payload),
            _ => None,
        },
        _ => None,
    };
    payload.map_or(0, |payload| payload.json.len())
}

fn chunk_of(link: &WorkerLink, chunk: pb::CallChunk, run: &mut ChunkRun) {
    // Looked at in any case: what it shares wants to be given back.
    match link.value(chunk.payload) {
        Ok(value) => run.push(link, chunk.call_id, chunk.sequence, value),
        Err(error) => {
            run.flush(link);
            let Some(call) = link.end_call(chunk.call_id) else { return };
            link.cancel(CallId(chunk.call_id), error.status());
            call.finished(Err(error));
        }
    }
}

fn finish(link: &WorkerLink, result: pb::CallResult) {
    // Looked at in any case: what it shares wants to be given back.
    let outcome = match result.outcome {
        Some(pb::call_result::Outcome::Payload(payload)) => link.value(Some(payload)),
        Some(pb::call_result::Outcome::Error(error)) => Err(wire::error_from(error)),
        None => Err(wire::protocol("result without an outcome")),
    };
    // A call that is not there was given up: its late result is dropped.
    let Some(call) = link.end_call(result.call_id) else { return };
    call.finished(outcome);
}

fn with_call<T>(
    link: &WorkerLink,
    id: u64,
    then: impl FnOnce(&dyn super::peer::CallPeer) -> Result<T>,
) -> Result<T> {
    match link.call(id) {
        Some(call) => then(call.as_ref()),
        None => Err(no_such_call(id)),
    }
}

fn no_such_call(id: u64) -> crate::core::Error {
    let message = format!("call {id} has ended: its session can no longer be reached from it");
    crate::core::Error::new(crate::core::Status::State, message)
}

fn tool_request(link: &WorkerLink, request: pb::ToolRequest) {
    let replier = ToolReplier { link: link.clone(), request: request.request_id };
    let arguments = link.value(request.arguments);
    let Some(call) = link.call(request.call_id) else {
        return replier.answer(Err(no_such_call(request.call_id)));
    };
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => return replier.answer(Err(error)),
    };
    let ask = ToolAsk {
        request: request.request_id,
        name: request.name,
        arguments,
        stream: request.stream,
        credit: request.chunk_credit,
        timeout_ms: request.timeout_ms,
        traceparent: request.traceparent,
    };
    call.tool(ask, replier);
}

fn state_request(link: &WorkerLink, request: pb::StateRequest) {
    let replier = StateReplier { link: link.clone(), request: request.request_id };
    let ask = state_wire::state_ask(link, request.verb);
    let Some(call) = link.call(request.call_id) else {
        return replier.answer(Err(no_such_call(request.call_id)));
    };
    match ask {
        Ok(ask) => call.state(ask, replier),
        Err(error) => replier.answer(Err(error)),
    }
}

#[cfg(test)]
mod tests;
