//! The document that tells a fresh worker who it is. It travels on an inherited descriptor, never
//! on the command line or in the environment, because it carries the token.

use std::path::Path;

/// Everything a worker is told at its start; `python/snakepit_bridge/worker.py` reads it.
#[derive(serde::Serialize)]
pub struct Handoff<'a> {
    pub socket: &'a Path,
    /// Hexadecimal.
    pub token: String,
    pub slot: u32,
    pub generation: u64,
    pub pool: &'a str,
    pub frameworks: Vec<FrameworkOptions<'a>>,
    pub python_path: &'a [String],
    pub switch_interval_ms: f64,
    pub threads_max: usize,
    pub log_level: &'a str,
    pub connect_timeout_ms: u64,
}

/// What a template is told; `python/snakepit_bridge/template.py` reads it.
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

impl Handoff<'_> {
    /// The document as bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}
