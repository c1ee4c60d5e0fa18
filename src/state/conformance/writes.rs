//! Single writes: versions, rules, the order of checks, updates, rollbacks.

use crate::core::Status;
use crate::state::backend::{Access, Command};
use crate::state::update::Update;

use super::probe::{MINUTE, Probe, by, detail, json, number, same, set, text, told};
use super::{LIMITS, Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(
        subject;
        versions_grow_by_one,
        rules_hold,
        checks_have_an_order,
        updates_read_and_write_in_one_step,
        refused_updates_change_nothing,
    )
}

async fn versions_grow_by_one(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(0)).await?;
    for version in 2..6 {
        let write = set("n", number(version), Access::at(version - 1));
        same("version", &probe.variable(write).await?.version, &version)?;
    }
    same("version without an expected one", &probe.set("n", number(9)).await?.version, &6)?;
    let stale = set("n", number(1), Access::at(5));
    let error = probe.refusal(stale, Status::VersionConflict).await?;
    detail(&error, "variable", "n")?;
    detail(&error, "expected", 5)?;
    detail(&error, "actual", 6)?;
    same("the value after a conflict", &probe.value("n").await?, &number(9))?;
    let same_value = probe.set("n", number(9)).await?;
    same("the version after the same value", &same_value.version, &7)
}

async fn rules_hold(probe: &Probe) -> Outcome {
    probe.register("n", "integer", r#"{"max":10}"#, number(1)).await?;
    let before = probe.state().await?;
    let over = set("n", number(11), Access::ANY);
    let error = probe.refusal(over, Status::Constraint).await?;
    detail(&error, "variable", "n")?;
    detail(&error, "constraint", "max")?;
    detail(&error, "given", 11)?;
    detail(&error, "allowed", 10)?;
    probe.refusal(set("n", json("\"1\"")?, Access::ANY), Status::TypeMismatch).await?;
    probe.refusal(set("n", text(4096), Access::ANY), Status::TypeMismatch).await?;
    same("the state after refusals", &probe.state().await?, &before)
}

/// Rule, lock, version, quota: each is broken together with all that come after it.
async fn checks_have_an_order(probe: &Probe) -> Outcome {
    let limit = LIMITS.bytes_max;
    let constraints = format!(r#"{{"max_length":{}}}"#, limit * 2);
    probe.register("s", "string", &constraints, text(8)).await?;
    probe.lock("s", "a", MINUTE).await?;
    let before = probe.state().await?;
    let stranger = Access { expected_version: Some(7), owner: Some("b") };
    let owner = Access { expected_version: Some(7), owner: Some("a") };
    for bytes in [4, limit * 3] {
        let wrong = if bytes == 4 { number(1) } else { text(bytes) };
        let status = if bytes == 4 { Status::TypeMismatch } else { Status::Constraint };
        probe.refusal(set("s", wrong, stranger), status).await?;
    }
    probe.refusal(set("s", text(limit), stranger), Status::Busy).await?;
    probe.refusal(set("s", text(limit), owner), Status::VersionConflict).await?;
    probe.refusal(set("s", text(limit), by("a")), Status::ResourceExhausted).await?;
    let delete = |access| Command::Delete { name: "s", access };
    probe.refusal(delete(stranger), Status::Busy).await?;
    probe.refusal(delete(owner), Status::VersionConflict).await?;
    let rollback = |access| Command::Rollback { name: "s", version: 1, access };
    probe.refusal(rollback(stranger), Status::Busy).await?;
    probe.refusal(rollback(owner), Status::VersionConflict).await?;
    same("the state after refusals", &probe.state().await?, &before)
}

async fn updates_read_and_write_in_one_step(probe: &Probe) -> Outcome {
    probe.register("j", "json", "{}", json(r#"{"a":1,"b":{"c":2}}"#)?).await?;
    let update = merge(r#"{"b":{"d":3},"a":null}"#)?;
    let access = Access::at(1);
    let after = probe.variable(Command::Update { name: "j", update: &update, access }).await?;
    same("the version", &after.version, &2)?;
    let expected = serde_json::json!({"b": {"c": 2, "d": 3}});
    same("the value", &after.value.to_document().map_err(told)?, &expected)?;
    same("the value when read", &probe.value("j").await?, &after.value)?;
    let history = probe.history("j").await?;
    same("what is kept", &history.len(), &2)?;
    let first = history.first().map(|past| past.value.clone());
    same("the value before", &first, &Some(json(r#"{"a":1,"b":{"c":2}}"#)?))
}

async fn refused_updates_change_nothing(probe: &Probe) -> Outcome {
    let update = Update::parse(&json(r#"{"add":6}"#)?).map_err(told)?;
    let asked = |name, access| Command::Update { name, update: &update, access };
    probe.refusal(asked("n", Access::ANY), Status::NotFound).await?;
    probe.register("n", "integer", r#"{"max":5}"#, number(1)).await?;
    probe.register("m", "integer", "{}", number(1)).await?;
    probe.lock("n", "a", MINUTE).await?;
    probe.lock("m", "a", MINUTE).await?;
    let before = probe.state().await?;
    let stale = Access { expected_version: Some(9), owner: Some("a") };
    probe.refusal(asked("n", stale), Status::Constraint).await?;
    probe.refusal(asked("m", Access::at(9)), Status::Busy).await?;
    probe.refusal(asked("m", stale), Status::VersionConflict).await?;
    same("the state after refusals", &probe.state().await?, &before)?;
    let after = probe.variable(asked("m", by("a"))).await?;
    same("the owner's value", &after.value, &number(7))
}

fn merge(document: &str) -> Result<Update, String> {
    Update::parse(&json(&format!(r#"{{"merge":{document}}}"#))?).map_err(told)
}
