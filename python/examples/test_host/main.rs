//! A platform's end of the attach stream for the tests of the native module: it does what a test
//! says and tells what the worker sent. Not part of the product.
//!
//! `test_host SOCKET TOKEN_HEX`. Each line on stdin is a command in JSON, each line on stdout an
//! event: `{"frames": [...]}` sends one message, `{"flood": {...}}` measures, `{"pings": N,
//! "then_write": PATH}` beats N times and says so in a file, `{"pause": true}` stops reading until
//! `{"pause": false}`, `{"break": REASON}` fails the stream, `{"hang_up": true}` ends it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test program stops at the first fault"
)]

mod flood;
mod frames;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::ml_bridge_server::{MlBridge, MlBridgeServer};
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status};

type Outgoing = mpsc::Sender<Result<pb::HostMessage, Status>>;

#[derive(Default)]
struct Host {
    token: Vec<u8>,
    outgoing: Mutex<Option<Outgoing>>,
    flood: Mutex<Option<flood::Flood>>,
    paused: watch::Sender<bool>,
    pong: Notify,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, socket, token] = arguments.as_slice() else {
        eprintln!("usage: test_host SOCKET TOKEN_HEX");
        return;
    };
    let host = Arc::new(Host { token: frames::unhex(token), ..Host::default() });
    let listener = UnixListener::bind(socket).expect("bind");
    say(&json!({"event": "listening"}));
    let service = MlBridgeServer::new(Service(host.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let server = tonic::transport::Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .add_service(service)
        .serve_with_incoming(UnixListenerStream::new(listener));
    tokio::select! {
        served = server => served.expect("serve"),
        () = obey(&host) => {}
    }
}

/// Carries out commands until stdin ends.
async fn obey(host: &Host) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("stdin") {
        let command: Value = serde_json::from_str(&line).expect("command");
        if let Some(list) = command.get("frames") {
            let list = list.as_array().expect("frames");
            let frames = list.iter().map(frames::from_json).collect();
            send(host, Ok(pb::HostMessage { frames })).await;
        } else if let Some(order) = command.get("flood") {
            let mut flood = flood::Flood::new(order);
            let first = flood.first();
            *host.flood.lock() = Some(flood);
            send(host, Ok(first)).await;
        } else if let Some(count) = command.get("pings") {
            pings(host, count.as_u64().expect("pings")).await;
            let path = command["then_write"].as_str().expect("path");
            std::fs::write(path, "x").expect("then_write");
        } else if let Some(pause) = command.get("pause") {
            host.paused.send_replace(pause == &json!(true));
        } else if let Some(reason) = command.get("break") {
            let reason = reason.as_str().unwrap_or_default();
            send(host, Err(Status::internal(reason))).await;
        } else {
            *host.outgoing.lock() = None;
        }
    }
}

async fn pings(host: &Host, count: u64) {
    for number in 0..count {
        let ping = HostKind::Ping(pb::Ping { number });
        send(host, Ok(pb::HostMessage { frames: vec![pb::HostFrame { kind: Some(ping) }] })).await;
        host.pong.notified().await;
        tokio::time::sleep(BETWEEN_PINGS).await;
    }
}

async fn send(host: &Host, message: Result<pb::HostMessage, Status>) {
    let outgoing = host.outgoing.lock().clone();
    // A worker that is gone does not listen.
    let _ = outgoing.expect("a worker is attached").send(message).await;
}

fn say(event: &Value) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{event}").expect("stdout");
    stdout.flush().expect("stdout");
}

struct Service(Arc<Host>);

#[tonic::async_trait]
impl MlBridge for Service {
    type AttachStream = ReceiverStream<Result<pb::HostMessage, Status>>;

    async fn attach(
        &self,
        request: Request<tonic::Streaming<pb::WorkerMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        *self.0.outgoing.lock() = Some(sender);
        let host = self.0.clone();
        tokio::runtime::Handle::current().spawn(read(host, request.into_inner()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn execute_elixir_tool(
        &self,
        _: Request<pb::ExecuteToolRequest>,
    ) -> Result<Response<pb::ExecuteToolResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn execute_framework_operation(
        &self,
        _: Request<pb::ExecuteFrameworkRequest>,
    ) -> Result<Response<pb::ExecuteFrameworkResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn read(host: Arc<Host>, mut inbound: tonic::Streaming<pb::WorkerMessage>) {
    let mut number = 0_u64;
    let mut paused = host.paused.subscribe();
    while let Ok(Some(message)) = inbound.message().await {
        paused.wait_for(|paused| !paused).await.expect("host lives");
        let count = message.frames.len();
        let flood = host.flood.lock().take();
        if let Some(flood) = flood {
            take_flood(&host, flood, &message).await;
            continue;
        }
        for frame in message.frames {
            let kind = frame.kind.expect("kind");
            if let Kind::Hello(hello) = &kind {
                let answer = welcome(&host, hello);
                say(&frames::to_json(&kind, number, count));
                send(&host, answer).await;
            } else {
                say(&frames::to_json(&kind, number, count));
            }
            if matches!(kind, Kind::Pong(_)) {
                host.pong.notify_one();
            }
        }
        number += 1;
    }
    say(&json!({"event": "closed"}));
    *host.outgoing.lock() = None;
}

async fn take_flood(host: &Host, mut flood: flood::Flood, message: &pb::WorkerMessage) {
    let next = flood.take(message);
    match flood.report() {
        Some(report) => say(&report),
        None => *host.flood.lock() = Some(flood),
    }
    if let Some(next) = next {
        send(host, Ok(next)).await;
    }
}

fn welcome(host: &Host, hello: &pb::Hello) -> Result<pb::HostMessage, Status> {
    if hello.token != host.token {
        return Err(Status::unauthenticated("unknown or used token"));
    }
    let welcome = pb::Welcome {
        protocol_version: pb::PROTOCOL_VERSION,
        slot: 3,
        generation: 7,
        message_bytes_max: MESSAGE_BYTES_MAX as u64,
        ..pb::Welcome::default()
    };
    let frame = pb::HostFrame { kind: Some(HostKind::Welcome(welcome)) };
    Ok(pb::HostMessage { frames: vec![frame] })
}

const BETWEEN_PINGS: Duration = Duration::from_millis(10);
const MESSAGE_BYTES_MAX: usize = 65 * 1024 * 1024;
const WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const FRAME_BYTES: u32 = 1024 * 1024;
const QUEUE_MAX: usize = 1024;
