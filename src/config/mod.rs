//! The configuration: one JSON document that says everything a platform can be told when it opens.
//!
//! The types carry the defaults and the ranges, the published schema is made from the types, and a
//! document is held against that schema, so that the three cannot disagree. Nothing here reads
//! files, looks anything up in the environment or knows what the values are for.

pub mod platform;
pub mod pool;
pub mod protection;
pub mod schema;

mod backend;
mod cgroup;
mod consistency;
mod fault;
mod millis;
mod recycle;
mod secret;
mod state;

pub use backend::{BackendConfig, BackendKind};
pub use cgroup::CgroupConfig;
pub use platform::{
    LogsConfig, OperationsConfig, PlatformConfig, ServeConfig, SessionsConfig, ToolsConfig,
    ValuesConfig,
};
pub use pool::{FrameworkOptions, HeartbeatConfig, PoolConfig, ProcessLimitsConfig, RestartConfig};
pub use protection::{BarrierConfig, BreakerConfig, RetryConfig};
pub use recycle::RecycleConfig;
pub use schema::schema_json;
pub use secret::Secret;
pub use state::{StateConfig, StoreKind};
