//! A platform's listener and a worker of frames, in one process: what the worker says is up to the
//! test.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;
use snakepit_bridge::core::{CallId, Result, Value, WorkerId};
use snakepit_bridge::shared_memory::{self, Record};
use snakepit_bridge::telemetry::{LogDispatch, TraceContext};
use snakepit_bridge::transport::{
    CallPeer, CallStart, Listener, LogNote, StateAsk, StateReplier, ToolAsk, ToolReplier, Wires,
    WorkerEvents, WorkerLink,
};
use snakepit_bridge_proto::ml_bridge_client::MlBridgeClient;
use snakepit_bridge_proto::{
    self as pb, attachment::Kind as Attached, call_result::Outcome, host_frame, worker_frame,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use crate::support::LONG;
use crate::world::alone;

/// What the worker does about its lane.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Lane {
    Right,
    /// Connects with another key.
    Wrong,
    /// Says that it has no use for one.
    None,
}

pub struct Wire {
    runtime: Runtime,
    link: WorkerLink,
    calls: u64,
    ended: std::sync::mpsc::Receiver<Result<Value>>,
    peer: Arc<Peer>,
    says: Option<mpsc::Sender<pb::WorkerMessage>>,
    hears: Option<Streaming<pb::HostMessage>>,
    heard: Vec<pb::HostFrame>,
    lane: Option<UnixStream>,
    // Kept open behind the others.
    _client: MlBridgeClient<Channel>,
    _listener: Listener,
    _directory: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Wire {
    pub fn open(lane: Lane) -> Wire {
        let alone = alone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let ours_alone = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().permissions(ours_alone).tempdir().unwrap();
        let handle = runtime.handle();
        let wires = Wires::start(1, Duration::ZERO, LogDispatch::default(), || {}).unwrap();
        let listener =
            Listener::open(directory.path(), 64 << 20, Arc::new(Silent), handle, wires).unwrap();
        let worker = WorkerId { slot: 0, generation: 1 };
        let expectation = listener.gate().expect(worker).unwrap();
        listener.gate().recognise(expectation.ticket(), |_| true);
        let hello = pb::Hello {
            protocol_version: pb::PROTOCOL_VERSION,
            token: bytes_of(&expectation.token_hex()).into(),
            pid: std::process::id(),
            shared_memory: lane != Lane::None,
            ..Default::default()
        };
        let (client, says, mut hears) = runtime.block_on(dial(&listener, hello));
        let welcome = runtime.block_on(hears.message()).unwrap().unwrap().frames.remove(0);
        let Some(host_frame::Kind::Welcome(welcome)) = welcome.kind else { panic!("{welcome:?}") };
        let lane = connect(lane, &welcome);
        let (link, _) = runtime.block_on(expectation.arrived()).unwrap();
        let (sender, ended) = std::sync::mpsc::sync_channel(16);
        Wire {
            runtime,
            link,
            calls: 0,
            ended,
            peer: Arc::new(Peer(sender)),
            says: Some(says),
            hears: Some(hears),
            heard: Vec::new(),
            lane,
            _client: client,
            _listener: listener,
            _directory: directory,
            _alone: alone,
        }
    }

    /// Passes a descriptor with these words.
    pub fn pass(&self, region: u64, bytes: usize, file: &OwnedFd) {
        let lane = self.lane.as_ref().unwrap().try_clone().unwrap();
        let record = Record { region, bytes: bytes as u64 };
        shared_memory::Lane::new(lane.into()).send(record, file.as_fd()).unwrap();
    }

    pub fn scribble(&mut self, bytes: &[u8]) {
        self.lane.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Answers a call of the host with that attachment; what the host makes of it.
    pub fn answer(&mut self, attachment: Attached) -> Result<Value> {
        let call = self.send(Value::null());
        self.answer_as(call.call_id, attachment);
        self.ended.recv_timeout(LONG).unwrap()
    }

    pub fn answer_inline(&mut self) -> Result<Value> {
        self.answer(Attached::Blob(vec![1; 1 << 20].into()))
    }

    pub fn answer_as(&mut self, call_id: u64, attachment: Attached) {
        let json = r#"{"$spb":{"attachment":0}}"#.into();
        let attachments = vec![pb::Attachment { kind: Some(attachment) }];
        let outcome = Some(Outcome::Payload(pb::Payload { json, attachments }));
        self.say(worker_frame::Kind::Result(pb::CallResult { call_id, outcome }));
    }

    /// Has the host send a call, and gives it as it came.
    pub fn send(&mut self, parameters: Value) -> pb::Call {
        self.begin_unread(parameters);
        self.hear(|kind| match kind {
            host_frame::Kind::Call(call) => Ok(call),
            other => Err(Box::new(other)),
        })
    }

    pub fn begin_unread(&mut self, parameters: Value) {
        self.calls += 1;
        let start = CallStart {
            call: CallId(self.calls),
            session: (1, "any"),
            session_incarnation: 1,
            operation: (1, "python", "any"),
            parameters,
            deadline_remaining_ms: 0,
            stream: false,
            chunk_credit: 0,
            trace: TraceContext::root(),
        };
        self.link.begin(start, self.peer.clone()).unwrap();
    }

    /// As `send`, for content that is to lie in a region.
    pub fn lent(&mut self, parameters: Value) -> pb::Shared {
        match self.send(parameters).parameters.unwrap().attachments.remove(0).kind.unwrap() {
            Attached::Shared(shared) => shared,
            other => panic!("{other:?}"),
        }
    }

    /// The regions whose records lie on the lane.
    pub fn records(&self) -> Vec<u64> {
        let lane = self.lane.as_ref().unwrap().try_clone().unwrap();
        let lane = shared_memory::Lane::new(lane.into());
        std::iter::from_fn(|| lane.receive().ok()).map(|(record, _)| record.region).collect()
    }

    pub fn returns(&mut self, regions: &[u64]) {
        let notes = pb::RegionNotes { returned: regions.to_vec(), ..Default::default() };
        self.say(worker_frame::Kind::RegionNotes(notes));
    }

    pub fn misses(&mut self, region: u64) {
        let notes = pb::RegionNotes { missing: vec![region], ..Default::default() };
        self.say(worker_frame::Kind::RegionNotes(notes));
    }

    /// The next that the host says of regions.
    pub fn notes(&mut self) -> pb::RegionNotes {
        self.hear(|kind| match kind {
            host_frame::Kind::RegionNotes(notes) => Ok(notes),
            other => Err(Box::new(other)),
        })
    }

    /// The worker is gone.
    pub fn hang_up(&mut self) {
        drop((self.says.take(), self.hears.take(), self.lane.take()));
    }

    pub fn close(mut self) {
        self.hang_up();
        self.link.close();
    }

    fn say(&mut self, kind: worker_frame::Kind) {
        let frames = vec![pb::WorkerFrame { kind: Some(kind) }];
        let says = self.says.as_ref().unwrap();
        self.runtime.block_on(says.send(pb::WorkerMessage { frames })).unwrap();
    }

    /// The next frame that `wanted` takes; others wait.
    fn hear<T>(
        &mut self,
        wanted: impl Fn(host_frame::Kind) -> std::result::Result<T, Box<host_frame::Kind>>,
    ) -> T {
        let hears = self.hears.as_mut().unwrap();
        let mut passed = Vec::new();
        loop {
            while self.heard.is_empty() {
                let message = async { tokio::time::timeout(LONG, hears.message()).await };
                let message = self.runtime.block_on(message).unwrap().unwrap();
                self.heard = message.expect("the host hung up").frames;
            }
            let kind = self.heard.remove(0).kind.unwrap();
            match wanted(kind) {
                Err(kind) => passed.push(pb::HostFrame { kind: Some(*kind) }),
                Ok(found) => {
                    passed.append(&mut self.heard);
                    self.heard = passed;
                    return found;
                }
            }
        }
    }
}

pub fn blob(region: u64, offset: u64, length: u64) -> Attached {
    Attached::Shared(pb::Shared { region, offset, length, ..Default::default() })
}

pub fn tensor_of(dtype: &str, shape: &[i64], region: u64, length: u64) -> Attached {
    let (dtype, shape) = (dtype.to_owned(), shape.to_vec());
    Attached::Shared(pb::Shared { region, offset: 0, length, dtype, shape })
}

async fn dial(
    listener: &Listener,
    hello: pb::Hello,
) -> (MlBridgeClient<Channel>, mpsc::Sender<pb::WorkerMessage>, Streaming<pb::HostMessage>) {
    let path = listener.socket().to_path_buf();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move {
            let stream = tokio::net::UnixStream::connect(path).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://platform.invalid");
    let channel = endpoint.connect_with_connector(connector).await.unwrap();
    let mut client = MlBridgeClient::new(channel).max_decoding_message_size(64 << 20);
    let (says, frames) = mpsc::channel(16);
    let hello = pb::WorkerFrame { kind: Some(worker_frame::Kind::Hello(hello)) };
    says.send(pb::WorkerMessage { frames: vec![hello] }).await.unwrap();
    let hears = client.attach(ReceiverStream::new(frames)).await.unwrap().into_inner();
    (client, says, hears)
}

fn connect(lane: Lane, welcome: &pb::Welcome) -> Option<UnixStream> {
    if lane == Lane::None {
        assert_eq!((welcome.lane_socket.as_str(), welcome.lane_key.len()), ("", 0));
        return None;
    }
    let mut stream = UnixStream::connect(&welcome.lane_socket).unwrap();
    let key = if lane == Lane::Right { welcome.lane_key.to_vec() } else { vec![7; 32] };
    stream.write_all(&key).unwrap();
    Some(stream)
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

struct Silent;

impl WorkerEvents for Silent {
    fn log(&self, _: WorkerId, _: LogNote) {}
    fn refused(&self, _: &str) {}
}

/// Tells how calls end.
struct Peer(std::sync::mpsc::SyncSender<Result<Value>>);

impl CallPeer for Peer {
    fn finished(&self, outcome: Result<Value>) {
        self.0.send(outcome).unwrap();
    }
    fn chunks(&self, _: Vec<(u64, Value)>) {}
    fn lost(&self) {}
    fn tool(&self, _: ToolAsk, _: ToolReplier) {}
    fn tools(&self) -> Result<bytes::Bytes> {
        Ok(bytes::Bytes::from_static(b"[]"))
    }
    fn state(&self, _: StateAsk, _: StateReplier) {}
    fn log(&self, _: LogNote) {}
}
