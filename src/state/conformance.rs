//! The suite that every store passes: the promises of `backend`, one function each, against any
//! `Backend`. A store's own tests call `check`; `model` adds random sequences to it. Test support;
//! the platform does not use it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::core::{Affinity, Attachment, DType, Result, SessionId, Status, Tensor, Value};

use super::backend::{Access, Backend, Command, NewVariable, Reply, SessionCommand, SessionReply};
use super::key::{SessionAbout, SessionKey};
use super::name::NamePattern;
use super::rule::Rule;
use super::variable::Variable;

/// Runs the whole suite in sessions of its own, which it drops again. The error says which promise
/// was broken and how. `runtime` runs the writers of the concurrency checks.
pub async fn check(backend: &Arc<dyn Backend>, runtime: &Handle) -> Outcome {
    let at = |promise: &'static str| move |error: String| format!("{promise}: {error}");
    values_come_back_as_given(&Probe::new(backend).await?).await.map_err(at("values"))?;
    versions_grow_by_one(&Probe::new(backend).await?).await.map_err(at("versions"))?;
    rules_hold(&Probe::new(backend).await?).await.map_err(at("rules"))?;
    names_are_taken_once(&Probe::new(backend).await?).await.map_err(at("names"))?;
    deleting_forgets(&Probe::new(backend).await?).await.map_err(at("delete"))?;
    listing_is_ordered(&Probe::new(backend).await?).await.map_err(at("list"))?;
    sessions_are_apart(&Probe::new(backend).await?, &Probe::new(backend).await?)
        .await
        .map_err(at("sessions"))?;
    increments_are_exact(&Probe::new(backend).await?, runtime)
        .await
        .map_err(at("compare and set"))?;
    one_of_many_registers(&Probe::new(backend).await?, runtime).await.map_err(at("register race"))
}

/// What a promise comes to: nothing, or how it was broken.
pub type Outcome = Result<(), String>;

async fn values_come_back_as_given(probe: &Probe) -> Outcome {
    // Spaces, the order of keys and how numbers are written are the caller's.
    for (number, document) in DOCUMENTS.into_iter().enumerate() {
        let name = format!("v{number}");
        let value = Value::from_json(document).map_err(told)?;
        probe.register(&name, "json", "{ }", value.clone()).await?;
        let variable = probe.variable(Command::Get { name: &name }).await?;
        same("value", &variable.value, &value)?;
        same("constraints", variable.constraints().as_ref(), b"{ }".as_slice())?;
        same("metadata", variable.metadata().as_ref(), METADATA.as_bytes())?;
    }
    let tensor = Tensor::new(DType::Int16, vec![2, 1], vec![1, 2, 3, 4]).map_err(told)?;
    let attachments = vec![Attachment::Tensor(tensor), Attachment::Blob(Bytes::from_static(b"\0"))];
    let document = r#"[{"$spb":{"attachment":1}},{"$spb":{"attachment":0}}]"#;
    let value = Value::new(document, attachments).map_err(told)?;
    probe.set("v0", value.clone(), None).await?;
    same("attachments", &probe.variable(Command::Get { name: "v0" }).await?.value, &value)
}

async fn versions_grow_by_one(probe: &Probe) -> Outcome {
    let first = probe.register("n", "integer", "{}", number(0)).await?;
    same("the first version", &first.version, &1)?;
    for version in 2..6 {
        let after = probe.set("n", number(version), Some(version - 1)).await?;
        same("version", &after.version, &version)?;
    }
    same("version without an expected one", &probe.set("n", number(9), None).await?.version, &6)?;
    let stale = Command::Set { name: "n", value: number(1), access: Access::at(5) };
    let error = probe.refusal(stale, Status::VersionConflict).await?;
    same("expected", &error.details().get("expected"), &Some(&5.into()))?;
    same("actual", &error.details().get("actual"), &Some(&6.into()))?;
    same("the value after a conflict", &probe.value("n").await?, &number(9))
}

