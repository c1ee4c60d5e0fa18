//! Frames as JSON, both ways, for the tests of the native module. Bytes are hex.

use bytes::Bytes;
use serde_json::{Value, json};
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::attachment::Kind as Attached;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::worker_frame::Kind;

/// A frame for the worker from a command: `{"kind": "call", …}`.
pub fn from_json(frame: &Value) -> pb::HostFrame {
    let request_id = number(frame, "request_id");
    let call_id = number(frame, "call_id");
    let kind = match text(frame, "kind").as_str() {
        "call" => HostKind::Call(call(frame, call_id)),
        "cancel" => HostKind::Cancel(pb::CallCancel { call_id, reason: small(frame, "reason") }),
        "credit" => HostKind::Credit(pb::CallCredit { call_id, chunks: count(frame, "chunks") }),
        "tool_chunk" => HostKind::ToolChunk(pb::ToolChunk {
            request_id,
            sequence: number(frame, "sequence"),
            payload: Some(payload(frame)),
        }),
        "tool_answer" => HostKind::ToolResponse(pb::ToolResponse {
            request_id,
            outcome: Some(match frame.get("error") {
                Some(fault) => pb::tool_response::Outcome::Error(error(fault)),
                None => pb::tool_response::Outcome::Payload(payload(frame)),
            }),
        }),
        "tools" => HostKind::ToolList(pb::ToolList {
            request_id,
            outcome: Some(pb::tool_list::Outcome::ToolsJson(text(frame, "json").into())),
        }),
        "state" => HostKind::StateResponse(pb::StateResponse {
            request_id,
            outcome: Some(state_outcome(frame)),
            cacheable: frame.get("cacheable") == Some(&json!(true)),
        }),
        "change" => HostKind::StateChange(pb::StateChange {
            request_id,
            sequence: number(frame, "sequence"),
            kind: text(frame, "change"),
            name: text(frame, "name"),
            version: number(frame, "version"),
            value: frame.get("json").map(|_| payload(frame)),
            ..pb::StateChange::default()
        }),
        "gone" => HostKind::VariableGone(pb::VariableGone {
            session_incarnation: number(frame, "session"),
            name: text(frame, "name"),
        }),
        "names" => HostKind::Names(names(frame)),
        "ping" => HostKind::Ping(pb::Ping { number: number(frame, "number") }),
        "drain" => HostKind::Drain(pb::Drain {}),
        _ => return pb::HostFrame { kind: None },
    };
    pb::HostFrame { kind: Some(kind) }
}

/// What the worker sent, with the number of its message and how many frames that has.
pub fn to_json(kind: &Kind, message: u64, of: usize) -> Value {
    let mut event = match kind {
        Kind::Hello(hello) => json!({"event": "hello", "pid": hello.pid, "runtime": hello.runtime,
            "protocol_version": hello.protocol_version,
            "frameworks": hello.frameworks.iter().map(|framework| json!([framework.framework_id,
                framework.version, utf8(&framework.schema_json)])).collect::<Vec<_>>()}),
        Kind::Result(result) => result_json(result),
        Kind::Chunk(chunk) => json!({"event": "chunk", "call_id": chunk.call_id,
            "sequence": chunk.sequence, "payload": payload_json(chunk.payload.as_ref())}),
        Kind::ToolRequest(tool) => json!({"event": "tool_request", "call_id": tool.call_id,
            "request_id": tool.request_id, "name": tool.name, "stream": tool.stream,
            "chunk_credit": tool.chunk_credit, "timeout_ms": tool.timeout_ms,
            "traceparent": tool.traceparent, "payload": payload_json(tool.arguments.as_ref())}),
        Kind::ToolCancel(cancel) => {
            json!({"event": "tool_cancel", "request_id": cancel.request_id})
        }
        Kind::ToolCredit(credit) => json!({"event": "tool_credit",
            "request_id": credit.request_id, "chunks": credit.chunks}),
        Kind::ToolQuery(query) => json!({"event": "tool_query", "call_id": query.call_id,
            "request_id": query.request_id}),
        Kind::StateRequest(state) => state_json(state),
        Kind::Log(log) => json!({"event": "log", "call_id": log.call_id, "level": log.level,
            "target": log.target, "message": log.message, "dropped": log.dropped}),
        Kind::Pong(pong) => json!({"event": "pong", "number": pong.number}),
        Kind::Drained(pb::Drained {}) => json!({"event": "drained"}),
        Kind::RegionNotes(_) => json!({"event": "region_notes"}),
    };
    event["message_number"] = json!(message);
    event["message_frames"] = json!(of);
    event
}

