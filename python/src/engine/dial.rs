//! Reaching the platform: connect to its socket, say hello, hear the welcome.
//!
//! Ends with a stream of host messages, or with a sentence that says what went wrong. The token is
//! sent and never shown.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::ml_bridge_client::MlBridgeClient;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::shared::{Outgoing, Shared};
use crate::limits::{H2_FRAME_BYTES, H2_WINDOW_BYTES, LANE_WAIT, MESSAGE_BYTES_MAX};
use crate::quiet_socket::QuietSocket;

/// Where to dial and what to say there.
pub struct Dial {
    pub socket_path: PathBuf,
    /// The one-time secret of the handoff.
    pub token: Bytes,
    /// For people: "CPython 3.11.7".
    pub runtime: String,
    pub frameworks: Vec<pb::FrameworkSchema>,
    pub timeout: Duration,
}

/// An admitted worker's connection.
pub struct Connection {
    pub welcome: pb::Welcome,
    pub inbound: Streaming<pb::HostMessage>,
    /// Frames that came in the same message as the welcome.
    pub frames: Vec<pb::HostFrame>,
    /// Keeps the channel open as long as the stream is read.
    pub client: MlBridgeClient<Channel>,
}

/// Dials within the time limit.
pub async fn dial(dial: Dial, shared: &Arc<Shared>) -> Result<Connection, String> {
    let limit = dial.timeout;
    let path = dial.socket_path.clone();
    match timeout(limit, greet(dial, shared)).await {
        Ok(result) => result,
        Err(_) => {
            let waited_ms = limit.as_millis();
            Err(format!("no welcome from the platform at {path:?} within {waited_ms} ms"))
        }
    }
}

async fn greet(dial: Dial, shared: &Arc<Shared>) -> Result<Connection, String> {
    let channel = connect(dial.socket_path).await?;
    shared.with(|state| {
        state.outbox.push(Kind::Hello(pb::Hello {
            protocol_version: pb::PROTOCOL_VERSION,
            token: dial.token,
            pid: std::process::id(),
            runtime: dial.runtime,
            frameworks: dial.frameworks,
            shared_memory: true,
        }));
    });
    // The limit is the host's to set, and it says so only in the welcome. It keeps to it itself;
    // what we send is checked before it is queued.
    let mut client = MlBridgeClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let response = client.attach(Outgoing::new(shared.clone())).await.map_err(refused)?;
    let mut inbound = response.into_inner();
    let first = inbound.message().await.map_err(refused)?;
    let mut frames = first.map(|message| message.frames).unwrap_or_default().into_iter();
    let Some(HostKind::Welcome(welcome)) = frames.next().and_then(|frame| frame.kind) else {
        return Err("platform answered the hello with something else than a welcome".to_owned());
    };
    if welcome.protocol_version != pb::PROTOCOL_VERSION {
        let (given, ours) = (welcome.protocol_version, pb::PROTOCOL_VERSION);
        return Err(format!("platform speaks protocol version {given}, this worker {ours}"));
    }
    if let Some(lane) = lane(&welcome).await {
        shared.sharing.open(lane);
    }
    Ok(Connection { welcome, inbound, frames: frames.collect(), client })
}

/// The connection for descriptors, if the host offers one. Without it the link works all the same.
async fn lane(welcome: &pb::Welcome) -> Option<OwnedFd> {
    if welcome.lane_socket.is_empty() {
        return None;
    }
    let connected = async {
        let mut stream = UnixStream::connect(&welcome.lane_socket).await?;
        stream.write_all(&welcome.lane_key).await?;
        stream.into_std()
    };
    let stream = timeout(LANE_WAIT, connected).await.ok()?.ok()?;
    Some(stream.into())
}

async fn connect(path: PathBuf) -> Result<Channel, String> {
    let shown = path.clone();
    let endpoint = Endpoint::from_static("http://platform.invalid")
        .initial_stream_window_size(H2_WINDOW_BYTES)
        .initial_connection_window_size(H2_WINDOW_BYTES)
        .max_frame_size(H2_FRAME_BYTES);
    let connector = service_fn(move |_| {
        let path = path.clone();
        async move {
            let socket = UnixStream::connect(path).await?.into_std()?;
            QuietSocket::new(socket).map(TokioIo::new)
        }
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| format!("cannot connect to {shown:?}: {}", innermost(&error)))
}

fn refused(status: tonic::Status) -> String {
    format!("platform refused the worker: {}", described(&status))
}

/// A gRPC status as a sentence: its message, or its meaning where it has none.
pub fn described(status: &tonic::Status) -> String {
    match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
