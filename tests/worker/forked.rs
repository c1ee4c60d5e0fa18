//! Workers that are forked from a template: they serve as others do, share nothing that they must
//! not, and outlive it.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Platform, Timeout};

use super::support::{LONG, call, close, config, eventually, finish, open, session};

/// A pool of forked workers that know `spb_forked`, a module with this text, and no other.
fn forked(workers: usize, directory: &Path, module: &str) -> Json {
    std::fs::write(directory.join("spb_forked.py"), module).unwrap();
    let mut config = config(workers, 1);
    let pool = &mut config["pools"]["default"];
    pool["backend"] = json!({"kind": "forkserver"});
    pool["python_path"] = json!([directory]);
    pool["frameworks"] = json!({"python": {"modules": ["spb_forked"]}});
    pool["env"] = json!({"SPB_GIVEN": "given"});
    config
}

#[test]
fn forked_workers_serve_and_share_neither_names_nor_chance() {
    let directory = tempfile::tempdir().unwrap();
    let platform = open(&forked(4, directory.path(), FACTS));
    let session = session(&platform);
    let mut seen = HashSet::new();
    let mut numbers = HashSet::new();
    eventually("all four have answered", || {
        let facts = call(&session, "facts", json!({})).unwrap();
        if seen.insert(facts["pid"].as_i64().unwrap()) {
            assert_eq!(facts["given"], "given");
            assert_eq!(facts["group"], facts["pid"]);
            // Its name is its own, in its environment as it sees it and as others see it.
            assert_eq!(facts["marker"], facts["shown"]);
            assert!(numbers.insert(facts["marker"].to_string()), "{facts}");
            for number in facts["chance"].as_array().unwrap() {
                assert!(numbers.insert(number.to_string()), "{facts}");
            }
        }
        seen.len() == 4
    });
    close(&platform);
}

#[test]
fn forked_workers_outlive_their_template_and_the_next_come_from_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let platform = open(&forked(1, directory.path(), FACTS));
    let session = session(&platform);
    let before = call(&session, "facts", json!({})).unwrap();
    let template = i32::try_from(before["template"].as_i64().unwrap()).unwrap();
    let template = rustix::process::Pid::from_raw(template).unwrap();
    rustix::process::kill_process(template, rustix::process::Signal::KILL).unwrap();
    let alive = || rustix::process::test_kill_process(template).is_ok();
    eventually("the template is gone", || !alive());
    let after = call(&session, "facts", json!({})).unwrap();
    assert_eq!(after["pid"], before["pid"]);
    platform.pool("").unwrap().resize(2, 2).unwrap();
    let ready = platform.pool("").unwrap().await_ready(2, Timeout::After(LONG)).unwrap();
    finish(ready).unwrap();
    close(&platform);
}

#[test]
fn a_template_that_must_not_fork_or_cannot_be_prepared_says_why() {
    let cases = [
        (
            "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True, \
             name='spinner').start()\n",
            "it has other threads, which a fork would lose: spinner",
        ),
        ("import no_such_module_at_all\n", "no_such_module_at_all"),
    ];
    for (module, why) in cases {
        let directory = tempfile::tempdir().unwrap();
        let config = forked(1, directory.path(), module);
        let platform = Platform::open(config.to_string().as_bytes()).unwrap();
        let ready = platform.pool("").unwrap().await_ready(1, Timeout::After(LONG)).unwrap();
        let error = finish(ready).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.to_string().contains("template: "), "{error}");
        close(&platform);
    }
}

const FACTS: &str = r#"
import os, random
import numpy.random
from snakepit_bridge import function

TEMPLATE = os.getpid()

@function
def facts():
    with open("/proc/self/environ", "rb") as environ:
        shown = dict(entry.split(b"=", 1) for entry in environ.read().split(b"\0") if entry)
    return {
        "pid": os.getpid(),
        "group": os.getpgid(0),
        "template": TEMPLATE,
        "given": os.environ["SPB_GIVEN"],
        "marker": os.environ["SNAKEPIT_MARKER"],
        "shown": shown[b"SNAKEPIT_MARKER"].decode(),
        "chance": [random.random(), numpy.random.rand(), os.urandom(8).hex()],
    }
"#;