pub fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// A call from its description.
pub fn call(frame: &Value, call_id: u64) -> pb::Call {
    pb::Call {
        call_id,
        session_id: text(frame, "session"),
        framework_id: text(frame, "framework"),
        operation_name: text(frame, "operation"),
        parameters: Some(payload(frame)),
        deadline_remaining_ms: number(frame, "deadline_ms"),
        stream: frame.get("stream") == Some(&json!(true)),
        chunk_credit: count(frame, "credit"),
        traceparent: text(frame, "traceparent"),
        session_incarnation: number(frame, "incarnation"),
        session_number: number(frame, "session_number"),
        operation_number: number(frame, "operation_number"),
        trace: frame.get("trace").map(trace),
    }
}

fn names(frame: &Value) -> pb::Names {
    pb::Names {
        anew: frame.get("anew") == Some(&json!(true)),
        session: frame.get("session_number").map(|_| pb::SessionName {
            number: number(frame, "session_number"),
            session_id: text(frame, "session"),
        }),
        operation: frame.get("operation_number").map(|_| pb::OperationName {
            number: number(frame, "operation_number"),
            framework_id: text(frame, "framework"),
            operation_name: text(frame, "operation"),
        }),
    }
}

fn trace(from: &Value) -> pb::Trace {
    pb::Trace {
        trace_high: number(from, "high"),
        trace_low: number(from, "low"),
        span: number(from, "span"),
        sampled: from.get("sampled") == Some(&json!(true)),
    }
}

fn payload(frame: &Value) -> pb::Payload {
    let attachments = frame.get("attachments").and_then(Value::as_array);
    let attachments = attachments.into_iter().flatten().map(|item| {
        let kind = match item.as_str() {
            Some(blob) => Attached::Blob(unhex(blob).into()),
            None if item.get("dtype").is_none() => Attached::Blob(data(item)),
            None => Attached::Tensor(pb::Tensor {
                dtype: text(item, "dtype"),
                shape: serde_json::from_value(item["shape"].clone()).expect("shape"),
                data: data(item),
            }),
        };
        pb::Attachment { kind: Some(kind) }
    });
    pb::Payload { json: text(frame, "json").into(), attachments: attachments.collect() }
}

/// Given as hex, or as a number of zeros.
fn data(item: &Value) -> Bytes {
    match item.get("zeros").and_then(Value::as_u64) {
        Some(count) => Bytes::from(vec![0; usize::try_from(count).expect("zeros")]),
        None => unhex(&text(item, "data")).into(),
    }
}

fn payload_json(payload: Option<&pb::Payload>) -> Value {
    let Some(payload) = payload else { return Value::Null };
    let attachments = payload.attachments.iter().map(|item| match &item.kind {
        Some(Attached::Shared(_)) => json!({"shared": true}),
        Some(Attached::Blob(blob)) => json!({"blob": hex(blob), "bytes": blob.len()}),
        Some(Attached::Tensor(tensor)) => json!({"dtype": tensor.dtype, "shape": tensor.shape,
            "data": hex(&tensor.data), "bytes": tensor.data.len()}),
        None => Value::Null,
    });
    let shown = payload.json.len().min(JSON_BYTES_MAX);
    let shown = payload.json.slice(..shown);
    let attachments: Vec<_> = attachments.collect();
    json!({"json": utf8(&shown), "json_bytes": payload.json.len(), "attachments": attachments})
}

