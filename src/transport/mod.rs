//! The wire between the platform and its workers: gRPC over a Unix socket in a private directory.
//!
//! The only module that names tonic, prost or the generated messages; everybody else sees
//! `WorkerLink`, the peers' traits and the platform's own types. It knows nothing of processes: who
//! may attach is decided by one-time tokens that others hand out.

pub mod attach;
mod chunk_run;
mod connection;
mod drive;
pub mod gate;
mod lanes;
pub mod link;
pub mod listener;
mod names;
pub mod outbox;
mod patience;
pub mod peer;
mod quiet_socket;
mod seat;
mod sending;
pub mod serve;
mod shared_payload;
mod sharing;
pub mod sleepers;
mod spin;
pub mod state_peer;
pub mod state_wire;
mod strand;
pub mod structs;
pub mod wire;
pub mod wires;

pub use gate::{Announcement, Expectation, FrameworkNote, Gate, Token};
pub use link::{CallStart, WorkerLink};
pub use listener::Listener;
pub use peer::{CallPeer, LogNote, ToolAsk, ToolPeer, ToolReplier, WorkerEvents};
pub use sending::sending;
pub use serve::{Endpoint, EndpointAddress, EndpointHandler, FrameworkAsk, HostToolAsk};
pub use sleepers::Sleepers;
pub use snakepit_bridge_proto::PROTOCOL_VERSION;
pub use state_peer::{
    ChangeRow, StateAsk, StateReplier, StateReply, VariableRow, WatchAsk, WriteAsk, WriteTerms,
};
pub use wires::{WireSeats, Wires};
