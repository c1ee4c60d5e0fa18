//! The platform's own gRPC endpoint, for programs that cannot link the library. Off unless
//! configured; it has no authentication of its own, so an address should be a Unix socket or
//! loopback.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::ml_bridge_server::{MlBridge, MlBridgeServer};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::{Request, Response, Status as Grpc};

use crate::core::limits::MESSAGE_OVERHEAD_BYTES;
use crate::core::{Error, Result, Status, Value};

use super::outbox::OutboxStream;
use super::patience::patient;
use super::{structs, wire};

/// Who carries out what clients ask.
pub trait EndpointHandler: Send + Sync + 'static {
    fn framework(&self, ask: FrameworkAsk) -> BoxFuture<'static, Result<Value>>;
    fn tool(&self, ask: HostToolAsk) -> BoxFuture<'static, Result<Value>>;
}

/// One framework operation, from outside.
pub struct FrameworkAsk {
    pub session: String,
    pub framework: String,
    pub operation: String,
    pub parameters: Value,
    /// 0: the platform's default.
    pub deadline_ms: u64,
    pub traceparent: String,
    /// Empty: the default pool.
    pub pool: String,
}

/// One call of a host tool, from outside.
pub struct HostToolAsk {
    pub session: String,
    pub tool: String,
    pub arguments: Value,
    pub deadline_ms: u64,
    pub traceparent: String,
}

/// Where to listen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EndpointAddress {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// The open endpoint. Dropping it stops accepting; running calls end with their platform.
pub struct Endpoint {
    address: EndpointAddress,
    stop: watch::Sender<bool>,
}

impl EndpointAddress {
    /// `unix:/path` or `ip:port`.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(EndpointAddress::Unix(PathBuf::from(path)));
        }
        text.parse().map(EndpointAddress::Tcp).map_err(|_| {
            let message =
                format!("serve.address is {text:?}, expected \"unix:/path\" or \"ip:port\"");
            Error::invalid(message).with("field", "serve.address")
        })
    }
}

impl Endpoint {
    /// Listens on `address` and serves it on `runtime`.
    pub fn open(
        address: &EndpointAddress,
        value_bytes_max: usize,
        handler: Arc<dyn EndpointHandler>,
        runtime: &Handle,
    ) -> Result<Self> {
        let bytes_max = value_bytes_max.saturating_add(MESSAGE_OVERHEAD_BYTES);
        let service = MlBridgeServer::new(EndpointService { handler })
            .max_decoding_message_size(bytes_max)
            .max_encoding_message_size(bytes_max);
        let router = tonic::transport::Server::builder().add_service(service);
        let (stop, mut stopped) = watch::channel(false);
        let until = async move {
            // An error means that the endpoint was dropped, which also ends it.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let _guard = runtime.enter();
        let address = match address {
            EndpointAddress::Unix(path) => {
                let listener = UnixListener::bind(path).map_err(|error| cannot(address, &error))?;
                let incoming = patient(UnixListenerStream::new(listener));
                runtime.spawn(router.serve_with_incoming_shutdown(incoming, until));
                address.clone()
            }
            EndpointAddress::Tcp(wanted) => {
                let (listener, bound) =
                    tcp_listener(*wanted).map_err(|error| cannot(address, &error))?;
                let incoming = patient(TcpListenerStream::new(listener));
                runtime.spawn(router.serve_with_incoming_shutdown(incoming, until));
                EndpointAddress::Tcp(bound)
            }
        };
        Ok(Endpoint { address, stop })
    }

    /// Where it listens in fact: a port 0 has become a real one.
    pub fn address(&self) -> String {
        match &self.address {
            EndpointAddress::Unix(path) => format!("unix:{}", path.display()),
            EndpointAddress::Tcp(address) => address.to_string(),
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let EndpointAddress::Unix(path) = &self.address {
            // It may have been removed by somebody else; there is nothing left to do then.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn tcp_listener(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, bound))
}

fn cannot(address: &EndpointAddress, error: &std::io::Error) -> Error {
    let message = format!("cannot listen on {address:?}: {error}");
    Error::new(Status::Unavailable, message).with("field", "serve.address")
}

struct EndpointService {
    handler: Arc<dyn EndpointHandler>,
}

#[tonic::async_trait]
impl MlBridge for EndpointService {
    type AttachStream = OutboxStream;

    async fn attach(
        &self,
        _: Request<tonic::Streaming<pb::WorkerMessage>>,
    ) -> Result<Response<OutboxStream>, Grpc> {
        Err(Grpc::permission_denied("workers attach to the platform's own socket"))
    }

    async fn execute_elixir_tool(
        &self,
        request: Request<pb::ExecuteToolRequest>,
    ) -> Result<Response<pb::ExecuteToolResponse>, Grpc> {
        let ask = request.into_inner();
        let exact = ask.payload.is_some();
        let outcome = match arguments(ask.payload, ask.parameters) {
            Err(error) => Err(error),
            Ok(arguments) => {
                let ask = HostToolAsk {
                    session: ask.session_id,
                    tool: ask.tool_name,
                    arguments,
                    deadline_ms: ask.deadline_ms,
                    traceparent: ask.traceparent,
                };
                self.handler.tool(ask).await
            }
        };
        let Answer { success, result, error_message, payload, error } = answer(outcome, exact);
        Ok(Response::new(pb::ExecuteToolResponse {
            success,
            result,
            error_message,
            payload,
            error,
        }))
    }

    async fn execute_framework_operation(
        &self,
        request: Request<pb::ExecuteFrameworkRequest>,
    ) -> Result<Response<pb::ExecuteFrameworkResponse>, Grpc> {
        let ask = request.into_inner();
        let exact = ask.payload.is_some();
        let outcome = match arguments(ask.payload, ask.parameters) {
            Err(error) => Err(error),
            Ok(parameters) => {
                let ask = FrameworkAsk {
                    session: ask.session_id,
                    framework: ask.framework_id,
                    operation: ask.operation_name,
                    parameters,
                    deadline_ms: ask.deadline_ms,
                    traceparent: ask.traceparent,
                    pool: ask.pool,
                };
                self.handler.framework(ask).await
            }
        };
        let Answer { success, result, error_message, payload, error } = answer(outcome, exact);
        let response =
            pb::ExecuteFrameworkResponse { success, result, error_message, payload, error };
        Ok(Response::new(response))
    }
}

fn arguments(exact: Option<pb::Payload>, plain: Option<prost_types::Struct>) -> Result<Value> {
    match exact {
        Some(payload) => wire::value_from(Some(payload)),
        None => structs::value_from_struct(plain),
    }
}

/// The five fields that both responses share.
struct Answer {
    success: bool,
    result: Option<prost_types::Value>,
    error_message: String,
    payload: Option<pb::Payload>,
    error: Option<pb::Error>,
}

fn answer(outcome: Result<Value>, exact: bool) -> Answer {
    let built = outcome.and_then(|value| {
        let (result, payload) = if exact {
            (None, Some(wire::payload_of(value)))
        } else {
            (Some(structs::dynamic_from_value(&value)?), None)
        };
        Ok(Answer { success: true, result, error_message: String::new(), payload, error: None })
    });
    built.unwrap_or_else(|error| Answer {
        success: false,
        result: None,
        error_message: error.to_string(),
        payload: None,
        error: Some(wire::error_of(&error)),
    })
}
