//! Locks: one owner writes, everybody else is told who has it and for how long, until it is given
//! back or its time is over.

use std::time::Duration;

use tokio::time::Instant;

use crate::core::{Error, Status};
use crate::state::backend::{Access, Command, Reply};
use crate::state::update::Update;

use super::probe::{MINUTE, Probe, by, detail, json, number, same, set, told, write};
use super::{Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(
        subject;
        only_the_owner_writes,
        a_lock_is_seen_and_given_back,
        the_same_owner_starts_the_time_again,
        a_lock_ends_with_its_time,
        a_lock_ends_with_its_variable,
    )
}

async fn only_the_owner_writes(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    probe.set("n", number(2)).await?;
    probe.lock("n", OWNER, MINUTE).await?;
    let before = probe.state().await?;
    let update = Update::parse(&json(r#"{"max":5}"#)?).map_err(told)?;
    for access in [Access::ANY, by("b")] {
        let owner = access.owner.unwrap_or("b");
        for command in [
            set("n", number(3), access),
            Command::SetMany { writes: vec![write("n", number(3))], owner: access.owner },
            Command::Update { name: "n", update: &update, access },
            Command::Rollback { name: "n", version: 1, access },
            Command::Delete { name: "n", access },
            Command::Lock { name: "n", owner, ttl: MINUTE },
            Command::Unlock { name: "n", owner },
        ] {
            told_who(&probe.refusal(command, Status::Busy).await?)?;
        }
    }
    same("the state after refusals", &probe.state().await?, &before)?;
    for (command, version) in [
        (set("n", number(3), by(OWNER)), 3),
        (Command::Update { name: "n", update: &update, access: by(OWNER) }, 4),
        (Command::Rollback { name: "n", version: 1, access: by(OWNER) }, 5),
    ] {
        let after = probe.variable(command).await?;
        same("the owner's version", &after.version, &version)?;
        same("who has it", &owner_of(&after), &Some(OWNER))?;
    }
    let after = probe.set_many(vec![write("n", number(3))], Some(OWNER)).await?;
    same("the owner's batch", &after.first().map(|after| after.version), &Some(6))?;
    probe.done(Command::Delete { name: "n", access: by(OWNER) }).await
}

fn told_who(error: &Error) -> Outcome {
    detail(error, "variable", "n")?;
    detail(error, "owner", OWNER)?;
    let left = error.details().get("expires_in_ms").and_then(serde_json::Value::as_u64);
    if left.is_some_and(|left| left > 0 && left <= 60_000) && error.is_retryable() {
        return Ok(());
    }
    Err(format!("{error:?} does not say to try again within the minute"))
}

async fn a_lock_is_seen_and_given_back(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    probe.done(Command::Unlock { name: "n", owner: OWNER }).await?;
    let locked = probe.lock("n", OWNER, MINUTE).await?;
    same("the version of what is locked", &locked.version, &1)?;
    let (found, _) = probe.get_many(&["n"]).await?;
    for variable in [&locked, &probe.get("n").await?].into_iter().chain(&found) {
        same("who has it", &owner_of(variable), &Some(OWNER))?;
        let left = variable.lock.as_ref().map_or(Duration::ZERO, |lock| lock.expires_in);
        if left > MINUTE || left < MINUTE / 2 {
            return Err(format!("{left:?} are left of a minute"));
        }
    }
    probe.done(Command::Unlock { name: "n", owner: OWNER }).await?;
    same("who has it", &owner_of(&probe.get("n").await?), &None)?;
    probe.done(Command::Unlock { name: "n", owner: "b" }).await?;
    same("the version after all", &probe.set("n", number(2)).await?.version, &2)?;
    let missing = Command::Lock { name: "m", owner: OWNER, ttl: MINUTE };
    probe.refusal(missing, Status::NotFound).await.map(drop)
}

/// The time starts again, be it longer or shorter than what was left.
async fn the_same_owner_starts_the_time_again(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    for ttl in [MINUTE, MINUTE * 60, MINUTE] {
        probe.lock("n", OWNER, ttl).await?;
        let lock = probe.get("n").await?.lock;
        let left = lock.map_or(Duration::ZERO, |lock| lock.expires_in);
        if left > ttl || left < ttl / 2 {
            return Err(format!("{left:?} are left of {ttl:?}"));
        }
    }
    Ok(())
}

/// Not before it is over, and without anybody doing anything.
async fn a_lock_ends_with_its_time(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    let began = Instant::now();
    probe.lock("n", "a", SHORT).await?;
    let deadline = began + MINUTE;
    let after = loop {
        match probe.apply(set("n", number(2), by("b"))).await {
            Ok(Reply::Variable(after)) => break after,
            Err(error) if error.status() == Status::Busy && Instant::now() < deadline => {
                tokio::time::sleep(left_of(&error)).await;
            }
            other => return Err(format!("behind a lock of {SHORT:?}: {other:?}")),
        }
    };
    // A store outside this process may count in whole milliseconds.
    if began.elapsed() + Duration::from_millis(2) < SHORT {
        return Err(format!("a lock of {SHORT:?} ended after {:?}", began.elapsed()));
    }
    same("the version", &after.version, &2)?;
    same("who has it", &owner_of(&probe.get("n").await?), &None)?;
    let locked = probe.lock("n", "b", MINUTE).await?;
    same("who has it then", &owner_of(&locked), &Some("b"))
}

async fn a_lock_ends_with_its_variable(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    probe.lock("n", "a", MINUTE).await?;
    probe.done(Command::Delete { name: "n", access: by("a") }).await?;
    probe.register("n", "integer", "{}", number(1)).await?;
    same("who has it", &owner_of(&probe.get("n").await?), &None)?;
    same("the version", &probe.set("n", number(2)).await?.version, &2)
}

/// How long a refused writer is told to wait.
fn left_of(error: &Error) -> Duration {
    let left = error.details().get("expires_in_ms").and_then(serde_json::Value::as_u64);
    Duration::from_millis(left.unwrap_or_default().max(1))
}

fn owner_of(variable: &crate::state::variable::Variable) -> Option<&str> {
    variable.lock.as_ref().map(|lock| &*lock.owner)
}

/// A name that a store which takes it apart would lose.
const OWNER: &str = "host \u{e9}/\"1\":\n%2";
const SHORT: Duration = Duration::from_millis(60);
