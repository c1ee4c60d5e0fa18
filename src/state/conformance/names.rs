//! Registering and deleting: a name is taken once, and a later variable of a name is another one.

use crate::core::Status;
use crate::state::backend::{Access, Command};

use super::probe::{Probe, number, same, set, variable};
use super::{Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(subject; names_are_taken_once, deleting_forgets, ids_are_given_once, sessions_are_apart)
}

async fn names_are_taken_once(probe: &Probe) -> Outcome {
    let first = probe.register("threshold", "integer", "{}", number(1)).await?;
    same("the first version", &first.version, &1)?;
    let again = Command::Register(variable("threshold", "json", "{}", number(2))?);
    probe.refusal(again, Status::AlreadyExists).await?;
    same("the value after a second register", &probe.value("threshold").await?, &number(1))?;
    for command in [
        Command::Get { name: "treshold" },
        Command::History { name: "treshold" },
        Command::Unlock { name: "treshold", owner: "a" },
        set("treshold", number(1), Access::ANY),
    ] {
        let error = probe.refusal(command, Status::NotFound).await?;
        if !error.message().contains("\"threshold\"") {
            return Err(format!("the nearest name is missing from {:?}", error.message()));
        }
    }
    Ok(())
}

async fn deleting_forgets(probe: &Probe) -> Outcome {
    let any = |name| Command::Delete { name, access: Access::ANY };
    probe.refusal(any("n"), Status::NotFound).await?;
    probe.register("n", "integer", "{}", number(1)).await?;
    let stale = Command::Delete { name: "n", access: Access::at(2) };
    probe.refusal(stale, Status::VersionConflict).await?;
    probe.done(Command::Delete { name: "n", access: Access::at(1) }).await?;
    probe.refusal(Command::Get { name: "n" }, Status::NotFound).await?;
    probe.refusal(Command::History { name: "n" }, Status::NotFound).await?;
    probe.refusal(set("n", number(2), Access::ANY), Status::NotFound).await?;
    let anew = probe.register("n", "boolean", "{}", number_as_bool()).await?;
    same("the version when registered anew", &anew.version, &1)?;
    same("the history when registered anew", &probe.history("n").await?.len(), &1)
}

async fn ids_are_given_once(probe: &Probe) -> Outcome {
    let mut ids = Vec::new();
    for _ in 0..3 {
        let registered = probe.register("n", "integer", "{}", number(1)).await?;
        ids.push(registered.definition.id);
        let after = probe.set("n", number(2)).await?;
        same("the id after a write", &after.definition.id, &registered.definition.id)?;
        same("the id when read", &probe.get("n").await?.definition.id, &registered.definition.id)?;
        probe.done(Command::Delete { name: "n", access: Access::ANY }).await?;
    }
    if ids.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err(format!("ids of one name do not grow: {ids:?}"))
}

async fn sessions_are_apart(one: &Probe) -> Outcome {
    let other = Probe::new(&one.subject).await?;
    one.register("n", "integer", "{}", number(1)).await?;
    other.refusal(Command::Get { name: "n" }, Status::NotFound).await?;
    other.register("n", "integer", "{}", number(2)).await?;
    one.close().await?;
    one.refusal(Command::Get { name: "n" }, Status::Closed).await?;
    same("the other session's value", &other.value("n").await?, &number(2))?;
    other.close().await
}

fn number_as_bool() -> crate::core::Value {
    crate::core::Value::from_document(&true.into())
}
