//! A platform in the benchmark's own process, with one pool whose workers are ready.
//!
//! It must not know what is measured with it.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Platform, Timeout};

/// Opens one with `pool` as its only pool, on the interpreter of `SPB_PYTHON` or else of `.venv`,
/// which finds the modules of `tests/python`; returns when the first worker is ready.
pub fn open(mut pool: Json) -> Arc<Platform> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("SPB_PYTHON").map(std::path::PathBuf::from);
    pool["python"] = json!(python.unwrap_or_else(|| root.join(".venv/bin/python")));
    pool["python_path"] = json!([root.join("tests/python")]);
    let config = json!({
        "guard_path": env!("CARGO_BIN_EXE_snakepit-guard"),
        "pools": {"default": pool},
    });
    let platform = Platform::open(config.to_string().as_bytes()).expect("a platform");
    let pool = platform.pool("").expect("the pool");
    let ready = pool.await_ready(1, Timeout::Default).expect("open");
    ready.start(None);
    ready.wait(None);
    platform
}

/// Closes it and waits until its workers are gone.
pub fn close(platform: &Arc<Platform>) {
    let closed = platform.shutdown(None);
    closed.start(None);
    closed.wait(None);
}
