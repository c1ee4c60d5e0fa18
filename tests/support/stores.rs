//! The three stores as a test has them: memory, a file of its own, a server of its own, with a
//! runtime that they end before. Nothing here asserts on behalf of a test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use snakepit_bridge::state::conformance::{Scale, Subject, Told};
use snakepit_bridge::state::{
    Backend, ChangeSink, MemoryStore, RedisOptions, RedisStore, SqliteStore, StoreLimits,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::redis_server::RedisServer;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Memory,
    Sqlite,
    Redis,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Memory, Kind::Sqlite, Kind::Redis];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Memory => "memory",
            Kind::Sqlite => "sqlite",
            Kind::Redis => "redis",
        }
    }
}

/// Where stores of one kind can be opened; they are closed with it.
pub struct Stage {
    pub kind: Kind,
    pub runtime: Runtime,
    folder: TempDir,
    server: Option<RedisServer>,
    opened: Mutex<Vec<Arc<dyn Backend>>>,
}

impl Stage {
    pub fn new(kind: Kind) -> Stage {
        Stage {
            kind,
            runtime: Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            server: (kind == Kind::Redis).then(RedisServer::start),
            opened: Mutex::default(),
        }
    }

    /// The server of a stage of Redis.
    pub fn server(&self) -> &RedisServer {
        self.server.as_ref().unwrap()
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    pub fn open(&self, limits: StoreLimits, sink: Arc<dyn ChangeSink>) -> Arc<dyn Backend> {
        let backend: Arc<dyn Backend> = match self.kind {
            Kind::Memory => Arc::new(MemoryStore::new(limits, sink)),
            Kind::Sqlite => Arc::new(SqliteStore::open(&self.file(), limits, sink).unwrap()),
            Kind::Redis => {
                let options = RedisOptions::new(self.server().url());
                self.runtime.block_on(redis(options, limits, sink, self.runtime.handle()))
            }
        };
        self.opened.lock().push(backend.clone());
        backend
    }

    pub fn subject(&self, limits: StoreLimits, scale: Scale) -> Subject {
        let told = Arc::new(Told::default());
        let backend = self.open(limits, told.clone());
        Subject { backend, told, runtime: self.runtime.handle().clone(), scale }
    }

    /// Ends what was opened so far.
    pub fn close_stores(&self) {
        for backend in std::mem::take(&mut *self.opened.lock()) {
            self.runtime.block_on(backend.close());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.close_stores();
    }
}

/// A store on a server.
pub async fn redis(
    options: RedisOptions,
    limits: StoreLimits,
    sink: Arc<dyn ChangeSink>,
    runtime: &tokio::runtime::Handle,
) -> Arc<dyn Backend> {
    Arc::new(RedisStore::connect(options, limits, sink, runtime.clone()).await.unwrap())
}

/// Limits that nothing here meets.
pub const AMPLE: StoreLimits = StoreLimits {
    variables_max: 1000,
    bytes_max: 16 * 1024 * 1024,
    history_max: 10,
    history_bytes_max: 1024 * 1024,
};

/// Far beyond what anything takes; reaching it is a failure.
pub const LONG: Duration = Duration::from_secs(60);
