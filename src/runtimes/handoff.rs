//! The document that tells a fresh process who it is. It travels on an inherited descriptor, never
//! on the command line or in the environment, because a worker's carries the token.

use std::path::Path;

use crate::snakepit::Failure;

use super::python::RuntimeSettings;

/// Everything a worker is told at its start; `python/snakepit_bridge/worker.py` reads it.
#[derive(serde::Serialize)]
pub struct Handoff<'a> {
    #[serde(flatten)]
    pub common: TemplateHandoff<'a>,
    pub socket: &'a Path,
    /// Hexadecimal.
    pub token: String,
    pub slot: u32,
    pub generation: u64,
    pub pool: &'a str,
    pub threads_max: usize,
    pub connect_timeout_ms: u64,
}

/// What a template is told, and every worker too; `python/snakepit_bridge/template.py` reads it.
#[derive(serde::Serialize)]
pub struct TemplateHandoff<'a> {
    pub frameworks: Vec<FrameworkOptions<'a>>,
    pub python_path: &'a [String],
    pub switch_interval_ms: f64,
    pub log_level: &'a str,
}

/// One framework to load, with its options as configured.
#[derive(serde::Serialize)]
pub struct FrameworkOptions<'a> {
    pub id: &'a str,
    pub options: &'a serde_json::Value,
}

impl<'a> From<&'a RuntimeSettings> for TemplateHandoff<'a> {
    fn from(settings: &'a RuntimeSettings) -> Self {
        let frameworks = settings.frameworks.iter();
        TemplateHandoff {
            frameworks: frameworks.map(|(id, options)| FrameworkOptions { id, options }).collect(),
            python_path: &settings.python_path,
            switch_interval_ms: settings.switch_interval_ms,
            log_level: &settings.log_level,
        }
    }
}

/// The document as bytes.
pub fn to_bytes(document: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(document).map_err(|error| Failure::new(format!("handoff document: {error}")))
}