async fn rules_hold(probe: &Probe) -> Outcome {
    probe.register("n", "integer", r#"{"max":10}"#, number(1)).await?;
    let over = Command::Set { name: "n", value: number(11), access: Access::ANY };
    let error = probe.refusal(over, Status::Constraint).await?;
    same("constraint", &error.details().get("constraint"), &Some(&"max".into()))?;
    let text = Value::from_json("\"1\"").map_err(told)?;
    let other_kind = Command::Set { name: "n", value: text.clone(), access: Access::ANY };
    probe.refusal(other_kind, Status::TypeMismatch).await?;
    let stale = Command::Set { name: "n", value: text, access: Access::at(7) };
    probe.refusal(stale, Status::TypeMismatch).await?;
    same(
        "the version after refusals",
        &probe.variable(Command::Get { name: "n" }).await?.version,
        &1,
    )
}

async fn names_are_taken_once(probe: &Probe) -> Outcome {
    probe.register("threshold", "integer", "{}", number(1)).await?;
    let again = Command::Register(variable("threshold", "json", "{}", number(2))?);
    probe.refusal(again, Status::AlreadyExists).await?;
    same("the value after a second register", &probe.value("threshold").await?, &number(1))?;
    let error = probe.refusal(Command::Get { name: "treshold" }, Status::NotFound).await?;
    if error.message().contains("\"threshold\"") {
        return Ok(());
    }
    Err(format!("the nearest name is missing from {:?}", error.message()))
}

async fn deleting_forgets(probe: &Probe) -> Outcome {
    let any = |name| Command::Delete { name, access: Access::ANY };
    probe.refusal(any("n"), Status::NotFound).await?;
    probe.register("n", "integer", "{}", number(1)).await?;
    let stale = Command::Delete { name: "n", access: Access::at(2) };
    probe.refusal(stale, Status::VersionConflict).await?;
    probe.done(Command::Delete { name: "n", access: Access::at(1) }).await?;
    probe.refusal(Command::Get { name: "n" }, Status::NotFound).await?;
    let write = Command::Set { name: "n", value: number(2), access: Access::ANY };
    probe.refusal(write, Status::NotFound).await?;
    let anew = probe.register("n", "boolean", "{}", Value::from_document(&true.into())).await?;
    same("the version when registered anew", &anew.version, &1)
}

async fn listing_is_ordered(probe: &Probe) -> Outcome {
    same("names of nothing", &probe.names("").await?, &Vec::new())?;
    for name in ["b.2", "a", "b.10", "B", "_"] {
        probe.register(name, "integer", "{}", number(1)).await?;
    }
    let all = ["B", "_", "a", "b.10", "b.2"].map(str::to_owned).to_vec();
    same("all names", &probe.names("").await?, &all)?;
    same("names of *", &probe.names("*").await?, &all)?;
    same("names of b.*", &probe.names("b.*").await?, &all.iter().skip(3).cloned().collect())?;
    same("names of b.?", &probe.names("b.?").await?, &vec!["b.2".to_owned()])?;
    same("names of c*", &probe.names("c*").await?, &Vec::new())
}

async fn sessions_are_apart(one: &Probe, other: &Probe) -> Outcome {
    one.register("n", "integer", "{}", number(1)).await?;
    other.refusal(Command::Get { name: "n" }, Status::NotFound).await?;
    other.register("n", "integer", "{}", number(2)).await?;
    one.close().await?;
    one.refusal(Command::Get { name: "n" }, Status::Closed).await?;
    let late = Command::Register(variable("late", "integer", "{}", number(3))?);
    one.refusal(late, Status::Closed).await?;
    one.close().await?;
    same("the other session's value", &other.value("n").await?, &number(2))
}

async fn increments_are_exact(probe: &Probe, runtime: &Handle) -> Outcome {
    probe.register("n", "integer", "{}", number(0)).await?;
    let writers = (0..WRITERS).map(|_| {
        let probe = probe.shared();
        runtime.spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&probe).await?;
            }
            Ok::<(), String>(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.map_err(|error| error.to_string())??;
    }
    let after = probe.variable(Command::Get { name: "n" }).await?;
    same("the sum", &after.value, &number(WRITERS * INCREMENTS))?;
    same("the version", &after.version, &(WRITERS * INCREMENTS + 1))
}

/// Reads and writes until nobody came in between; each failure is another writer's success.
async fn increment(probe: &Probe) -> Outcome {
    loop {
        let before = probe.variable(Command::Get { name: "n" }).await?;
        let sum = before.value.to_document().map_err(told)?.as_u64().unwrap_or_default() + 1;
        let access = Access::at(before.version);
        let write = Command::Set { name: "n", value: number(sum), access };
        match probe.apply(write).await {
            Ok(_) => return Ok(()),
            Err(error) if error.status() == Status::VersionConflict => {
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(told(error)),
        }
    }
}

async fn one_of_many_registers(probe: &Probe, runtime: &Handle) -> Outcome {
    let racers = (0..WRITERS).map(|racer| {
        let probe = probe.shared();
        runtime.spawn(async move {
            match probe
                .apply(Command::Register(variable("n", "integer", "{}", number(racer))?))
                .await
            {
                Ok(_) => Ok(Some(racer)),
                Err(error) if error.status() == Status::AlreadyExists => Ok(None),
                Err(error) => Err(told(error)),
            }
        })
    });
    let mut winners = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        winners.extend(racer.await.map_err(|error| error.to_string())??);
    }
    same("winners", &winners.len(), &1)?;
    let held = probe.value("n").await?;
    same("the value", &Some(held), &winners.first().map(|racer| number(*racer)))
}

/// A store seen through one session.
struct Probe {
    backend: Arc<dyn Backend>,
    session: SessionKey,
}

impl Probe {
    async fn new(backend: &Arc<dyn Backend>) -> Result<Self, String> {
        let id = SessionId::generate().map_err(told)?;
        let ttl = Duration::from_secs(60);
        let about =
            SessionAbout { metadata: Bytes::from_static(b"{ }"), ttl, affinity: Affinity::None };
        let open = SessionCommand::Open { id: &id, about };
        match backend.session(open).resolve().await.map_err(told)? {
            SessionReply::Opened(row) => Ok(Probe { backend: backend.clone(), session: row.key }),
            other => Err(format!("expected an opened session, got {other:?}")),
        }
    }

    fn shared(&self) -> Self {
        Probe { backend: self.backend.clone(), session: self.session.clone() }
    }

    async fn apply(&self, command: Command<'_>) -> Result<Reply> {
        self.backend.apply(&self.session, command).resolve().await
    }

    async fn register(
        &self,
        name: &str,
        type_name: &str,
        constraints: &'static str,
        value: Value,
    ) -> Result<Variable, String> {
        self.variable(Command::Register(variable(name, type_name, constraints, value)?)).await
    }

    async fn set(
        &self,
        name: &str,
        value: Value,
        expected_version: Option<u64>,
    ) -> Result<Variable, String> {
        let access = Access { expected_version, owner: None };
        self.variable(Command::Set { name, value, access }).await
    }

    async fn value(&self, name: &str) -> Result<Value, String> {
        Ok(self.variable(Command::Get { name }).await?.value)
    }

    async fn variable(&self, command: Command<'_>) -> Result<Variable, String> {
        match self.apply(command).await.map_err(told)? {
            Reply::Variable(variable) => Ok(variable),
            other => Err(format!("expected a variable, got {other:?}")),
        }
    }

    async fn names(&self, pattern: &str) -> Result<Vec<String>, String> {
        let pattern = NamePattern::new(pattern).map_err(told)?;
        match self
            .apply(Command::List { pattern: &pattern, after: None, limit: usize::MAX })
            .await
            .map_err(told)?
        {
            Reply::Variables(found) => {
                Ok(found.iter().map(|variable| variable.name().as_ref().to_owned()).collect())
            }
            other => Err(format!("expected variables, got {other:?}")),
        }
    }

    async fn close(&self) -> Outcome {
        let close = SessionCommand::Close { session: &self.session };
        self.backend.session(close).resolve().await.map(drop).map_err(told)
    }

    async fn done(&self, command: Command<'_>) -> Outcome {
        match self.apply(command).await.map_err(told)? {
            Reply::Done => Ok(()),
            other => Err(format!("expected done, got {other:?}")),
        }
    }

    async fn refusal(
        &self,
        command: Command<'_>,
        status: Status,
    ) -> Result<crate::core::Error, String> {
        let asked = format!("{command:?}");
        match self.apply(command).await {
            Err(error) if error.status() == status => Ok(error),
            other => Err(format!("{asked}: expected {status}, got {other:?}")),
        }
    }
}

fn variable(
    name: &str,
    type_name: &str,
    constraints: &'static str,
    value: Value,
) -> Result<NewVariable, String> {
    let rule = Rule::new(type_name, &Bytes::from_static(constraints.as_bytes())).map_err(told)?;
    let metadata = Bytes::from_static(METADATA.as_bytes());
    Ok(NewVariable { name: Arc::from(name), rule, metadata, value })
}

fn number(number: u64) -> Value {
    Value::from_document(&number.into())
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, given: &T, expected: &T) -> Outcome {
    if given == expected {
        return Ok(());
    }
    Err(format!("{what} is {given:?}, expected {expected:?}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn told(error: crate::core::Error) -> String {
    format!("{error:?}")
}

const METADATA: &str = "{\"unit\" : \"ms\"}";
const WRITERS: u64 = 8;
const INCREMENTS: u64 = 200;
/// Documents that a store which parses and writes anew would change.
const DOCUMENTS: [&str; 8] = [
    " null ",
    "{\"b\" : 1, \"a\" : [ ], \"b\":2}",
    "18446744073709551615",
    "-9223372036854775808",
    "1.0e2",
    "\"\\u00e9\\ud83d\\ude00\\u0000\"",
    "\"\"",
    "{\"$$spb\":true}",
];