fn result_json(result: &pb::CallResult) -> Value {
    use pb::call_result::Outcome;
    match &result.outcome {
        Some(Outcome::Payload(payload)) => json!({"event": "result", "call_id": result.call_id,
            "payload": payload_json(Some(payload))}),
        Some(Outcome::Error(error)) => json!({"event": "result", "call_id": result.call_id,
            "error": {"status": error.status, "message": error.message,
                "retryable": error.retryable, "details": utf8(&error.details_json),
                "python_type": error.python_type, "traceback": error.python_traceback,
                "causes": error.causes.iter().map(|cause| json!([cause.r#type, cause.message]))
                    .collect::<Vec<_>>()}}),
        None => json!({"event": "result", "call_id": result.call_id}),
    }
}

fn state_json(state: &pb::StateRequest) -> Value {
    use pb::state_request::Verb;
    let verb = match state.verb.as_ref().expect("verb") {
        Verb::Get(get) => json!({"verb": "get", "name": get.name}),
        Verb::Set(set) => json!({"verb": "set", "name": set.name,
            "payload": payload_json(set.value.as_ref()), "expected_version": set.expected_version}),
        Verb::Register(new) => json!({"verb": "register", "name": new.name, "type": new.r#type,
            "payload": payload_json(new.initial.as_ref()),
            "constraints": utf8(&new.constraints_json),
            "metadata": utf8(&new.metadata_json)}),
        Verb::Delete(old) => json!({"verb": "delete", "name": old.name,
            "expected_version": old.expected_version}),
        Verb::List(list) => json!({"verb": "list", "pattern": list.pattern}),
        other => more_verbs_json(other),
    };
    json!({"event": "state_request", "call_id": state.call_id, "request_id": state.request_id,
        "ask": verb})
}

fn more_verbs_json(verb: &pb::state_request::Verb) -> Value {
    use pb::state_request::Verb;
    match verb {
        Verb::GetMany(get) => json!({"verb": "get_many", "names": get.names}),
        Verb::SetMany(set) => json!({"verb": "set_many", "owner": set.owner,
            "writes": set.writes.iter().map(|write| json!([write.name,
                payload_json(write.value.as_ref()), write.expected_version])).collect::<Vec<_>>()}),
        Verb::Update(update) => json!({"verb": "update", "name": update.name,
            "payload": payload_json(update.update.as_ref()), "owner": update.owner,
            "expected_version": update.expected_version}),
        Verb::History(history) => json!({"verb": "history", "name": history.name}),
        Verb::Rollback(back) => json!({"verb": "rollback", "name": back.name,
            "version": back.version, "owner": back.owner}),
        Verb::Lock(lock) => json!({"verb": "lock", "name": lock.name, "owner": lock.owner,
            "ttl_ms": lock.ttl_ms}),
        Verb::Unlock(unlock) => json!({"verb": "unlock", "name": unlock.name,
            "owner": unlock.owner}),
        Verb::Watch(watch) => json!({"verb": "watch", "patterns": watch.patterns,
            "coalesce": watch.coalesce, "initial": watch.initial, "credit": watch.credit}),
        _ => json!({"verb": "another"}),
    }
}

fn state_outcome(frame: &Value) -> pb::state_response::Outcome {
    use pb::state_response::Outcome;
    if let Some(fault) = frame.get("error") {
        return Outcome::Error(error(fault));
    }
    if let Some(list) = frame.get("variables") {
        let variables = list.as_array().expect("list").iter().map(variable).collect();
        return Outcome::Variables(pb::Variables { variables });
    }
    if let Some(list) = frame.get("found") {
        let variables = list.as_array().expect("list").iter().map(variable).collect();
        return Outcome::Found(pb::VariablesFound { variables, missing: vec!["none".to_owned()] });
    }
    if let Some(list) = frame.get("history") {
        let past = |from: &Value| pb::PastValue {
            version: number(from, "version"),
            value: Some(payload(from)),
        };
        let values = list.as_array().expect("list").iter().map(past).collect();
        return Outcome::History(pb::VariablePast { values });
    }
    match frame.get("variable") {
        Some(one) => Outcome::Variable(variable(one)),
        None => Outcome::Deleted(pb::Deleted {}),
    }
}

fn variable(from: &Value) -> pb::Variable {
    pb::Variable {
        name: text(from, "name"),
        r#type: text(from, "type"),
        value: Some(payload(from)),
        version: number(from, "version"),
        constraints_json: text(from, "constraints").into(),
        metadata_json: text(from, "metadata").into(),
        id: number(from, "id"),
        lock_owner: text(from, "owner"),
        lock_expires_in_ms: number(from, "expires_in_ms"),
    }
}

fn error(from: &Value) -> pb::Error {
    pb::Error {
        status: small(from, "status"),
        message: text(from, "message"),
        retryable: from.get("retryable") == Some(&json!(true)),
        details_json: text(from, "details").into(),
        python_type: text(from, "python_type"),
        ..pb::Error::default()
    }
}

fn text(from: &Value, key: &str) -> String {
    from.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(from: &Value, key: &str) -> u64 {
    from.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn count(from: &Value, key: &str) -> u32 {
    u32::try_from(number(from, key)).expect("32 bits")
}

fn small(from: &Value, key: &str) -> i32 {
    i32::try_from(number(from, key)).expect("32 bits")
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is long is known by its length.
fn hex(bytes: &[u8]) -> String {
    let shown = bytes.iter().take(HEX_BYTES_MAX);
    shown.map(|byte| format!("{byte:02x}")).collect()
}

const HEX_BYTES_MAX: usize = 64;
const JSON_BYTES_MAX: usize = 1024;
