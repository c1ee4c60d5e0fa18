//! The pool's adapter for Python workers: describes the process, waits for its hello, listens to
//! its end.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::core;
use crate::frameworks::Catalog;
use crate::shared_memory::Party;
use crate::snakepit::{
    Adapter, Exit, Failure, OutputStream, ProcessSpec, ResourceLimits, WorkerId,
};
use crate::telemetry::{Level, LogHub};
use crate::transport::{Announcement, Expectation, Gate, WorkerLink};

use super::handoff::{self, Handoff};
use super::printed::ProcessLog;

/// What one pool's workers need to know and have.
pub struct RuntimeSettings {
    pub pool: Arc<str>,
    /// The interpreter, as `interpreter::find` gave it.
    pub python: PathBuf,
    pub python_path: Vec<String>,
    /// Framework ids with their options.
    pub frameworks: Vec<(String, serde_json::Value)>,
    /// The whole environment of a worker.
    pub environment: Vec<(OsString, OsString)>,
    pub directory: Option<PathBuf>,
    pub limits: ResourceLimits,
    pub switch_interval_ms: f64,
    pub threads_max: usize,
    pub log_level: String,
    pub connect_timeout: Duration,
    /// Where workers dial, and who may.
    pub socket: PathBuf,
    pub gate: Gate,
    /// While it lives, the pool's workers see no other pool's content in shared memory.
    pub party: Party,
}

/// Python workers for one pool.
pub struct PythonRuntime {
    settings: RuntimeSettings,
    catalog: Arc<Catalog>,
    log: ProcessLog,
    expected: Mutex<HashMap<WorkerId, Expected>>,
}

/// A worker from its description to its end.
struct Expected {
    ticket: u64,
    /// Taken by whoever waits for the hello.
    expectation: Option<Expectation>,
}

impl PythonRuntime {
    pub fn new(settings: RuntimeSettings, catalog: Arc<Catalog>, logs: Arc<LogHub>) -> Self {
        PythonRuntime {
            log: ProcessLog::new(settings.pool.clone(), logs),
            settings,
            catalog,
            expected: Mutex::default(),
        }
    }

    /// What the pool's workers announced.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn handoff(&self, worker: WorkerId, token: String) -> Result<Vec<u8>, Failure> {
        let settings = &self.settings;
        let document = Handoff {
            common: settings.into(),
            socket: &settings.socket,
            token,
            slot: worker.slot,
            generation: worker.generation,
            pool: &settings.pool,
            threads_max: settings.threads_max,
            connect_timeout_ms: u64::try_from(settings.connect_timeout.as_millis())
                .unwrap_or(u64::MAX),
        };
        handoff::to_bytes(&document)
    }
}

impl Adapter for PythonRuntime {
    type Link = WorkerLink;

    fn describe(&self, worker: WorkerId) -> Result<ProcessSpec, Failure> {
        let expectation = self.settings.gate.expect(core_id(worker)).map_err(failure)?;
        let handoff = self.handoff(worker, expectation.token_hex())?;
        let ticket = expectation.ticket();
        self.expected.lock().insert(worker, Expected { ticket, expectation: Some(expectation) });
        Ok(ProcessSpec {
            program: self.settings.python.clone(),
            args: ["-m", "snakepit_bridge.worker"].map(OsString::from).to_vec(),
            env: self.settings.environment.clone(),
            cwd: self.settings.directory.clone(),
            handoff,
            limits: self.settings.limits.clone(),
        })
    }

    /// An interpreter may be a script that starts another: what descends from it belongs to it.
    fn started(&self, worker: WorkerId, pid: u32) {
        let belongs = move |peer| crate::snakepit::os::is_of_family(peer, pid);
        let ticket = self.expected.lock().get(&worker).map(|expected| expected.ticket);
        if let Some(ticket) = ticket {
            self.settings.gate.recognise(ticket, belongs);
        }
    }

    fn ready(&self, worker: WorkerId) -> BoxFuture<'static, Result<WorkerLink, Failure>> {
        let mut expected = self.expected.lock();
        let expectation = expected.get_mut(&worker).and_then(|entry| entry.expectation.take());
        drop(expected);
        let catalog = self.catalog.clone();
        async move {
            let expectation = expectation
                .ok_or_else(|| Failure::new("the worker was not described before".to_owned()))?;
            let (link, announcement) = expectation.arrived().await.map_err(failure)?;
            announce(&catalog, &announcement).map_err(failure)?;
            Ok(link)
        }
        .boxed()
    }

    fn lost(&self, link: &WorkerLink) -> BoxFuture<'static, ()> {
        let link = link.clone();
        async move { link.closed().await }.boxed()
    }

    fn abandon(&self, link: &WorkerLink) {
        link.close();
    }

    fn probe(&self, link: &WorkerLink) -> BoxFuture<'static, Result<(), Failure>> {
        let link = link.clone();
        async move { link.ping().await.map_err(failure) }.boxed()
    }

    fn drain(&self, link: &WorkerLink) {
        link.drain();
    }

    fn output(&self, worker: WorkerId, stream: OutputStream, line: &str) {
        self.log.printed(Some(core_id(worker)), stream, line);
    }

    fn gone(&self, worker: WorkerId, exit: &Exit) {
        self.expected.lock().remove(&worker);
        let level = if exit.is_expected() { Level::Info } else { Level::Warning };
        let message = format!("worker ended: {exit}");
        self.log.publish(Some(core_id(worker)), level, "snakepit_bridge::pool", &message);
    }
}

fn announce(catalog: &Catalog, announcement: &Announcement) -> core::Result<()> {
    let notes = announcement.frameworks.iter();
    catalog.announce(notes.map(|note| (note.id.as_str(), note.version.as_str(), &note.schema_json)))
}

/// The pool's name for a worker in the platform's words.
pub fn core_id(worker: WorkerId) -> core::WorkerId {
    core::WorkerId { slot: worker.slot, generation: worker.generation }
}

fn failure(error: core::Error) -> Failure {
    Failure::new(error.to_string())
}
