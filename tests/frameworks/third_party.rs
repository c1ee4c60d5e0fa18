//! A framework from a package of its own: installed, found by its entry point, called, described.
//! And what is said of a pool whose framework is missing, broken, or there twice.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ExecuteRequest, Platform, RegisterVariable, Session, Timeout};
use snakepit_bridge::core::{Attachment, DType, Error, Result, Status, Tensor, Value};

use super::support::{
    LONG, chunks, close, config, finish, open, outcome, python, request, root, session,
};

/// Installs the example as a user would, without a network, and gives its directory.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // A build leaves files beside the sources.
    let sources = folder.path().join("sources");
    copy(&root().join("examples/regression_framework"), &sources);
    let site = folder.path().join("site");
    let options = "install --quiet --disable-pip-version-check --no-deps --no-index \
                   --no-build-isolation --target";
    #[expect(clippy::disallowed_methods, reason = "a package is installed, not a worker run")]
    let pip = Command::new(python())
        .args(["-m", "pip"])
        .args(options.split_whitespace())
        .args([&site, &sources])
        .output()
        .unwrap();
    assert!(pip.status.success(), "{}", String::from_utf8_lossy(&pip.stderr));
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn floats(numbers: &[f64], shape: &[i64]) -> Attachment {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Attachment::Tensor(Tensor::new(DType::Float64, shape.to_vec(), Bytes::from(bytes)).unwrap())
}

/// Three points of y = 2x + 1, and what `more` has beside them.
fn points(more: &str) -> Value {
    let json = format!(
        "{{\"features\":{{\"$spb\":{{\"attachment\":0}}}},\
         \"targets\":{{\"$spb\":{{\"attachment\":1}}}}{more}}}"
    );
    let attachments = vec![floats(&[0.0, 1.0, 2.0], &[3, 1]), floats(&[1.0, 3.0, 5.0], &[3])];
    Value::new(json, attachments).unwrap()
}

fn with(operation: &str, parameters: Value) -> ExecuteRequest {
    let parameters = Some(parameters);
    ExecuteRequest { parameters, ..request("regression", operation, &json!({})) }
}

fn run(session: &Session, operation: &str, parameters: Value) -> Result<Value> {
    finish(session.prepare(with(operation, parameters))?)
}

fn is_the_line(model: &Json) -> bool {
    let near = |value: &Json, wanted: f64| (value.as_f64().unwrap() - wanted).abs() < 1e-3;
    near(&model["coefficients"][0], 2.0)
        && near(&model["intercept"], 1.0)
        && near(&model["r_squared"], 1.0)
}

#[test]
fn a_package_of_its_own_serves_unary_streaming_and_async_operations() {
    let installed = installed();
    let mut config = config(1, &json!({"regression": {"ridge": 0.0}}));
    config["pools"]["default"]["python_path"] = json!([installed.path().join("site")]);
    let platform = open(&config);
    let session = session(&platform);

    let model = run(&session, "fit", points("")).unwrap().to_document().unwrap();
    assert!(is_the_line(&model), "{model}");
    let json = format!("{{\"model\":{model},\"features\":{{\"$spb\":{{\"attachment\":0}}}}}}");
    let rows = Value::new(json, vec![floats(&[10.0], &[1, 1])]).unwrap();
    let predicted = run(&session, "predict", rows).unwrap();
    assert!(matches!(predicted.attachments(), [Attachment::Tensor(all)] if all.shape() == [1]));

    let stream =
        ExecuteRequest { stream: true, ..with("descend", points(",\"steps\":50,\"rate\":0.4")) };
    let descent = session.prepare(stream).unwrap();
    descent.start(None);
    let steps = chunks(&descent);
    assert_eq!(steps.len(), 50);
    assert_eq!(steps[49]["step"], 50);
    assert!(steps[0]["error"].as_f64().unwrap() > steps[49]["error"].as_f64().unwrap());
    assert!(is_the_line(&outcome(&descent).unwrap().to_document().unwrap()));

    from_variables(&session);
    let error = run(&session, "fit", points(",\"ridge\":-1")).unwrap_err();
    assert_eq!(
        (error.status(), &error.details()["path"]),
        (Status::InvalidArgument, &json!("$.ridge"))
    );
    described(&platform);
    close(&platform);
}

