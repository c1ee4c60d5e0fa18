//! A session holds so many variables and so many bytes, to the byte, and gives back what is deleted
//! or becomes shorter.

use crate::core::Status;
use crate::state::backend::{Access, Command};
use crate::state::update::Update;

use super::probe::{
    METADATA, Probe, detail, json, number, numbered, same, set, text, told, variable,
};
use super::{LIMITS, Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(subject; so_many_variables, so_many_bytes, every_way_to_grow_has_the_limit)
}

async fn so_many_variables(probe: &Probe) -> Outcome {
    let most = LIMITS.variables_max as u64;
    probe.register_numbers(most).await?;
    let register = |name: &str| variable(name, "integer", "{}", number(1));
    let one_more = Command::Register(register("more")?);
    let error = probe.refusal(one_more, Status::ResourceExhausted).await?;
    detail(&error, "limit", most)?;
    let taken = Command::Register(register("n0")?);
    probe.refusal(taken, Status::AlreadyExists).await?;
    let other = Probe::new(&probe.subject).await?;
    other.register("more", "integer", "{}", number(1)).await?;
    other.close().await?;
    probe.done(Command::Delete { name: &numbered(0), access: Access::ANY }).await?;
    probe.register("more", "integer", "{}", number(1)).await.map(drop)
}

/// Names, constraints, metadata and current values count, earlier values do not.
async fn so_many_bytes(probe: &Probe) -> Outcome {
    let beside = "s".len() + "{ }".len() + METADATA.len();
    let room = LIMITS.bytes_max - beside;
    let register =
        |bytes| Ok::<_, String>(Command::Register(variable("s", "string", "{ }", text(bytes))?));
    let error = probe.refusal(register(room + 1)?, Status::ResourceExhausted).await?;
    detail(&error, "limit", LIMITS.bytes_max)?;
    detail(&error, "bytes", LIMITS.bytes_max + 1)?;
    probe.variable(register(8)?).await?;
    probe.set("s", text(room)).await?;
    let error = probe.refusal(set("s", text(room + 1), Access::ANY), Status::ResourceExhausted);
    detail(&error.await?, "variable", "s")?;
    probe.set("s", text(room)).await?;
    let small = || Ok::<_, String>(Command::Register(variable("t", "json", "{}", number(1))?));
    probe.refusal(small()?, Status::ResourceExhausted).await?;
    probe.set("s", text(8)).await?;
    probe.variable(small()?).await?;
    probe.done(Command::Delete { name: "s", access: Access::ANY }).await?;
    probe.variable(register(room / 2)?).await.map(drop)
}

async fn every_way_to_grow_has_the_limit(probe: &Probe) -> Outcome {
    let large = LIMITS.bytes_max / 2;
    probe.register("j", "json", "{}", text(large)).await?;
    probe.set("j", json(r#"{"a":1}"#)?).await?;
    probe.register("k", "json", "{}", text(large)).await?;
    let long = format!(r#"{{"merge":{{"b":"{}"}}}}"#, "x".repeat(large));
    let update = Update::parse(&json(&long)?).map_err(told)?;
    let before = probe.state().await?;
    let access = Access::ANY;
    for command in
        [Command::Update { name: "j", update: &update, access }, set("j", text(large), access)]
    {
        let error = probe.refusal(command, Status::ResourceExhausted).await?;
        detail(&error, "limit", LIMITS.bytes_max)?;
    }
    same("the state after refusals", &probe.state().await?, &before)?;
    // What a rollback brings back takes its room as well, as far as the past can hold it.
    probe.set("k", text(8)).await?;
    probe.register("s", "string", "{}", text(LIMITS.history_bytes_max)).await?;
    probe.set("s", text(2)).await?;
    let used: usize = probe.snapshot().await?.iter().map(bytes_of).sum();
    let fill = LIMITS.bytes_max - used - "f".len() - "{}".len() - METADATA.len();
    probe.register("f", "json", "{}", text(fill)).await?;
    let back = || Command::Rollback { name: "s", version: 1, access: Access::ANY };
    probe.refusal(back(), Status::ResourceExhausted).await?;
    probe.set("f", text(2)).await?;
    same("the value", &probe.variable(back()).await?.value, &text(LIMITS.history_bytes_max))
}

fn bytes_of(saved: &crate::state::variable::SavedVariable) -> usize {
    let constraints = saved.rule.constraints().len();
    saved.name.len() + constraints + saved.metadata.len() + saved.value.bytes_len()
}
