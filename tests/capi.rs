//! Drives the C programs of `tests/c`, and the examples: as they are, and watched by valgrind or,
//! with a Python worker, by the compiler's sanitizers.

#[path = "abi/built.rs"]
mod built;
#[path = "capi/conformance.rs"]
mod conformance;
#[path = "capi/examples.rs"]
mod examples;
#[path = "abi/program.rs"]
mod program;
#[path = "worker/support.rs"]
#[expect(dead_code, reason = "only the configuration is needed here")]
mod support;

use program::Program;

#[test]
fn values() {
    Program::build("values").run(&[]);
}

#[test]
fn values_under_valgrind() {
    Program::build("values").run_under_valgrind(&[]);
}

#[test]
fn variables() {
    Program::build("variables").run(&[VARIABLES]);
}

#[test]
fn variables_under_valgrind() {
    Program::build("variables").run_under_valgrind(&[VARIABLES]);
}

#[test]
fn tensors() {
    Program::build("tensors").run(&[]);
}

#[test]
fn tensors_under_valgrind() {
    Program::build("tensors").run_under_valgrind(&["shortly"]);
}

#[test]
fn tensors_sanitized() {
    Program::build_sanitized("tensors").run(&[]);
}

#[test]
fn vectors() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/values.json");
    Program::build_with("vectors", &["-Wl,--no-as-needed", "-lcjson"]).run(&[file]);
}

#[test]
fn hostile_callers() {
    Program::build("hostile").run(&[]);
}

#[test]
fn hostile_callers_under_valgrind() {
    Program::build("hostile").run_under_valgrind(&[]);
}

#[test]
fn variable_verbs() {
    Program::build("variable_verbs").run(&[]);
}

#[test]
fn variable_verbs_under_valgrind() {
    Program::build("variable_verbs").run_under_valgrind(&[]);
}

#[test]
fn watches() {
    Program::build("watch").run(&[]);
}

#[test]
fn watches_under_valgrind() {
    Program::build("watch").run_under_valgrind(&[]);
}

#[test]
fn lifecycle() {
    Program::build("lifecycle").run(&[]);
}

#[test]
fn sessions() {
    let folder = tempfile::tempdir().unwrap();
    Program::build("sessions").run(&[folder.path().to_str().unwrap()]);
}

#[test]
fn sessions_under_valgrind() {
    let folder = tempfile::tempdir().unwrap();
    Program::build("sessions").run_under_valgrind(&[folder.path().to_str().unwrap()]);
}

#[test]
fn callbacks() {
    Program::build("callbacks").run(&[]);
}

#[test]
fn callbacks_under_valgrind() {
    Program::build("callbacks").run_under_valgrind(&[]);
}

#[test]
fn unloading() {
    Program::build("unload").run(&[built::library().to_str().unwrap()]);
}

#[test]
fn calls_of_python() {
    Program::build("worker").run(&[&one_worker()]);
}

#[test]
fn calls_of_python_sanitized() {
    Program::build_sanitized("worker").run(&[&one_worker()]);
}

#[test]
fn waiting() {
    Program::build("waiting").run(&[&one_worker()]);
}

#[test]
fn waiting_sanitized() {
    Program::build_sanitized("waiting").run(&[&one_worker()]);
}

#[test]
fn calls_by_python() {
    Program::build("tools").run(&[&one_worker_with_tools()]);
}

#[test]
fn calls_by_python_sanitized() {
    Program::build_sanitized("tools").run(&[&one_worker_with_tools()]);
}

#[test]
fn late_records() {
    Program::build("logs").run(&[&one_worker_with_few_records()]);
}

#[test]
fn late_records_sanitized() {
    Program::build_sanitized("logs").run(&[&one_worker_with_few_records()]);
}

fn one_worker() -> String {
    support::config(1, 4).to_string()
}

fn one_worker_with_tools() -> String {
    let mut config = support::config(1, 4);
    let frameworks = &mut config["pools"]["default"]["frameworks"];
    frameworks["tools"] = serde_json::json!({"modules": ["spb_toolmod"]});
    config.to_string()
}

fn one_worker_with_few_records() -> String {
    let mut config = support::config(1, 4);
    config["logs"] = serde_json::json!({"queue_max": 8});
    config.to_string()
}

const VARIABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/variables.json");
