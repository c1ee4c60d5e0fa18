//! Which store keeps the sessions of a platform: one of the configuration's, or the host's own.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::{PlatformConfig, StoreKind};
use crate::core::{Error, Result, Status};
use crate::sessions::Sessions;
use crate::state::{Backend, Change, ChangeSink, MemoryStore, SessionLoss, StoreLimits};

/// Makes the store of a platform: what its sessions may hold, whom it tells of changes, and the
/// runtime that its tasks run on. It must not wait on that runtime.
pub type MakeStore =
    dyn FnOnce(StoreLimits, Arc<dyn ChangeSink>, Handle) -> Result<Arc<dyn Backend>>;

/// What the configuration lets a session hold.
pub(super) fn limits(config: &PlatformConfig) -> StoreLimits {
    StoreLimits {
        variables_max: config.sessions.variables_max,
        bytes_max: config.sessions.bytes_max,
        history_max: config.sessions.history_max,
        history_bytes_max: config.sessions.history_bytes_max,
    }
}

/// The store that the configuration names.
pub(super) fn configured(
    config: &PlatformConfig,
    limits: StoreLimits,
    sink: Arc<dyn ChangeSink>,
    _runtime: Handle,
) -> Result<Arc<dyn Backend>> {
    match config.state.store {
        StoreKind::Memory => Ok(Arc::new(MemoryStore::new(limits, sink))),
        StoreKind::Sqlite | StoreKind::Redis => {
            Err(Error::new(Status::Unsupported, "store").with("field", "state.store"))
        }
    }
}

/// Sessions that the store has ended end on this host, too.
pub(super) struct Losses {
    pub sessions: Arc<Sessions>,
}

impl ChangeSink for Losses {
    fn wants(&self, _: u64) -> bool {
        false
    }

    fn changed(&self, _: u64, _: Change) {}

    fn gap(&self, _: u64) {}

    fn lost(&self, incarnation: u64, loss: SessionLoss) {
        self.sessions.lose(incarnation, loss);
    }
}
