//! The Unix socket that workers dial: 0600, in a directory that is ours alone, for callers of our
//! own user only.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::ml_bridge_server::{MlBridge, MlBridgeServer};
use tokio::net::UnixListener;
use tokio::net::unix::UCred;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status as Grpc};

use crate::core::limits::MESSAGE_OVERHEAD_BYTES;
use crate::core::{Error, Result, Status};

use super::attach::Attachment;
use super::connection::{Caller, serve};
use super::gate::Gate;
use super::lanes::Lanes;
use super::outbox::{Outbox, OutboxStream};
use super::patience::patient;
use super::peer::WorkerEvents;
use super::strand::Strand;
use super::wires::{Wire, Wires};

/// The open socket. Dropping it closes and removes it.
pub struct Listener {
    socket: PathBuf,
    lane_socket: PathBuf,
    gate: Gate,
    stop: watch::Sender<bool>,
    /// Ends last.
    _wires: Wires,
}

impl Listener {
    /// Opens a socket in `directory`, which nobody else may enter. `runtime` accepts who connects,
    /// and `wires` serve them in turn.
    pub fn open(
        directory: &Path,
        value_bytes_max: usize,
        events: Arc<dyn WorkerEvents>,
        runtime: &Handle,
        wires: Wires,
    ) -> Result<Self> {
        let owner = owner_of(directory)?;
        let socket = socket_path(directory)?;
        let listener = bind(&socket, runtime)?;
        // Shorter than the other one's.
        let lane_socket = directory.join("lane.sock");
        let lane_listener = bind(&lane_socket, runtime)?;
        let (stop, stopped) = watch::channel(false);
        let lanes =
            Lanes::serve(lane_listener, lane_socket.clone(), owner, stop.subscribe(), runtime);
        let gate = Gate::default();
        let message_bytes_max = value_bytes_max.saturating_add(MESSAGE_OVERHEAD_BYTES);
        let service = WorkerService {
            gate: gate.clone(),
            events,
            lanes,
            message_bytes_max,
            value_bytes_max,
            owner,
        };
        let service = MlBridgeServer::new(service)
            .max_decoding_message_size(message_bytes_max)
            .max_encoding_message_size(message_bytes_max);
        let doors = wires.each().map(|(runtime, wire)| {
            serve_on(runtime, wire.clone(), service.clone(), stopped.clone())
        });
        runtime.spawn(accept(listener, doors.collect(), stopped.clone()));
        Ok(Listener { socket, lane_socket, gate, stop, _wires: wires })
    }

    /// Where workers dial.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Who may attach.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for socket in [&self.socket, &self.lane_socket] {
            if let Err(error) = std::fs::remove_file(socket)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!("cannot remove {socket:?}: {error}");
            }
        }
        crate::shared_memory::pool().trim(std::time::Duration::ZERO);
    }
}

type Door = mpsc::Sender<(UnixStream, Option<UCred>)>;

/// Hands connections to the wires in turn.
async fn accept(listener: UnixListener, doors: Vec<Door>, mut stopped: watch::Receiver<bool>) {
    let mut incoming = std::pin::pin!(patient(UnixListenerStream::new(listener)));
    for door in doors.iter().cycle() {
        let accepted = tokio::select! {
            accepted = incoming.next() => accepted,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        let Some(Ok(socket)) = accepted else { return };
        let peer = socket.peer_cred().ok();
        // Where it cannot be taken out of this runtime, or its wire has ended, it is closed.
        if let Ok(socket) = socket.into_std() {
            let _ = door.send((socket, peer)).await;
        }
    }
}

/// Serves connections on one wire's runtime; returns where to put them.
fn serve_on(
    runtime: &Handle,
    wire: Arc<Wire>,
    service: MlBridgeServer<WorkerService>,
    stopped: watch::Receiver<bool>,
) -> Door {
    let (door, mut connections) = mpsc::channel(CONNECTIONS_WAITING_MAX);
    runtime.spawn(async move {
        while let Some((socket, credentials)) = connections.recv().await {
            let (service, mut stopped) = (service.clone(), stopped.clone());
            let stop = async move {
                // An error means that the listener was dropped, which also ends it.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            Strand::start(&Handle::current(), wire.clone(), |strand| {
                serve(socket, service, Caller { credentials, strand }, stop)
            });
        }
    });
    door
}

