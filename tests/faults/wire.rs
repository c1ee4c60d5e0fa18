//! A worker that speaks the wire itself, from the handoff to its last frame, so that scenarios can
//! have it lie at its hello and die at an exact point of a call.
//!
//! A pool runs it in place of an interpreter. What its hello is like is told to it by slot and
//! generation; what it does in a call stands in the call's parameters.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use serde::Deserialize;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::ml_bridge_client::MlBridgeClient;
use snakepit_bridge_proto::worker_frame::Kind;
use snakepit_bridge_proto::{self as pb, call_result::Outcome};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

use crate::counted::Counted;
use crate::platforms::ledger;
use crate::worker::obey;

/// The role of such a worker.
pub fn run() {
    let handoff: Handoff = serde_json::from_reader(File::open("/proc/self/fd/3").unwrap()).unwrap();
    let manners: HashMap<String, String> =
        serde_json::from_str(&std::env::var(MANNERS).unwrap()).unwrap();
    let own = format!("{}.{}", handoff.slot, handoff.generation);
    let manner = manners.get(&own).or_else(|| manners.get("*"));
    let manner = manner.map_or("", String::as_str).to_owned();
    if manner == "crash" {
        (0..10_000).for_each(|line| eprintln!("line {line} of many"));
        eprintln!("this is the end");
        std::process::exit(1);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(live(&handoff, &manner));
}

/// The part of the handoff that matters here.
#[derive(Deserialize)]
struct Handoff {
    socket: PathBuf,
    token: String,
    slot: u32,
    generation: u64,
}

async fn live(handoff: &Handoff, manner: &str) {
    if manner == "silent" {
        return std::future::pending().await;
    }
    let written = Arc::new(AtomicU64::new(0));
    let (outgoing, frames) = mpsc::channel(1024);
    let worker = Worker { outgoing, written: written.clone() };
    if manner == "mute" {
        // Connects, and says nothing.
        let _client = connect(handoff.socket.clone(), written).await;
        return std::future::pending().await;
    }
    if manner == "lender" {
        leave_note(LENT, &handoff.token);
        find_note(RETURNED);
    }
    worker.say(hello(handoff, manner)).await;
    let mut client = connect(handoff.socket.clone(), written).await;
    let inbound = client.attach(ReceiverStream::new(frames)).await;
    let mut inbound = match inbound {
        Ok(inbound) => inbound.into_inner(),
        // Refused: it stays, so that the pool has to end it.
        Err(_) => return std::future::pending().await,
    };
    while let Ok(Some(message)) = inbound.message().await {
        for frame in message.frames {
            worker.heed(handoff, manner, frame.kind.unwrap()).await;
        }
    }
    if manner == "borrowed" {
        leave_note(RETURNED, "");
    }
    if !HONEST.contains(&manner) {
        std::future::pending::<()>().await;
    }
}

/// What it says of itself, truly or not.
fn hello(handoff: &Handoff, manner: &str) -> Kind {
    let own = bytes_of(&handoff.token);
    let token = match manner {
        "invented" => vec![7; 32],
        "short" => own[..16].to_vec(),
        // Of a worker that has used it, and of one that has not.
        "stolen" => bytes_of(&find_note("token-9")),
        "borrowed" => bytes_of(&find_note(LENT)),
        _ => own,
    };
    Kind::Hello(pb::Hello {
        protocol_version: if manner == "version" { 99 } else { pb::PROTOCOL_VERSION },
        token: token.into(),
        pid: if manner == "pid" { 1 } else { std::process::id() },
        runtime: "a test".to_owned(),
        frameworks: vec![pb::FrameworkSchema {
            framework_id: "wire".to_owned(),
            version: "1".to_owned(),
            schema_json: SCHEMA.into(),
        }],
        shared_memory: false,
    })
}

/// For other workers of the same platform, whole as soon as it is there.
fn leave_note(name: &str, text: &str) {
    let path = std::env::temp_dir().join(name);
    std::fs::write(path.with_extension("new"), text).unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
}

fn find_note(name: &str) -> String {
    let path = std::env::temp_dir().join(name);
    loop {
        if let Ok(text) = std::fs::read_to_string(&path) {
            return text;
        }
        std::thread::yield_now();
    }
}

struct Worker {
    outgoing: mpsc::Sender<pb::WorkerMessage>,
    /// Bytes that the kernel has taken from us.
    written: Arc<AtomicU64>,
}

impl Worker {
    async fn say(&self, kind: Kind) {
        let frames = vec![pb::WorkerFrame { kind: Some(kind) }];
        self.outgoing.send(pb::WorkerMessage { frames }).await.unwrap();
    }

    async fn heed(&self, handoff: &Handoff, manner: &str, kind: HostKind) {
        match kind {
            HostKind::Welcome(_) => {
                if manner == "twice" {
                    self.say(hello(handoff, "")).await;
                }
                leave_note(&format!("token-{}", handoff.slot), &handoff.token);
            }
            HostKind::Ping(ping) => self.say(Kind::Pong(pb::Pong { number: ping.number })).await,
            HostKind::Drain(_) => std::process::exit(0),
            HostKind::Call(call) => self.act(call).await,
            _ => {}
        }
    }

    async fn act(&self, call: pb::Call) {
        let parameters = call.parameters.unwrap().json;
        let act: Act = serde_json::from_slice(&parameters).unwrap();
        act.note();
        let mut sequence = 0;
        for step in &act.steps {
            let before = self.written.load(Ordering::SeqCst);
            match step.as_str() {
                "chunk" => {
                    let payload = Some(payload(sequence));
                    let chunk = pb::CallChunk { call_id: call.call_id, sequence, payload };
                    self.say(Kind::Chunk(chunk)).await;
                    sequence += 1;
                }
                "result" => {
                    let outcome = Some(Outcome::Payload(payload(act.entry)));
                    let result = pb::CallResult { call_id: call.call_id, outcome };
                    self.say(Kind::Result(result)).await;
                }
                // An attempt that follows gets further.
                "die once" if ledger(&act.ledger)[&act.entry.to_string()] > 1 => continue,
                "die" | "die once" => {
                    kill_process(getpid(), Signal::KILL).unwrap();
                    std::future::pending().await
                }
                "family" => {
                    ["daemon", "deaf", "bare"].iter().for_each(|verb| obey(verb, &mut None));
                    continue;
                }
                "hold" => return,
                unknown => panic!("unknown step {unknown:?}"),
            }
            self.on_the_wire(before).await;
        }
    }

    /// What was said has gone to the kernel: from here on it outlives us.
    async fn on_the_wire(&self, before: u64) {
        while self.written.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
    }
}

/// What a call asks for.
#[derive(Deserialize)]
struct Act {
    /// Gets a line for each time that the call was begun.
    ledger: PathBuf,
    entry: u64,
    steps: Vec<String>,
}

impl Act {
    fn note(&self) {
        use std::io::Write;
        let mut ledger = File::options().append(true).create(true).open(&self.ledger).unwrap();
        ledger.write_all(format!("{}\n", self.entry).as_bytes()).unwrap();
    }
}

fn payload(number: u64) -> pb::Payload {
    pb::Payload { json: number.to_string().into(), attachments: vec![] }
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

async fn connect(
    path: PathBuf,
    written: Arc<AtomicU64>,
) -> MlBridgeClient<tonic::transport::Channel> {
    let connector = tower::service_fn(move |_| {
        let (path, written) = (path.clone(), written.clone());
        async move {
            let stream = UnixStream::connect(path).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(Counted::new(stream, written)))
        }
    });
    let endpoint = Endpoint::from_static("http://platform.invalid");
    MlBridgeClient::new(endpoint.connect_with_connector(connector).await.unwrap())
}

/// How the hellos of some workers are to be: `{"0.1": "version"}`, or those of all: `"*"`; any
/// others are honest.
pub const MANNERS: &str = "SNAKEPIT_MANNERS";
/// Manners that do no harm.
const HONEST: [&str; 2] = ["", "lender"];
const LENT: &str = "lent";
const RETURNED: &str = "returned";
const SCHEMA: &str = r#"{"operations": {
    "act": {"parameters": {"type": "object"}, "streaming": true},
    "act_again": {"parameters": {"type": "object"}, "streaming": true, "idempotent": true}
}}"#;
