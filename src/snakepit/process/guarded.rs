//! The host's end of a guard: spec, reports, orders, and reaping the guard itself. How the guard
//! was started is the backend's business.
//!
//! Dropping it closes the control socket, upon which the guard ends the worker's whole tree.

use std::io;

use tokio::io::Interest;
use tokio::net::UnixStream;

use super::super::guard::{Frames, Order, Report, encode};
use super::super::os::{GuardProcess, Reaper};
use super::super::registry::Record;
use super::super::spec::ProcessSpec;
use super::output::Output;

/// A guard and its control socket.
pub struct Guarded {
    control: UnixStream,
    reaper: Reaper,
    /// The worker itself, to be waited for when the guard cannot do it any more.
    worker: Option<Reaper>,
    frames: Frames,
    /// What the socket has not taken yet: the spec, and a few orders.
    unsent: Vec<u8>,
    _record: Record,
}

impl Guarded {
    /// Takes hold of a fresh guard, which has its `record`, and sends it `spec`. To be called from
    /// within the runtime.
    pub fn new(
        process: GuardProcess,
        record: Record,
        spec: &ProcessSpec,
    ) -> io::Result<(Guarded, Output)> {
        let GuardProcess { control, stdout, stderr, reaper } = process;
        let mut unsent = encode(&serde_json::to_vec(spec)?)?;
        unsent.extend(encode(&spec.handoff)?);
        let control = UnixStream::from_std(control.into())?;
        let output = Output::new(stdout, stderr)?;
        let frames = Frames::default();
        let mut guarded =
            Guarded { control, reaper, worker: None, frames, unsent, _record: record };
        guarded.flush();
        Ok((guarded, output))
    }

    /// The guard's next report; `None` once it has gone, or says what cannot be understood. May be
    /// dropped and called again without losing anything.
    pub async fn report(&mut self) -> Option<Report> {
        loop {
            match self.frames.next_frame() {
                Ok(Some(frame)) => return self.understand(&frame),
                Ok(None) => {}
                Err(_) => return None,
            }
            let write = !self.unsent.is_empty();
            let interest = Interest::READABLE;
            let interest = if write { interest | Interest::WRITABLE } else { interest };
            let ready = self.control.ready(interest).await.ok()?;
            if ready.is_writable() {
                self.flush();
            }
            if ready.is_readable() && !self.read() {
                return None;
            }
        }
    }

    /// Sends TERM or another signal to the worker's process group.
    pub fn signal(&mut self, number: i32) {
        self.order(Order::Signal(number));
    }

    /// Has the worker itself print where it stands, and die.
    pub fn abort(&mut self) {
        self.order(Order::Abort);
    }

    /// Has the worker's whole tree killed.
    pub fn kill(&mut self) {
        self.order(Order::Kill);
    }

    /// The guard's own number, as long as it lives.
    pub fn guard_pid(&self) -> Option<u32> {
        self.reaper.living_pid()
    }

    /// Kills the guard itself, for one that does not answer. Its worker dies with it.
    pub fn kill_guard(&self) {
        self.reaper.kill();
    }

    /// Resolves when the guard's process is gone and reaped, and the worker's is gone.
    pub async fn ended(&self) -> io::Result<()> {
        self.reaper.ended().await?;
        match &self.worker {
            Some(worker) => worker.ended().await,
            None => Ok(()),
        }
    }

    fn understand(&mut self, frame: &[u8]) -> Option<Report> {
        let report = serde_json::from_slice(frame).ok()?;
        if let Report::Started { pid } = report {
            // One that is gone already needs no waiting.
            self.worker = Reaper::open(pid).ok();
        }
        Some(report)
    }

    fn order(&mut self, order: Order) {
        let frame = serde_json::to_vec(&order).map_err(io::Error::from).and_then(|o| encode(&o));
        match frame {
            Ok(frame) => self.unsent.extend(frame),
            Err(error) => tracing::error!(%error, "an order to a guard could not be written"),
        }
        self.flush();
    }

    /// Writes what the socket takes. A failure shows as the end of the stream when reading.
    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.control.try_write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// Takes in what has arrived; false at the end.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 1024];
        match self.control.try_read(&mut bytes) {
            Ok(count) => {
                self.frames.push(bytes.get(..count).unwrap_or_default());
                count > 0
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}