/// Our user, if `directory` is ours alone.
fn owner_of(directory: &Path) -> Result<u32> {
    let facts =
        std::fs::metadata(directory).map_err(|error| io_error("read", directory, &error))?;
    if !facts.is_dir() || facts.permissions().mode() & 0o077 != 0 {
        let message = format!("run directory {directory:?} is not ours alone");
        return Err(Error::new(Status::State, message));
    }
    Ok(facts.uid())
}

fn socket_path(directory: &Path) -> Result<PathBuf> {
    let socket = directory.join("bridge.sock");
    if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let message = format!(
            "run_dir is too long: the socket's path {socket:?} would have more than \
             {SOCKET_PATH_BYTES_MAX} bytes"
        );
        return Err(Error::invalid(message).with("field", "run_dir"));
    }
    Ok(socket)
}

fn bind(socket: &Path, runtime: &Handle) -> Result<UnixListener> {
    let _guard = runtime.enter();
    let listener = UnixListener::bind(socket).map_err(|error| io_error("bind", socket, &error))?;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(socket, private)
        .map_err(|error| io_error("protect", socket, &error))?;
    Ok(listener)
}

fn io_error(verb: &str, path: &Path, error: &std::io::Error) -> Error {
    let message = format!("cannot {verb} {path:?}: {error}");
    Error::new(Status::of_io(error), message).with("field", "run_dir")
}

/// What a worker can call: `Attach`, and nothing else.
struct WorkerService {
    gate: Gate,
    lanes: Lanes,
    events: Arc<dyn WorkerEvents>,
    message_bytes_max: usize,
    value_bytes_max: usize,
    /// Our user, as the owner of the directory that we made.
    owner: u32,
}

impl WorkerService {
    /// The caller's process, if it is one of our own user's.
    fn peer(&self, caller: &Caller) -> Result<Option<u32>, Grpc> {
        let Some(credentials) = caller.credentials else {
            return Err(Grpc::unauthenticated("the kernel does not name the peer"));
        };
        if credentials.uid() != self.owner {
            self.events.refused("a process of another user connected");
            return Err(Grpc::unauthenticated("another user"));
        }
        Ok(credentials.pid().and_then(|pid| u32::try_from(pid).ok()))
    }
}

#[tonic::async_trait]
impl MlBridge for WorkerService {
    type AttachStream = OutboxStream;

    async fn attach(
        &self,
        request: Request<tonic::Streaming<pb::WorkerMessage>>,
    ) -> Result<Response<OutboxStream>, Grpc> {
        let Some(caller) = request.extensions().get::<Caller>() else {
            return Err(Grpc::internal("a connection without a caller"));
        };
        let peer_pid = self.peer(caller)?;
        let outbox = Outbox::on(caller.strand.clone());
        let attachment = Attachment {
            gate: self.gate.clone(),
            events: self.events.clone(),
            outbox: outbox.clone(),
            lanes: self.lanes.clone(),
            wire: caller.strand.wire().clone(),
            value_bytes_max: self.value_bytes_max,
            message_bytes_max: u64::try_from(self.message_bytes_max).unwrap_or(u64::MAX),
            peer_pid,
        };
        // On the wire that this runs on.
        Handle::current().spawn(attachment.run(request.into_inner()));
        Ok(Response::new(outbox.stream()))
    }

    async fn execute_elixir_tool(
        &self,
        _: Request<pb::ExecuteToolRequest>,
    ) -> Result<Response<pb::ExecuteToolResponse>, Grpc> {
        Err(Grpc::permission_denied("workers call tools on their attach stream"))
    }

    async fn execute_framework_operation(
        &self,
        _: Request<pb::ExecuteFrameworkRequest>,
    ) -> Result<Response<pb::ExecuteFrameworkResponse>, Grpc> {
        Err(Grpc::permission_denied("workers do not start operations"))
    }
}

/// Connections that one wire has not taken yet; the others wait in the socket's backlog.
const CONNECTIONS_WAITING_MAX: usize = 16;
/// Linux's limit for `sun_path`, with its final NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;
