//! An accepted connection of a worker: gRPC over HTTP/2 on its socket, run by a strand.
//!
//! It knows neither who may connect nor what is said.

use std::convert::Infallible;
use std::os::unix::net::UnixStream;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::unix::UCred;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use super::quiet_socket::QuietSocket;
use super::strand::Strand;

/// Who is at the other end, as an extension of each request.
#[derive(Clone)]
pub struct Caller {
    /// Where the kernel names them.
    pub credentials: Option<UCred>,
    /// What runs the connection.
    pub strand: Strand,
}

/// Serves `caller` until the connection ends, or, after `stop`, until its requests have ended.
pub async fn serve<S>(
    socket: UnixStream,
    service: S,
    caller: Caller,
    stop: impl Future<Output = ()>,
) where
    S: Service<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let socket = match QuietSocket::new(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!("a worker's connection cannot be served: {error}"),
    };
    let strand = caller.strand.clone();
    let answer = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(caller.clone());
        service.clone().call(request)
    });
    let connection = http2::Builder::new(strand)
        .initial_stream_window_size(H2_WINDOW_BYTES)
        .initial_connection_window_size(H2_WINDOW_BYTES)
        .max_frame_size(H2_FRAME_BYTES)
        .serve_connection(TokioIo::new(socket), answer);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a worker's connection broke: {error}");
    }
}

/// Large enough that a value of any size flows without waiting for window updates on a local
/// socket.
const H2_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const H2_FRAME_BYTES: u32 = 1024 * 1024;
