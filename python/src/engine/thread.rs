//! The link's one thread, `spb-link`: it owns the runtime with the connection, ends with it, and
//! drives it whenever no thread of Python does that waits for the link anyway.
//!
//! Nothing here exists before [`start`], so that a process may import the module, fork, and connect
//! in the child. Nothing that is driven touches Python, so that a held GIL cannot keep a heartbeat
//! from being answered.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use snakepit_bridge_proto as pb;
use snakepit_bridge_proto::host_frame::Kind as HostKind;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::dial::{Connection, Dial, described, dial};
use super::settle::settle;
use super::shared::Shared;
use super::signals::Blocked;
use crate::limits::{CLOSE_FLUSH, SEAT_LOOK};

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
    let runtime = Arc::new(runtime);
    let dialled = {
        let _driver = shared.drive.begin();
        runtime.block_on(dial(dialled, shared))
    };
    match dialled {
        Ok(mut connection) => {
            let welcome = std::mem::take(&mut connection.welcome);
            let spin = Duration::from_micros(welcome.spin_us);
            shared.drive.open(Arc::downgrade(&runtime), spin);
            reply(report, Ok(welcome));
            let serving = runtime.spawn(serve(connection, shared.clone()));
            drive(&runtime, shared, &serving);
        }
        Err(reason) => reply(report, Err(reason)),
    }
    // Dropping the runtime, here or where the last guest leaves, closes the socket.
}

/// Drives until the service has ended, in turns with guests.
fn drive(runtime: &Runtime, shared: &Shared, serving: &JoinHandle<()>) {
    while !serving.is_finished() {
        if shared.with(|state| state.seat.take_over()) {
            shared.drive.own_turn(runtime);
            shared.with(|state| state.seat.give_up());
        }
        if !serving.is_finished() {
            shared.drive.rest(SEAT_LOOK, || shared.with(|state| state.seat.look()));
        }
    }
}

fn reply(report: &Report, outcome: Result<pb::Welcome, String>) {
    // The receiver waits in `start` for exactly this.
    let _ = report.send(outcome);
}

async fn serve(connection: Connection, shared: Arc<Shared>) {
    let _over = Over(shared.clone());
    let Connection { mut inbound, frames, client: _client, .. } = connection;
    receive(&shared, frames);
    loop {
        tokio::select! {
            message = inbound.message() => match message {
                Ok(Some(message)) => receive(&shared, message.frames),
                Ok(None) => return close(&shared, "the platform ended the connection"),
                Err(status) => return close(&shared, &lost(&status)),
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
    let count = frames.len();
    let refused = settle(&mut frames, &shared.sharing);
    if frames.iter().any(|frame| matches!(frame.kind, Some(HostKind::Ping(_)))) {
        shared.sharing.rest();
    }
    let now = Instant::now();
    let link_is_to_leave = shared.with(|state| {
        refused.into_iter().for_each(|result| state.outbox.push(Kind::Result(result)));
        state.receive(frames, now);
        state.note_message(count)
    });
    if link_is_to_leave {
        shared.drive.own.notify_one();
    }
}

fn close(shared: &Shared, reason: &str) {
    shared.with(|state| state.close(reason));
}

fn lost(status: &tonic::Status) -> String {
    format!("connection to the platform was lost: {}", described(status))
}

/// However the service ends, the link's thread hears of it, wherever it waits.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.drive.own.notify_one();
        self.0.drive.call_own();
    }
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
