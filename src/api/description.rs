//! What a platform offers, as one document for people and programs: its frameworks pool by pool,
//! its tools, and the vocabulary that every call shares. The form is docs/introspection.md's.

use serde_json::{Map, Value as Json, json};

use crate::core::limits::{
    ATTACHMENTS_MAX, JSON_DEPTH_MAX, NESTING_DEPTH_MAX, SESSION_ID_BYTES_MAX, TENSOR_DIMS_MAX,
    TOOL_NAME_BYTES_MAX, VARIABLE_NAME_BYTES_MAX,
};
use crate::core::{DType, Result, Status};
use crate::state::VariableType;
use crate::transport::PROTOCOL_VERSION;

use super::platform::Platform;
use super::pool::PoolRef;

impl Platform {
    /// Everything that a client can be generated from. What a pool's frameworks are is known once
    /// the first of its workers is ready; before, `is_known` is false there.
    pub fn description(&self) -> Json {
        let pools: Map<String, Json> = self
            .pools
            .iter()
            .map(|(name, pool)| {
                // Without a name to look for, nothing can be missing.
                let frameworks = pool.catalog.document(None).unwrap_or_default();
                let known = pool.catalog.is_known();
                (name.clone(), json!({"is_known": known, "frameworks": frameworks}))
            })
            .collect();
        json!({
            "format": FORMAT,
            "version": env!("CARGO_PKG_VERSION"),
            "protocol_version": PROTOCOL_VERSION,
            "pools": pools,
            "tools": self.tools(None),
            "variable_types": variable_types(),
            "tensor_types": DType::ALL.map(DType::name),
            "statuses": statuses(),
            "limits": {
                "value_bytes_max": self.config.values.bytes_max,
                "json_depth_max": JSON_DEPTH_MAX,
                "attachments_max": ATTACHMENTS_MAX,
                "tensor_dims_max": TENSOR_DIMS_MAX,
                "nesting_depth_max": NESTING_DEPTH_MAX,
                "session_id_bytes_max": SESSION_ID_BYTES_MAX,
                "variable_name_bytes_max": VARIABLE_NAME_BYTES_MAX,
                "tool_name_bytes_max": TOOL_NAME_BYTES_MAX,
            },
        })
    }
}

impl PoolRef {
    /// What the frameworks of this pool can do, or one of them, as its workers announced it. Empty
    /// until the first worker is ready; `NotFound` for a framework that it does not have.
    pub fn schema(&self, framework: Option<&str>) -> Result<Json> {
        self.pool.catalog.document(framework)
    }
}

fn variable_types() -> Map<String, Json> {
    let entry = |kind: VariableType| {
        (kind.name().to_owned(), json!({"constraints": kind.constraint_names()}))
    };
    VariableType::ALL.into_iter().map(entry).collect()
}

fn statuses() -> Map<String, Json> {
    let entry = |status: Status| {
        let facts = json!({"code": status.code(), "retryable": status.is_retryable()});
        (status.name().to_owned(), facts)
    };
    Status::ALL.into_iter().map(entry).collect()
}

/// Grows when a key of the document changes its meaning; new keys do not change it.
const FORMAT: u32 = 1;
