//! An accepted connection of a worker, as the gRPC server takes it: the socket, and who is at its
//! other end. It knows nothing of what is spoken there.

use tokio::net::unix::UCred;
use tonic::transport::server::Connected;

use super::quiet_socket::QuietSocket;

/// A worker's connection, with the process at its other end where the kernel names it.
pub type Connection = QuietSocket<Option<UCred>>;

impl Connected for Connection {
    type ConnectInfo = Option<UCred>;

    fn connect_info(&self) -> Self::ConnectInfo {
        *self.peer()
    }
}
