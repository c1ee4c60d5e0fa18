//! One framework adapter's announcement, parsed and with its schemas compiled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde_json::Value as Json;

use crate::core::{Error, Result, Schema, Status};
use crate::telemetry::OperationMetrics;

use super::tool_rules::{AnnouncedTool, ToolRules};

/// One framework as a worker announced it.
pub struct FrameworkEntry {
    pub id: String,
    pub version: String,
    pub operations: BTreeMap<String, Arc<OperationEntry>>,
    raw: Bytes,
    document: Json,
}

/// One operation of a framework.
pub struct OperationEntry {
    /// What no other announcement of an operation in this process has; never 0.
    pub number: u64,
    pub framework: String,
    pub name: String,
    /// `framework.name`, as spans call it.
    pub full_name: Arc<str>,
    /// What the parameters object must be.
    pub parameters: Schema,
    /// It sends chunks when asked to.
    pub streaming: bool,
    /// Running it twice is as good as once.
    pub idempotent: bool,
    /// It is a tool, and held to this.
    pub tool: Option<ToolRules>,
    /// Where its calls are counted.
    pub metrics: Arc<OperationMetrics>,
}

/// The document of docs/frameworks.md; keys that this build does not know are left to those that
/// do.
#[derive(serde::Deserialize)]
struct Announced {
    operations: BTreeMap<String, AnnouncedOperation>,
}

#[derive(serde::Deserialize)]
struct AnnouncedOperation {
    parameters: Json,
    #[serde(default)]
    streaming: bool,
    #[serde(default)]
    idempotent: bool,
    #[serde(default)]
    tool: Option<AnnouncedTool>,
}

impl FrameworkEntry {
    /// Parses `raw`; errors name the framework and what is wrong in its announcement. `metrics`
    /// finds the counters of an operation by its name.
    pub fn parse(
        id: &str,
        version: &str,
        raw: Bytes,
        metrics: impl Fn(&str) -> Arc<OperationMetrics>,
    ) -> Result<Self> {
        let document: Json = serde_json::from_slice(&raw).map_err(|error| broken(id, &error))?;
        let announced: Announced =
            serde_json::from_value(document.clone()).map_err(|error| broken(id, &error))?;
        let operations = announced
            .operations
            .into_iter()
            .map(|(name, operation)| {
                let entry = OperationEntry::compile(id, &name, operation, metrics(&name))?;
                Ok((name, Arc::new(entry)))
            })
            .collect::<Result<_>>()?;
        Ok(FrameworkEntry { id: id.into(), version: version.into(), operations, raw, document })
    }

    /// Whether it was announced with exactly these bytes.
    pub fn is_same(&self, version: &str, raw: &Bytes) -> bool {
        self.version == version && self.raw == *raw
    }

    /// The operations that are tools, each with what was announced of it.
    pub fn tools(&self) -> impl Iterator<Item = (&Arc<OperationEntry>, &Json)> {
        let announced = |operation: &OperationEntry| {
            self.document.get("operations")?.as_object()?.get(&operation.name)
        };
        let tools = self.operations.values().filter(|operation| operation.tool.is_some());
        tools.filter_map(move |operation| Some((operation, announced(operation)?)))
    }

    /// The announcement, for introspection.
    pub fn document(&self) -> &Json {
        &self.document
    }
}

impl OperationEntry {
    fn compile(
        framework: &str,
        name: &str,
        announced: AnnouncedOperation,
        metrics: Arc<OperationMetrics>,
    ) -> Result<Self> {
        let what = format!("parameters schema of {framework}.{name}");
        let tool = announced.tool.map(|tool| ToolRules::new(name, &tool));
        Ok(OperationEntry {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            framework: framework.to_owned(),
            name: name.to_owned(),
            full_name: format!("{framework}.{name}").into(),
            parameters: Schema::compile(announced.parameters, &what)?,
            streaming: announced.streaming,
            idempotent: announced.idempotent,
            tool,
            metrics,
        })
    }
}

/// Counted for all platforms of the process: a number is never used for another operation.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

fn broken(id: &str, error: &serde_json::Error) -> Error {
    Error::new(Status::Protocol, format!("announcement of framework {id:?} is broken: {error}"))
}
