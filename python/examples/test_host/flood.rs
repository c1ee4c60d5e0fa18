//! Many calls, so many in flight at a time, counted and timed by the host: batching under load.

use serde_json::{Value, json};
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::time::Instant;

/// One run: `{"calls": N, "in_flight": M, "operation": "echo", "json": "…", "credit": C}`.
pub struct Flood {
    /// What each call looks like, but for its number.
    template: pb::Call,
    calls: u64,
    in_flight: u64,
    left: u64,
    next: u64,
    results: u64,
    errors: u64,
    chunks: u64,
    /// Result documents that differ from what was sent.
    altered: u64,
    messages: u64,
    started: Instant,
}

impl Flood {
    pub fn new(order: &Value) -> Self {
        let figure = |name| order.get(name).and_then(Value::as_u64).expect("figure");
        Flood {
            template: super::frames::call(order, 0),
            calls: figure("calls"),
            in_flight: figure("in_flight"),
            left: figure("calls"),
            next: FIRST_CALL,
            results: 0,
            errors: 0,
            chunks: 0,
            altered: 0,
            messages: 0,
            started: Instant::now(),
        }
    }

    /// The calls that open the run.
    pub fn first(&mut self) -> pb::HostMessage {
        let frames = (0..self.in_flight).filter_map(|_| self.call()).collect();
        pb::HostMessage { frames }
    }

    /// Counts what came; a new call follows each result, credit each chunk.
    pub fn take(&mut self, message: &pb::WorkerMessage) -> Option<pb::HostMessage> {
        self.messages += 1;
        let mut frames = Vec::new();
        let mut credit: Option<pb::CallCredit> = None;
        for frame in &message.frames {
            match frame.kind.as_ref().expect("kind") {
                Kind::Result(result) => {
                    self.count(result);
                    frames.extend(self.call());
                }
                Kind::Chunk(chunk) => {
                    self.chunks += 1;
                    let call_id = chunk.call_id;
                    credit.get_or_insert(pb::CallCredit { call_id, chunks: 0 }).chunks += 1;
                }
                _ => {}
            }
        }
        let credit = credit.map(|credit| pb::HostFrame { kind: Some(HostKind::Credit(credit)) });
        frames.extend(credit);
        (!frames.is_empty()).then_some(pb::HostMessage { frames })
    }

    /// The figures, when all calls have their result.
    pub fn report(&self) -> Option<Value> {
        (self.results + self.errors == self.calls).then(|| {
            json!({"event": "flooded", "results": self.results, "errors": self.errors,
                "altered": self.altered, "chunks": self.chunks, "messages": self.messages,
                "seconds": self.started.elapsed().as_secs_f64()})
        })
    }

    fn call(&mut self) -> Option<pb::HostFrame> {
        self.left = self.left.checked_sub(1)?;
        let call_id = self.next;
        self.next += 1;
        let call = pb::Call { call_id, ..self.template.clone() };
        Some(pb::HostFrame { kind: Some(HostKind::Call(call)) })
    }

    fn count(&mut self, result: &pb::CallResult) {
        let sent = self.template.parameters.as_ref().map(|payload| &payload.json);
        match &result.outcome {
            Some(pb::call_result::Outcome::Payload(payload)) => {
                self.results += 1;
                self.altered += u64::from(Some(&payload.json) != sent);
            }
            _ => self.errors += 1,
        }
    }
}

/// Far from the numbers that tests use themselves.
const FIRST_CALL: u64 = 1_000_000;
