//! What these tests share: a platform with `spb_tensormod`, values that are large, and what the
//! host's pool of regions holds.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Platform, Session};
use snakepit_bridge::core::{Attachment, DType, Result, Tensor, Value};
use snakepit_bridge::shared_memory::{self, PoolStats};

use crate::support::{close, config, eventually, finish, open, request, session};

pub const MIB: usize = 1024 * 1024;

/// A platform with one worker, and nobody else's values.
pub struct World {
    pub platform: Arc<Platform>,
    pub session: Session,
    _alone: MutexGuard<'static, ()>,
}

impl World {
    pub fn open() -> World {
        World::with(tensors())
    }

    pub fn with(config: Json) -> World {
        let alone = alone();
        let platform = open(&config);
        let session = session(&platform);
        World { platform, session, _alone: alone }
    }

    /// Calls with `value` as the parameter of that name beside `others`.
    pub fn call(&self, operation: &str, value: &Value, others: Json) -> Result<Value> {
        let mut document = others;
        document["value"] = json!({"$spb": {"attachment": 0}});
        let parameters = Value::new(document.to_string(), value.attachments().to_vec())?;
        let request =
            ExecuteRequest { parameters: Some(parameters), ..request(operation, &json!({})) };
        finish(self.session.prepare(request)?)
    }

    /// Calls without a large parameter.
    pub fn ask(&self, operation: &str, parameters: Json) -> Result<Value> {
        finish(self.session.prepare(request(operation, &parameters))?)
    }

    pub fn facts(&self, operation: &str, parameters: Json) -> Json {
        self.ask(operation, parameters).unwrap().to_document().unwrap()
    }

    /// What the worker's process has mapped.
    pub fn regions(&self) -> Json {
        self.facts("regions", json!({}))
    }

    /// Everything that was lent is back, however it came to that.
    pub fn await_all_back(&self) {
        eventually("every region is free", || stats().free_bytes == stats().bytes);
    }

    pub fn close(self) {
        close(&self.platform);
        drop(self.session);
        drop(self.platform);
        eventually("all memory is given back", || {
            shared_memory::pool().trim(std::time::Duration::ZERO);
            stats() == PoolStats::default()
        });
    }
}

/// Until the end of a test, no other looks at the pool.
pub fn alone() -> MutexGuard<'static, ()> {
    let alone = ALONE.lock();
    eventually("nothing is left by another test", || {
        shared_memory::pool().trim(std::time::Duration::ZERO);
        stats() == PoolStats::default()
    });
    alone
}

/// One worker that knows `spb_tensormod`.
pub fn tensors() -> Json {
    let mut config = config(1, 8);
    config["pools"]["default"]["frameworks"] = json!({"python": {"modules": ["spb_tensormod"]}});
    config
}

pub fn stats() -> PoolStats {
    shared_memory::pool().stats()
}

/// A tensor of so many bytes as the host's side of the ABI makes one, with a pattern of its own.
pub fn tensor(bytes: usize, seed: u8) -> Value {
    let pattern: Vec<u8> = (0..251_u8).cycle().skip(usize::from(seed)).take(bytes).collect();
    let shape = vec![2, i64::try_from(bytes / 8).unwrap()];
    let data = shared_memory::bytes_of(&pattern);
    let tensor = Tensor::new(DType::Float32, shape, data).unwrap();
    Value::new(DOCUMENT, vec![Attachment::Tensor(tensor)]).unwrap()
}

/// The one attachment of a value.
pub fn content(value: &Value) -> &bytes::Bytes {
    match value.attachments() {
        [one] => one.bytes(),
        other => panic!("{} attachments", other.len()),
    }
}

pub fn is_in_host_region(value: &Value) -> bool {
    shared_memory::pool().find(content(value)).is_some()
}

/// Descriptors of this process.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

pub const DOCUMENT: &str = r#"{"$spb":{"attachment":0}}"#;
static ALONE: Mutex<()> = Mutex::new(());
