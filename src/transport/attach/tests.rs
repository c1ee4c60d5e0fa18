//! What a worker may reach: the state, the tools and the log of calls that it is running, whatever
//! numbers it sends.

use bytes::Bytes;
use parking_lot::Mutex;
use snakepit_bridge_proto::state_response::Outcome;

use super::*;
use crate::core::{Status, Value};
use crate::telemetry::TraceContext;
use crate::transport::link::CallStart;
use crate::transport::peer::CallPeer;
use crate::transport::state_peer::StateAsk;

/// A call that remembers what it was asked and answers nothing.
#[derive(Default)]
struct Asked {
    state: Mutex<Vec<String>>,
    others: Mutex<usize>,
}

impl CallPeer for Asked {
    fn chunks(&self, chunks: Vec<(u64, Value)>) {
        *self.others.lock() += chunks.len();
    }

    fn finished(&self, _: Result<Value>) {
        *self.others.lock() += 1;
    }

    fn lost(&self) {}

    fn tool(&self, _: ToolAsk, _: ToolReplier) {
        *self.others.lock() += 1;
    }

    fn tools(&self) -> Result<Bytes> {
        *self.others.lock() += 1;
        Ok(Bytes::from_static(b"[]"))
    }

    fn state(&self, ask: StateAsk, _: StateReplier) {
        if let StateAsk::Get { name, .. } = ask {
            self.state.lock().push(name);
        }
    }

    fn log(&self, _: LogNote) {
        *self.others.lock() += 1;
    }
}

/// A worker that runs one call.
struct Running {
    link: WorkerLink,
    outbox: Outbox,
    call: Arc<Asked>,
}

fn running(slot: u32, call_id: u64) -> Running {
    let outbox = Outbox::default();
    let link = WorkerLink::new(WorkerId { slot, generation: 1 }, outbox.clone(), 1 << 20);
    let call = Arc::new(Asked::default());
    let start = CallStart {
        call: CallId(call_id),
        session: (u64::from(slot), "session"),
        operation: (1, "python", "f"),
        parameters: Value::null(),
        deadline_remaining_ms: 0,
        stream: false,
        chunk_credit: 0,
        trace: TraceContext::root(),
        session_incarnation: 0,
    };
    link.begin(start, call.clone()).unwrap();
    Running { link, outbox, call }
}

fn get(call_id: u64, name: &str) -> pb::StateRequest {
    let verb = pb::state_request::Verb::Get(pb::VariableGet {
        name: name.to_owned(),
        ..pb::VariableGet::default()
    });
    pb::StateRequest { call_id, request_id: 9, verb: Some(verb) }
}

/// What the worker was told of its state requests.
async fn refusals(outbox: &Outbox) -> Vec<i32> {
    outbox.finish(Ok(()));
    let mut stream = outbox.stream();
    let mut codes = Vec::new();
    while let Some(message) = stream.next().await {
        for frame in message.unwrap().frames {
            if let Some(HostKind::StateResponse(response)) = frame.kind {
                assert_eq!(response.request_id, 9);
                let Some(Outcome::Error(error)) = response.outcome else { panic!("was served") };
                codes.push(error.status);
            }
        }
    }
    codes
}

#[tokio::test]
async fn a_worker_reaches_the_session_of_its_own_running_call_and_no_other() {
    let (honest, hostile) = (running(1, 11), running(2, 12));
    state_request(&hostile.link, get(12, "own"));
    // The other's call, calls that never were, and its own once it has ended.
    for stranger in [11, 0, 13, u64::MAX] {
        state_request(&hostile.link, get(stranger, "theirs"));
    }
    hostile.link.end_call(12);
    state_request(&hostile.link, get(12, "ended"));
    assert_eq!(*hostile.call.state.lock(), ["own"]);
    assert!(honest.call.state.lock().is_empty());
    assert_eq!(refusals(&hostile.outbox).await, [Status::State.code(); 5]);
}

#[tokio::test]
async fn nor_can_it_end_ask_or_list_tools_for_the_call_of_another_worker() {
    let (honest, hostile) = (running(1, 11), running(2, 12));
    let payload = pb::Payload { json: Bytes::from_static(b"1"), ..pb::Payload::default() };
    let outcome = Some(pb::call_result::Outcome::Payload(payload));
    finish(&hostile.link, pb::CallResult { call_id: 11, outcome });
    assert!(with_call(&hostile.link, 11, |call| call.tools()).is_err());
    tool_request(&hostile.link, pb::ToolRequest { call_id: 11, ..pb::ToolRequest::default() });
    assert_eq!(*honest.call.others.lock(), 0);
    state_request(&honest.link, get(11, "still there"));
    assert_eq!(*honest.call.state.lock(), ["still there"]);
}
