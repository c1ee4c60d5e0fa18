//! A framework that cannot be had: not installed, broken, of the wrong version, unknown. The pool
//! that wants it says so to each caller, and the pool beside it serves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Platform, Timeout};
use snakepit_bridge::core::{Error, Status};

use super::super::support::{
    LONG, close, config, eventually, finish, python, request, run, session,
};

/// Five pools beside a sound one, each with another thing wrong with it.
#[test]
fn a_framework_that_cannot_be_had_is_told_to_each_caller() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let missing = interpreter_without(place, "dspy");
    let mut config = config(1, &json!({"python": {"modules": ["spb_testmod"]}}));
    let mut sick = |name: &str, change: &dyn Fn(&mut Json)| {
        let mut pool = config["pools"]["default"].clone();
        pool["frameworks"] = json!({"dspy": {}});
        // Its first failure is told to callers, and the next start would be after this test.
        pool["restart"] =
            json!({"failures_max": 1, "backoff_min_ms": 60_000, "backoff_max_ms": 60_000});
        change(&mut pool);
        config["pools"][name] = pool;
    };
    sick("missing", &|pool| pool["python"] = json!(missing));
    let old = shadow(place, "old", "dspy-3.1.4.dist-info/METADATA", OLD_METADATA);
    sick("old", &|pool| {
        pool["python_path"] = json!([old]);
        pool["restart"]["backoff_min_ms"] = json!(200);
        pool["restart"]["backoff_max_ms"] = json!(200);
    });
    let broken = shadow(place, "broken", "dspy/__init__.py", BROKEN_MODULE);
    sick("broken", &|pool| pool["python_path"] = json!([broken]));
    sick("unknown", &|pool| pool["frameworks"] = json!({"dsqy": {}}));
    sick("options", &|pool| pool["frameworks"] = json!({"dspy": {"colour": "blue"}}));
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    for (pool, line) in [
        ("missing", "needs the package dspy 3.4 or later"),
        ("old", "needs dspy 3.4 or later (language model engines), found 3.1.4"),
        ("broken", "cannot be loaded: libdemo.so: cannot open shared object file"),
        ("unknown", "framework 'dsqy' is not installed; known are dspy, "),
        ("options", "option `colour`"),
    ] {
        let error = failed_start(&platform, pool);
        assert_eq!(error.status(), Status::Unavailable, "{error:?}");
        assert!(error.message().contains(line), "{pool}: {error}");
        assert!(error.message().contains(&format!("pool {pool:?}")), "{error}");
        assert_eq!(call(&platform, pool).unwrap_err().status(), Status::Unavailable);
    }
    finish(platform.pool("").unwrap().await_ready(1, Timeout::After(LONG)).unwrap()).unwrap();
    assert_eq!(run(&session(&platform), "python", "echo", json!({"value": 5})).unwrap(), 5);
    // Once the package is as it should be, the pool comes by itself.
    std::fs::remove_dir_all(place.join("old/dspy-3.1.4.dist-info")).unwrap();
    eventually("the pool has a worker", || platform.pool("old").unwrap().stats()["ready"] == 1);
    let refused = call(&platform, "old").unwrap_err();
    assert_eq!(refused.status(), Status::InvalidArgument, "it is the signature now: {refused:?}");
    close(&platform);
}

/// Why no worker of the pool comes.
fn failed_start(platform: &Arc<Platform>, pool: &str) -> Error {
    let ready = platform.pool(pool).unwrap().await_ready(1, Timeout::After(LONG)).unwrap();
    finish(ready).unwrap_err()
}

fn call(platform: &Arc<Platform>, pool: &str) -> Result<(), Error> {
    let parameters = json!({
        "signature": "no arrow",
        "inputs": {},
        "lm": {"kind": "host_tool", "tool": "lm"},
    });
    let request = ExecuteRequest {
        pool: pool.to_owned(),
        timeout: Timeout::After(Duration::from_secs(20)),
        ..request("dspy", "predict", &parameters)
    };
    finish(session(platform).prepare(request)?).map(drop)
}

/// A directory for `python_path` that has this one file.
fn shadow(place: &Path, name: &str, file: &str, text: &str) -> String {
    let path = place.join(name).join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    place.join(name).to_str().unwrap().to_owned()
}

/// The interpreter of the tests without one of its packages: the others are linked into a place of
/// their own, and its own is not looked at.
fn interpreter_without(place: &Path, package: &str) -> String {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let libraries = python().parent().unwrap().join("../lib");
    let versions = std::fs::read_dir(libraries).unwrap().flatten();
    let packages = versions.map(|version| version.path().join("site-packages"));
    let packages = packages.into_iter().find(|path| path.is_dir()).unwrap();
    let linked = place.join("packages");
    std::fs::create_dir(&linked).unwrap();
    for entry in std::fs::read_dir(packages).unwrap().flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(package) {
            symlink(entry.path(), linked.join(name)).unwrap();
        }
    }
    let script = place.join("python");
    let text = format!(
        "#!/bin/sh\nPYTHONPATH={} exec {} -S \"$@\"\n",
        linked.display(),
        python().display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script.to_str().unwrap().to_owned()
}

const OLD_METADATA: &str = "Metadata-Version: 2.1\nName: dspy\nVersion: 3.1.4\n";

const BROKEN_MODULE: &str = "raise ImportError('libdemo.so: cannot open shared object file')\n";
