//! From the document's way of starting workers to the pool's.

use std::path::Path;
use std::sync::Arc;

use crate::config::{BackendKind, PoolConfig};
use crate::snakepit::{Backend, Setsid};

/// The backend that `pool` asks for, with `guard` as its guard program.
pub(super) fn backend(pool: &PoolConfig, guard: &Path) -> Arc<dyn Backend> {
    match pool.backend.kind {
        BackendKind::Setsid => Arc::new(Setsid::new(guard.to_path_buf())),
    }
}
