//! The project's own files, as the architecture and tidy tests read them.
//!
//! Everything that git would track counts, by a walk that skips what is built or installed.
//! `SPB_CHECK_ROOT` points the tests at another checkout.

use std::path::{Path, PathBuf};

/// One text file of the project.
pub struct SourceFile {
    /// From the project's root, with `/`.
    pub path: String,
    pub text: String,
}

/// A rule broken at a place, with what to do instead.
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub message: String,
}

impl SourceFile {
    pub fn new(path: &str, text: &str) -> Self {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    pub fn is_under(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    pub fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = Path::new(&self.path).extension().and_then(|name| name.to_str());
        extension.is_some_and(|name| extensions.contains(&name))
    }

    /// Lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    pub fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }
}

/// All files of the project, in a stable order.
pub fn project_files() -> Vec<SourceFile> {
    let root = match std::env::var_os("SPB_CHECK_ROOT") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")),
    };
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    assert!(files.len() > 10, "{} does not look like the project", root.display());
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Fails with all findings, one a line, as editors read them.
pub fn report(findings: &[Finding]) {
    let lines: Vec<String> = findings
        .iter()
        .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.message))
        .collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || SKIPPED.contains(&name.as_str()) || name.ends_with(".egg-info") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push(SourceFile { path, text });
        }
    }
}

/// Built, installed, or not ours.
const SKIPPED: [&str; 15] = [
    ".git",
    ".hypothesis",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    ".venv-bench",
    ".venv-ray",
    ".venv-transformers",
    "Cargo.lock",
    "LICENSE",
    "__pycache__",
    "deps",
    "_build",
    "proptest-regressions",
    "target",
];
