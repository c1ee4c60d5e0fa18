//! `spb`: the platform from the command line, for people who set it up and look after it.
//!
//! It uses the Rust API only and adds nothing to it. Results go to standard output as JSON,
//! everything said to people goes to standard error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use snakepit_bridge::api::{
    ExecuteRequest, LogBatch, LogFilter, LogSink, Operation, Platform, SessionOptions, TakeOutcome,
    Timeout,
};
use snakepit_bridge::core::{Error, Result, Status, Value};

const USAGE: &str = "\
usage: spb COMMAND [--config FILE]

  doctor                      opens a platform, waits for its workers, says what is wrong
  schema [FRAMEWORK]          what the frameworks can do, as their workers announce it
  schema --full               that pool by pool, with tools, statuses, types and limits: what a
                              client can be generated from
  config-schema               the JSON Schema of the configuration document
  run FRAMEWORK OPERATION [PARAMETERS]
                              runs one operation; PARAMETERS is a JSON object, or - for what is
                              on standard input
  serve                       serves MLBridge on serve.address until standard input ends
  help, --version

FILE is a configuration document in JSON; without it, the defaults hold.";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = take_config(&mut arguments).and_then(|config| command(&arguments, &config));
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("spb: {error}");
            if let Some(python) = error.python() {
                eprintln!("{}", python.traceback);
            }
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[String], config: &[u8]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["doctor"] => doctor(config),
        ["schema"] => schema(config, |platform| platform.schema(None)),
        ["schema", "--full"] => schema(config, |platform| Ok(platform.description())),
        ["schema", framework] => schema(config, |platform| platform.schema(Some(framework))),
        ["config-schema"] => show(&format!("{:#}", snakepit_bridge::config::schema_json())),
        ["run", framework, operation] => run(config, framework, operation, "{}"),
        ["run", framework, operation, parameters] => run(config, framework, operation, parameters),
        ["serve"] => serve(config),
        ["--version"] => show(&env!("CARGO_PKG_VERSION").to_owned()),
        ["help" | "--help" | "-h"] => show(&USAGE.to_owned()),
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// Takes `--config FILE` out of the words and reads the file.
fn take_config(arguments: &mut Vec<String>) -> Result<Vec<u8>> {
    let Some(at) = arguments.iter().position(|word| word == "--config") else {
        return Ok(b"{}".to_vec());
    };
    let mut taken = arguments.drain(at..arguments.len().min(at + 2)).skip(1);
    let path =
        taken.next().map(PathBuf::from).ok_or_else(|| Error::invalid("--config names no file"))?;
    std::fs::read(&path).map_err(|error| unreadable(&path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Status::NotFound, format!("cannot read {}: {error}", path.display()))
}

fn show(text: &String) -> Result<ExitCode> {
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn doctor(config: &[u8]) -> Result<ExitCode> {
    let platform = Platform::open(config)?;
    let mut healthy = true;
    for name in platform.config().pools.keys() {
        let ready = platform.pool(name)?.await_ready(0, Timeout::After(START_WAIT))?;
        match finish(ready) {
            Ok(_) => eprintln!("pool {name:?}: ready"),
            Err(error) => {
                healthy = false;
                eprintln!("pool {name:?}: {error}");
            }
        }
    }
    println!("{:#}", platform.health());
    finish(platform.shutdown(None))?;
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn schema(
    config: &[u8],
    document: impl FnOnce(&Platform) -> Result<serde_json::Value>,
) -> Result<ExitCode> {
    let platform = Platform::open(config)?;
    for name in platform.config().pools.keys() {
        finish(platform.pool(name)?.await_ready(1, Timeout::After(START_WAIT))?)?;
    }
    println!("{:#}", document(&platform)?);
    finish(platform.shutdown(None))?;
    Ok(ExitCode::SUCCESS)
}

fn run(config: &[u8], framework: &str, operation: &str, parameters: &str) -> Result<ExitCode> {
    let parameters = match parameters {
        "-" => std::io::read_to_string(std::io::stdin())
            .map_err(|error| unreadable(Path::new("standard input"), &error))?,
        text => text.to_owned(),
    };
    let platform = Platform::open(config)?;
    let session = platform.open_session(SessionOptions::default())?;
    let request = ExecuteRequest {
        framework: framework.to_owned(),
        operation: operation.to_owned(),
        parameters: Some(Value::from_json(parameters)?),
        ..ExecuteRequest::default()
    };
    let outcome = session.prepare(request).and_then(finish);
    finish(platform.shutdown(None))?;
    println!("{}", String::from_utf8_lossy(outcome?.json()));
    Ok(ExitCode::SUCCESS)
}

fn serve(config: &[u8]) -> Result<ExitCode> {
    let platform = Platform::open(config)?;
    let Some(address) = platform.served_address() else {
        return Err(Error::invalid("the configuration names no serve.address"));
    };
    let filter = LogFilter { level: platform.default_log_level(), target_prefix: String::new() };
    let watch = platform.subscribe_logs(filter, Arc::new(ToStderr))?;
    println!("{address}");
    // Whoever started us holds our standard input; its end is the sign to leave, even if that was a
    // SIGKILL.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
        .map_err(|error| unreadable(Path::new("standard input"), &error))?;
    drop(watch);
    finish(platform.shutdown(None))?;
    Ok(ExitCode::SUCCESS)
}

struct ToStderr;

impl LogSink for ToStderr {
    fn take(&self, batch: &mut LogBatch) {
        batch.records.drain(..).for_each(|record| eprintln!("{}", record.to_text()));
    }
}

fn finish(operation: Arc<Operation>) -> Result<Value> {
    operation.start(None);
    operation.wait(None);
    match operation.take_outcome() {
        TakeOutcome::Outcome(outcome) => outcome,
        TakeOutcome::Running | TakeOutcome::Taken => {
            Err(Error::new(Status::Internal, "the operation ended without an outcome"))
        }
    }
}

/// Imports of large frameworks on a busy machine take their time.
const START_WAIT: Duration = Duration::from_secs(120);
