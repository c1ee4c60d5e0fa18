//! How a pool's worker processes are started, in the document. Doc comments here are the
//! descriptions in the published schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How worker processes are started.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendConfig {
    /// "setsid": each worker is a program executed anew. "forkserver": a template process loads the
    /// frameworks once and forks the workers.
    #[schemars(with = "String", extend("enum" = ["setsid", "forkserver"]))]
    pub kind: BackendKind,
}

/// The ways there are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendKind {
    /// Executed under its guard.
    #[default]
    Setsid,
    /// Forked from a template, under a guard of its own.
    Forkserver,
}