fn from_variables(session: &Session) {
    for (name, value) in
        [("x", floats(&[0.0, 1.0, 2.0], &[3, 1])), ("y", floats(&[1.0, 3.0, 5.0], &[3]))]
    {
        let variable = RegisterVariable {
            name: name.to_owned(),
            type_name: "tensor".to_owned(),
            initial: Value::from_attachment(value).unwrap(),
            constraints: None,
            metadata: None,
        };
        session.register_variable(variable).unwrap();
    }
    let names = json!({"features": "x", "targets": "y", "model": "line"});
    run(session, "fit_variables", Value::from_document(&names)).unwrap();
    let (kept, _) = session.get_variable("line").unwrap();
    assert!(is_the_line(&kept.to_document().unwrap()));
}

fn described(platform: &Arc<Platform>) {
    let about = platform.schema(Some("regression")).unwrap();
    assert_eq!(about["options"]["properties"]["ridge"]["default"], 0.0);
    let descend = &about["operations"]["descend"];
    assert_eq!((&descend["streaming"], &descend["idempotent"]), (&json!(true), &json!(true)));
    assert_eq!(descend["parameters"]["properties"]["steps"]["default"], 100);
    assert_eq!(descend["parameters"]["properties"]["rate"]["exclusiveMaximum"], 1);
    assert!(descend["chunk"].to_string().contains("The mean squared error"), "{descend}");
    assert_eq!(about["operations"]["fit_variables"]["asynchronous"], true);
}

/// Why a pool with this framework on this path is not there.
fn refusal(path: &Path, framework: &str) -> Error {
    let mut config = config(1, &json!({framework: {}}));
    config["pools"]["default"]["python_path"] = json!([path]);
    let platform = Platform::open(config.to_string().as_bytes()).unwrap();
    let ready = platform.pool("").unwrap().await_ready(1, Timeout::After(LONG)).unwrap();
    let error = finish(ready).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error:?}");
    close(&platform);
    error
}

/// A package that is nothing but its metadata and one module.
fn package(folder: &Path, name: &str, points_to: &str, module: &str) {
    let metadata = folder.join(format!("{name}-1.0.dist-info"));
    std::fs::create_dir_all(&metadata).unwrap();
    let about = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    std::fs::write(metadata.join("METADATA"), about).unwrap();
    let entry = format!("[snakepit_bridge.frameworks]\nacme = {points_to}\n");
    std::fs::write(metadata.join("entry_points.txt"), entry).unwrap();
    std::fs::write(folder.join(format!("{name}.py")), module).unwrap();
}

#[test]
fn what_cannot_be_loaded_says_which_and_why() {
    let says = |path: &Path, fault: &str| {
        let error = refusal(path, "acme");
        let printed = error.details()["stderr_tail"].as_str().unwrap().to_owned();
        let line = printed.lines().find(|line| line.starts_with("snakepit-bridge worker: "));
        let line = line.unwrap_or_else(|| panic!("{printed}"));
        assert!(line.contains("framework 'acme'") && line.contains(fault), "{line}");
        assert!(error.message().contains("exited with code 3"), "{error}");
        assert!(error.message().contains("\"default\""), "the pool is not named: {error}");
    };
    let none = tempfile::tempdir().unwrap();
    says(none.path(), "is not installed; known are");

    let broken = tempfile::tempdir().unwrap();
    package(broken.path(), "acme_one", "acme_one:Acme", "import no_such_library\n");
    says(broken.path(), "No module named 'no_such_library'");
    package(broken.path(), "acme_one", "acme_one:Acme", "class Acme: pass\n");
    says(broken.path(), "is not a subclass of Framework");

    package(broken.path(), "acme_two", "acme_two:Acme", "\n");
    says(broken.path(), "is installed twice: acme_one:Acme, acme_two:Acme");
}
