//! The link's one thread, `spb-link`: it owns the runtime and the connection, and ends with them.
//!
//! Nothing here exists before [`start`], so that a process may import the module, fork, and connect
//! in the child. It never touches Python, so that a held GIL cannot keep a heartbeat from being
//! answered.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::time::{Instant, timeout};

use super::dial::{Connection, Dial, described, dial};
use super::settle::settle;
use super::shared::Shared;
use super::signals::Blocked;
use crate::limits::CLOSE_FLUSH;

/// Dials and, once admitted, leaves the thread running until the link ends. Blocks for
/// `dial.timeout` at most.
pub fn start(dial: Dial) -> Result<(pb::Welcome, Arc<Shared>), String> {
    let shared = Arc::new(Shared::default());
    let (report, outcome) = sync_channel(1);
    let theirs = shared.clone();
    let blocked = Blocked::new().map_err(|error| format!("cannot block signals: {error}"))?;
    std::thread::Builder::new()
        .name("spb-link".to_owned())
        .spawn(move || run(dial, &theirs, &report))
        .map_err(|error| format!("cannot start the link's thread: {error}"))?;
    drop(blocked);
    // The thread reports within the dial's time limit; if it dies before, the channel closes.
    match outcome.recv() {
        Ok(outcome) => outcome.map(|welcome| (welcome, shared)),
        Err(_) => Err("the link's thread died while it dialled".to_owned()),
    }
}

type Report = SyncSender<Result<pb::Welcome, String>>;

fn run(dialled: Dial, shared: &Arc<Shared>, report: &Report) {
    let _end = End(shared.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return reply(report, Err(format!("cannot start a runtime: {error}"))),
    };
    runtime.block_on(async {
        match dial(dialled, shared).await {
            Ok(mut connection) => {
                let welcome = std::mem::take(&mut connection.welcome);
                reply(report, Ok(welcome));
                serve(connection, shared).await;
            }
            Err(reason) => reply(report, Err(reason)),
        }
    });
    // Dropping the runtime closes the socket.
}

fn reply(report: &Report, outcome: Result<pb::Welcome, String>) {
    // The receiver waits in `start` for exactly this.
    let _ = report.send(outcome);
}

async fn serve(connection: Connection, shared: &Shared) {
    let Connection { mut inbound, frames, client: _client, .. } = connection;
    receive(shared, frames);
    loop {
        tokio::select! {
            message = inbound.message() => match message {
                Ok(Some(message)) => receive(shared, message.frames),
                Ok(None) => return close(shared, "the platform ended the connection"),
                Err(status) => return close(shared, &lost(&status)),
            },
            notes = shared.sharing.noted() => {
                shared.with(|state| state.outbox.push(Kind::RegionNotes(notes)));
            }
            () = shared.leave.notified() => break,
        }
    }
    // Our stream ends behind what was queued. The host ends its own when it has read ours; what it
    // still sends until then concerns nobody.
    let _ =
        timeout(CLOSE_FLUSH, async { while let Ok(Some(_)) = inbound.message().await {} }).await;
}

fn receive(shared: &Shared, mut frames: Vec<pb::HostFrame>) {
    let refused = settle(&mut frames, &shared.sharing);
    if frames.iter().any(|frame| matches!(frame.kind, Some(HostKind::Ping(_)))) {
        shared.sharing.rest();
    }
    let now = Instant::now();
    shared.with(|state| {
        refused.into_iter().for_each(|result| state.outbox.push(Kind::Result(result)));
        state.receive(frames, now);
    });
}

fn close(shared: &Shared, reason: &str) {
    shared.with(|state| state.close(reason));
}

fn lost(status: &tonic::Status) -> String {
    format!("connection to the platform was lost: {}", described(status))
}

/// However the thread ends, nobody is left waiting for it.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let unsent = self.0.with(|state| {
            state.close("the link's thread ended");
            state.outbox.abandon()
        });
        drop(unsent);
        self.0.sharing.end();
        self.0.set_ended();
    }
}
