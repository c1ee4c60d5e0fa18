//! Snapshots and loads: everything of a session at one moment, added to another one whole or not at
//! all.

use std::sync::Arc;

use crate::core::Status;
use crate::state::backend::{Access, Command};
use crate::state::variable::SavedVariable;

use super::probe::{MINUTE, Probe, number, numbered, same, text};
use super::values::with_attachments;
use super::{LIMITS, Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(subject; what_is_saved_can_be_loaded, a_load_happens_whole_or_not_at_all, a_load_keeps_the_limits)
}

async fn what_is_saved_can_be_loaded(probe: &Probe) -> Outcome {
    same("nothing", &probe.state().await?, &Vec::new())?;
    fill(probe).await?;
    let other = Probe::new(&probe.subject).await?;
    other.register("other", "integer", "{}", number(1)).await?;
    other.done(Command::Load { variables: probe.snapshot().await? }).await?;
    let mut loaded = other.state().await?;
    loaded.retain(|row| row.0 != "other");
    same("what was loaded", &loaded, &probe.state().await?)?;
    same("no lock came along", &other.get("n0").await?.lock, &None)?;
    let back = Command::Rollback { name: "n1", version: 1, access: Access::at(3) };
    let after = other.variable(back).await?;
    same("a rollback over the load", &(after.version, after.value), &(4, number(1)))?;
    same("the original", &probe.get("n1").await?.version, &3)?;
    other.close().await
}

/// What is taken already may stand anywhere.
async fn a_load_happens_whole_or_not_at_all(probe: &Probe) -> Outcome {
    fill(probe).await?;
    let saved = probe.snapshot().await?;
    for place in 0..saved.len() {
        let other = Probe::new(&probe.subject).await?;
        let name = saved.get(place).map(|saved| saved.name.to_string()).unwrap_or_default();
        other.register(&name, "integer", "{}", number(77)).await?;
        let before = other.state().await?;
        let load = Command::Load { variables: saved.clone() };
        other.refusal(load, Status::AlreadyExists).await?;
        same(&format!("the state after place {place}"), &other.state().await?, &before)?;
        other.close().await?;
    }
    Ok(())
}

async fn a_load_keeps_the_limits(probe: &Probe) -> Outcome {
    probe.register("n", "json", "{}", number(1)).await?;
    let [one] = &probe.snapshot().await?[..] else { return Err("expected one".to_owned()) };
    let many = (0..LIMITS.variables_max as u64)
        .map(|index| SavedVariable { name: Arc::from(numbered(index)), ..one.clone() });
    let load = Command::Load { variables: many.collect() };
    probe.refusal(load, Status::ResourceExhausted).await?;
    let large = [1, 2].map(|index| SavedVariable {
        name: Arc::from(numbered(index)),
        value: text(LIMITS.bytes_max / 2),
        ..one.clone()
    });
    let load = Command::Load { variables: large.to_vec() };
    probe.refusal(load, Status::ResourceExhausted).await?;
    same("what is there", &probe.names("", None, 100).await?, &vec!["n".to_owned()])
}

/// Several types, a past, and a lock.
async fn fill(probe: &Probe) -> Outcome {
    probe.register_numbers(3).await?;
    probe.set("n1", number(11)).await?;
    probe.set("n1", number(12)).await?;
    probe.register("v", "json", "{ }", with_attachments()?).await?;
    probe.set("v", number(1)).await?;
    probe.lock("n0", "a", MINUTE).await.map(drop)
}
