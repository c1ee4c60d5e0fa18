//! The second socket beside the workers' own: it takes the connections that carry descriptors.
//!
//! Whoever connects sends a key first, which its worker heard in its welcome, and is the same
//! process as that worker. Everything else is closed after a while. What travels on a lane then,
//! `shared_memory` knows.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnixListenerStream;

use crate::core::Result;
use crate::core::limits::{LANE_WAIT, LANES_UNNAMED_MAX, SHARED_IDLE};
use crate::shared_memory;

use super::gate::Token;
use super::patience::patient;

/// Who may connect a lane. Clones share it.
#[derive(Clone)]
pub struct Lanes {
    socket: Arc<Path>,
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

struct Waiting {
    key: Token,
    /// The worker's process, where the kernel names it.
    peer: Option<u32>,
    arrived: oneshot::Sender<OwnedFd>,
}

/// A lane that is expected.
pub struct LaneExpectation {
    key: Token,
    lanes: Lanes,
    arrival: oneshot::Receiver<OwnedFd>,
}

impl Lanes {
    /// Takes the connections of `listener`, of processes of `owner`, until `stopped`.
    pub fn serve(
        listener: UnixListener,
        socket: PathBuf,
        owner: u32,
        mut stopped: watch::Receiver<bool>,
        runtime: &Handle,
    ) -> Self {
        let lanes = Lanes { socket: socket.into(), waiting: Arc::default() };
        let served = lanes.clone();
        let handle = runtime.clone();
        runtime.spawn(async move {
            tokio::select! {
                () = served.accept(listener, owner, &handle) => {}
                () = give_memory_back() => {}
                // An error means that the listener was dropped, which also ends it.
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        });
        lanes
    }

    /// Expects the lane of the worker whose process is `peer`.
    pub fn expect(&self, peer: Option<u32>) -> Result<LaneExpectation> {
        let key = Token::random()?;
        let (arrived, arrival) = oneshot::channel();
        self.waiting.lock().push(Waiting { key: key.clone(), peer, arrived });
        Ok(LaneExpectation { key, lanes: self.clone(), arrival })
    }

    async fn accept(&self, listener: UnixListener, owner: u32, runtime: &Handle) {
        let unnamed = Arc::new(Semaphore::new(LANES_UNNAMED_MAX));
        let mut incoming = std::pin::pin!(patient(UnixListenerStream::new(listener)));
        while let Some(Ok(stream)) = incoming.next().await {
            let Ok(credentials) = stream.peer_cred() else { continue };
            let place = unnamed.clone().try_acquire_owned();
            if let (true, Ok(place)) = (credentials.uid() == owner, place) {
                let peer = credentials.pid().and_then(|pid| u32::try_from(pid).ok());
                let lanes = self.clone();
                runtime.spawn(async move {
                    // A connection that says nothing, or too late, is closed by its end.
                    let _ = timeout(LANE_WAIT, lanes.admit(stream, peer)).await;
                    drop(place);
                });
            }
        }
    }

    async fn admit(&self, mut stream: UnixStream, peer: Option<u32>) -> std::io::Result<()> {
        let mut key = [0; 32];
        stream.read_exact(&mut key).await?;
        let found = {
            let mut waiting = self.waiting.lock();
            let is_it = |entry: &Waiting| entry.key.is(&key) && entry.peer == peer;
            waiting.iter().position(is_it).map(|index| waiting.swap_remove(index))
        };
        let stream = stream.into_std()?;
        if let Some(entry) = found {
            // Nobody waits any more: the worker goes without.
            let _ = entry.arrived.send(stream.into());
        }
        Ok(())
    }
}

impl LaneExpectation {
    /// What the worker has to know: the socket and the key.
    pub fn named(&self) -> (String, Bytes) {
        let socket = self.lanes.socket.to_string_lossy().into_owned();
        (socket, Bytes::copy_from_slice(self.key.bytes()))
    }

    /// Waits for it a while; a worker whose lane does not come goes without.
    pub async fn arrived(mut self) -> Option<OwnedFd> {
        timeout(LANE_WAIT, &mut self.arrival).await.ok()?.ok()
    }
}

impl Drop for LaneExpectation {
    fn drop(&mut self) {
        self.lanes.waiting.lock().retain(|entry| !entry.key.is(self.key.bytes()));
    }
}

/// Looks after the pool of regions for as long as somebody may use it.
async fn give_memory_back() {
    loop {
        tokio::time::sleep(SHARED_IDLE / 4).await;
        shared_memory::pool().trim(SHARED_IDLE);
    }
}
