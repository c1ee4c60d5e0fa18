//! The merged announcements of one pool's workers. It is empty until the first worker has said
//! hello.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::core::nearest::suggestion;
use crate::core::{Error, Result, Status, Value};
use crate::telemetry::Metrics;

use super::announcement::{FrameworkEntry, OperationEntry};
use super::tool_rules::ToolRules;

/// Everything that a pool's workers can do.
pub struct Catalog {
    pool: String,
    metrics: Arc<Metrics>,
    frameworks: RwLock<Option<BTreeMap<String, Arc<FrameworkEntry>>>>,
}

impl Catalog {
    /// An empty one for the pool of that name.
    pub fn new(pool: &str, metrics: Arc<Metrics>) -> Self {
        Catalog { pool: pool.to_owned(), metrics, frameworks: RwLock::default() }
    }

    /// Takes what a worker announced: `(id, version, document)` for each framework. Workers of one
    /// pool are configured alike; where one announces something new, the newest counts.
    pub fn announce<'a>(
        &self,
        notes: impl IntoIterator<Item = (&'a str, &'a str, &'a Bytes)>,
    ) -> Result<()> {
        let mut fresh = Vec::new();
        for (id, version, raw) in notes {
            let known = self.framework(id).is_some_and(|entry| entry.is_same(version, raw));
            if !known {
                let metrics = |operation: &str| self.metrics.operation(&self.pool, id, operation);
                fresh.push(FrameworkEntry::parse(id, version, raw.clone(), metrics)?);
            }
        }
        let mut frameworks = self.frameworks.write();
        let all = frameworks.get_or_insert_default();
        all.extend(fresh.into_iter().map(|entry| (entry.id.clone(), Arc::new(entry))));
        Ok(())
    }

    /// Whether any worker has announced anything yet.
    pub fn is_known(&self) -> bool {
        self.frameworks.read().is_some()
    }

    /// The operation, or an error that names the nearest known one. Parameters are held against its
    /// schema.
    pub fn check(
        &self,
        framework: &str,
        operation: &str,
        parameters: &Value,
    ) -> Result<Arc<OperationEntry>> {
        let entry = self.operation(framework, operation)?;
        entry
            .parameters
            .check(parameters, "parameter")
            .map_err(|error| error.with("framework", framework).with("operation", operation))?;
        Ok(entry)
    }

    /// The tool of that name, of whichever framework.
    pub fn tool(&self, name: &str) -> Option<Arc<OperationEntry>> {
        let frameworks = self.frameworks.read();
        let mut found = frameworks.iter().flatten().filter_map(|(_, entry)| {
            entry.operations.get(name).filter(|operation| operation.tool.is_some())
        });
        found.next().cloned()
    }

    /// All tools, described as `tools::ToolRegistry::list` describes the host's.
    pub fn tools(&self) -> Vec<serde_json::Value> {
        let frameworks = self.frameworks.read();
        let tools = frameworks.iter().flatten().flat_map(|(_, entry)| entry.tools());
        tools.map(|(operation, announced)| self.describe_tool(operation, announced)).collect()
    }

    /// The announcements, or one of them, for introspection.
    pub fn document(&self, framework: Option<&str>) -> Result<serde_json::Value> {
        let Some(id) = framework else {
            let frameworks = self.frameworks.read();
            let all = frameworks.iter().flatten();
            return Ok(all.map(|(id, entry)| (id.clone(), entry.document().clone())).collect());
        };
        let entry = self.framework(id).ok_or_else(|| self.no_framework(id))?;
        Ok(entry.document().clone())
    }

    fn describe_tool(
        &self,
        operation: &OperationEntry,
        announced: &serde_json::Value,
    ) -> serde_json::Value {
        let rules = operation.tool.as_ref();
        serde_json::json!({
            "name": operation.name,
            "description": announced["doc"],
            "side": "python",
            "pool": self.pool,
            "scope": "platform",
            "input_schema": announced["parameters"],
            "output_schema": announced["result"],
            "chunk_schema": announced["chunk"],
            "streaming": operation.streaming,
            "idempotent": operation.idempotent,
            "max_in_flight": rules.and_then(|rules| rules.max_in_flight),
            "timeout_ms": rules.and_then(ToolRules::timeout_ms),
        })
    }

    fn framework(&self, id: &str) -> Option<Arc<FrameworkEntry>> {
        self.frameworks.read().as_ref()?.get(id).cloned()
    }

    fn operation(&self, framework: &str, operation: &str) -> Result<Arc<OperationEntry>> {
        let frameworks = self.frameworks.read();
        let entry = frameworks.as_ref().and_then(|all| all.get(framework));
        let Some(entry) = entry else {
            drop(frameworks);
            return Err(self.no_framework(framework));
        };
        entry.operations.get(operation).cloned().ok_or_else(|| {
            let hint = suggestion(operation, entry.operations.keys().map(String::as_str));
            let message = format!("framework {framework:?} has no operation {operation:?}{hint}");
            Error::new(Status::NotFound, message).with("operation", operation)
        })
    }

    fn no_framework(&self, id: &str) -> Error {
        let frameworks = self.frameworks.read();
        let known: Vec<&str> = frameworks.iter().flatten().map(|(id, _)| id.as_str()).collect();
        let hint = suggestion(id, known.iter().copied());
        let message = format!("the pool has no framework {id:?}{hint}");
        Error::new(Status::NotFound, message).with("framework", id).with("known", known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let raw = Bytes::from_static(
            br#"{"operations":{"predict":{"parameters":{"type":"object",
            "properties":{"signature":{"type":"string"}},"required":["signature"],
            "additionalProperties":false},"streaming":true}}}"#,
        );
        let catalog = Catalog::new("default", Metrics::new());
        assert!(!catalog.is_known());
        catalog.announce([("dspy", "3.4.1", &raw)]).unwrap();
        catalog.announce([("dspy", "3.4.1", &raw)]).unwrap();
        catalog
    }

    fn refusal(framework: &str, operation: &str, parameters: &'static str) -> String {
        let parameters = Value::from_json(parameters).unwrap();
        let checked = catalog().check(framework, operation, &parameters).map(drop);
        checked.unwrap_err().message().to_owned()
    }

    #[test]
    fn what_is_unknown_is_refused_with_the_nearest_known() {
        assert!(refusal("dspi", "predict", "{}").ends_with("did you mean \"dspy\"?"));
        assert!(refusal("dspy", "predikt", "{}").ends_with("did you mean \"predict\"?"));
        let text = refusal("dspy", "predict", r#"{"signature":"a -> b","signatur":1}"#);
        assert_eq!(text, "unknown parameter \"signatur\"; did you mean \"signature\"?");
        let text = refusal("dspy", "predict", r#"{"signature":5}"#);
        assert!(text.contains("$.signature"), "{text}");
    }

    #[test]
    fn a_good_call_finds_its_operation() {
        let parameters = Value::from_json(r#"{"signature":"a -> b"}"#).unwrap();
        let entry = catalog().check("dspy", "predict", &parameters).unwrap();
        assert!(entry.streaming && !entry.idempotent);
    }

    #[test]
    fn a_broken_announcement_is_refused_whole() {
        let raw = Bytes::from_static(b"{\"operations\":7}");
        let error =
            Catalog::new("default", Metrics::new()).announce([("x", "1", &raw)]).unwrap_err();
        assert_eq!(error.status(), Status::Protocol);
    }
}
