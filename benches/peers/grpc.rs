//! The client of the grpcio servers: tonic, over one channel on a Unix socket, as a Rust host would
//! call them; bytes of JSON there and back.
//!
//! It must not know which kind of server answers, nor what is compared.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::asked::{Asked, Command};
use crate::program::Program;

/// A server in a process of its own, and a channel to it.
pub struct Grpc {
    runtime: Runtime,
    channel: Channel,
    documents: PathBuf,
    /// Ends when this is dropped.
    _server: Program,
}

impl Grpc {
    /// `server` listens on `socket` once it has started.
    pub fn connect(server: Program, socket: &Path, documents: &Path) -> Grpc {
        // One thread carries many times what a grpcio server can, so it is the server that is
        // measured; the other core is the server's.
        let builder = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = builder.expect("a runtime");
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()));
        let channel = runtime.block_on(endpoint.expect("an address").connect());
        let channel = channel.expect("a server that listens");
        Grpc { runtime, channel, documents: documents.to_owned(), _server: server }
    }

    fn echo(&self, document: &Bytes, in_flight: usize, time: Duration) -> Json {
        let began = Instant::now();
        let mut times = self.runtime.block_on(async {
            let mut lanes = JoinSet::new();
            for _ in 0..in_flight {
                lanes.spawn(lane(self.channel.clone(), document.clone(), began + time));
            }
            lanes.join_all().await.concat()
        });
        let elapsed = began.elapsed();
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e6;
        let per_s = times.len() as f64 / elapsed.as_secs_f64();
        json!({"p50_us": at(50), "p99_us": at(99), "per_s": per_s, "count": times.len()})
    }

    /// How many chunks in a second; a short stream says how many fit into the time.
    fn chunks(&self, time: Duration) -> Json {
        const FEW: usize = 500;
        let few = self.stream(FEW);
        let count = 1 + (FEW as f64 * time.as_secs_f64() / few.as_secs_f64()) as usize;
        let per_s = count as f64 / self.stream(count).as_secs_f64();
        json!({"per_s": per_s, "count": count})
    }

    fn stream(&self, wanted: usize) -> Duration {
        let request = Bytes::from(json!({"count": wanted}).to_string());
        let began = Instant::now();
        let seen = self.runtime.block_on(async {
            let mut chunks = stream(self.channel.clone(), "/peer/chunks", request).await;
            let mut seen = 0;
            while let Some(chunk) = chunks.message().await.expect("a chunk") {
                seen += usize::from(!chunk.is_empty());
            }
            seen
        });
        assert_eq!(seen, wanted, "chunks are missing");
        began.elapsed()
    }

    fn compute(&self, verb: &str) -> Json {
        let request = Bytes::from(json!({"verb": verb}).to_string());
        self.runtime.block_on(unary(self.channel.clone(), "/peer/compute", request));
        json!({})
    }
}

impl Asked for Grpc {
    fn ask(&mut self, command: Command) -> Json {
        let time = Duration::from_millis(command.time_ms);
        match command.verb {
            "echo" => {
                let path = self.documents.join(format!("{}.json", command.size));
                let document = Bytes::from(std::fs::read(path).expect("a document"));
                self.echo(&document, command.in_flight, time)
            }
            "chunks" => self.chunks(time),
            "compute_start" => self.compute("start"),
            "compute_stop" => self.compute("stop"),
            other => panic!("no command {other:?}"),
        }
    }
}

/// One call after the other; how long each took.
async fn lane(channel: Channel, document: Bytes, end: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    loop {
        let began = Instant::now();
        let answer = unary(channel.clone(), "/peer/echo", document.clone()).await;
        assert!(answer.len() + 20 >= document.len(), "too short an echo");
        times.push(began.elapsed());
        if Instant::now() >= end {
            return times;
        }
    }
}

async fn unary(channel: Channel, path: &'static str, request: Bytes) -> Bytes {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("a server that takes calls");
    let path = PathAndQuery::from_static(path);
    client.unary(Request::new(request), path, Raw).await.expect("an answer").into_inner()
}

async fn stream(channel: Channel, path: &'static str, request: Bytes) -> Streaming<Bytes> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("a server that takes calls");
    let path = PathAndQuery::from_static(path);
    let answer = client.server_streaming(Request::new(request), path, Raw).await;
    answer.expect("an answer").into_inner()
}

/// Messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
