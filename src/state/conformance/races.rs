//! Many at once: no increment is lost, one of many wins, batches do not mix, and what is read or
//! told fits together.

use std::future::Future;

use crate::core::Status;
use crate::state::backend::{Access, Command};
use crate::state::change::ChangeKind;
use crate::state::update::Update;

use super::changes::{follow, heard};
use super::probe::{MINUTE, Probe, json, number, same, set, told, variable, write};
use super::{Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(
        subject;
        increments_are_exact,
        updates_are_exact,
        one_of_many_registers,
        one_of_many_locks,
        one_of_many_deletes,
        batches_do_not_mix,
        changes_of_a_race_are_told_in_order,
    )
}

async fn increments_are_exact(probe: &Probe) -> Outcome {
    let scale = probe.subject.scale;
    probe.register("n", "integer", "{}", number(0)).await?;
    at_once(probe, |probe, _| async move {
        for _ in 0..probe.subject.scale.increments {
            increment(&probe).await?;
        }
        Ok(())
    })
    .await?;
    let after = probe.get("n").await?;
    same("the sum", &after.value, &number(scale.writers * scale.increments))?;
    same("the version", &after.version, &(scale.writers * scale.increments + 1))
}

/// Reads and writes until nobody came in between; each failure is another writer's success.
pub async fn increment(probe: &Probe) -> Outcome {
    loop {
        let before = probe.get("n").await?;
        let sum = before.value.to_document().map_err(told)?.as_u64().unwrap_or_default() + 1;
        match probe.apply(set("n", number(sum), Access::at(before.version))).await {
            Ok(_) => return Ok(()),
            Err(error) if error.status() == Status::VersionConflict => {
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(told(error)),
        }
    }
}

/// Each writer adds keys of its own, without reading first.
async fn updates_are_exact(probe: &Probe) -> Outcome {
    let scale = probe.subject.scale;
    probe.register("j", "json", "{}", json("{}")?).await?;
    at_once(probe, |probe, writer| async move {
        for step in 0..KEYS {
            let document = format!(r#"{{"merge":{{"{writer}.{step}":1}}}}"#);
            let update = Update::parse(&json(&document)?).map_err(told)?;
            let access = Access::ANY;
            probe.variable(Command::Update { name: "j", update: &update, access }).await?;
        }
        Ok(())
    })
    .await?;
    let after = probe.get("j").await?;
    let document = after.value.to_document().map_err(told)?;
    let keys = document.as_object().map_or(0, serde_json::Map::len) as u64;
    same("the keys", &keys, &(scale.writers * KEYS))?;
    same("the version", &after.version, &(scale.writers * KEYS + 1))
}

async fn one_of_many_registers(probe: &Probe) -> Outcome {
    let winner = winner(probe, Status::AlreadyExists, |writer, _| {
        Ok(Command::Register(variable("n", "integer", "{}", number(writer))?))
    })
    .await?;
    same("the value", &probe.value("n").await?, &number(winner))
}

async fn one_of_many_locks(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    let winner =
        winner(probe, Status::Busy, |_, owner| Ok(Command::Lock { name: "n", owner, ttl: MINUTE }))
            .await?;
    let lock = probe.get("n").await?.lock.map(|lock| lock.owner.to_string());
    same("who has it", &lock, &Some(winner.to_string()))
}

async fn one_of_many_deletes(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    winner(probe, Status::NotFound, |_, _| {
        Ok(Command::Delete { name: "n", access: Access::at(1) })
    })
    .await?;
    probe.refusal(Command::Get { name: "n" }, Status::NotFound).await.map(drop)
}

/// Of writers that all try the same once, the only one that is not refused.
async fn winner(
    probe: &Probe,
    refused: Status,
    command: impl for<'a> Fn(u64, &'a str) -> Result<Command<'a>, String> + Clone + Send + 'static,
) -> Result<u64, String> {
    let winners = at_once(probe, move |probe, writer| {
        let command = command.clone();
        async move {
            let name = writer.to_string();
            match probe.apply(command(writer, &name)?).await {
                Ok(_) => Ok(Some(writer)),
                Err(error) if error.status() == refused => Ok(None),
                Err(error) => Err(told(error)),
            }
        }
    })
    .await?;
    let winners: Vec<u64> = winners.into_iter().flatten().collect();
    match winners[..] {
        [winner] => Ok(winner),
        _ => Err(format!("{winners:?} came first, expected one")),
    }
}

/// Every batch writes the same number everywhere, so whoever sees two numbers sees half a batch.
async fn batches_do_not_mix(probe: &Probe) -> Outcome {
    for name in BATCH {
        probe.register(name, "integer", "{}", number(0)).await?;
    }
    at_once(probe, |probe, writer| async move {
        for step in 0..BATCHES {
            if writer % 4 == 0 {
                read_whole(&probe).await?;
                continue;
            }
            let value = number(writer * BATCHES + step);
            let mut writes: Vec<_> = BATCH.iter().map(|name| write(name, value.clone())).collect();
            if writer % 2 == 0 {
                writes.reverse();
            }
            probe.set_many(writes, None).await?;
        }
        Ok(())
    })
    .await?;
    read_whole(probe).await?;
    let scale = probe.subject.scale;
    let writers = scale.writers - scale.writers.div_ceil(4);
    same("the version", &probe.get("a").await?.version, &(writers * BATCHES + 1))
}

async fn read_whole(probe: &Probe) -> Outcome {
    let (found, _) = probe.get_many(&BATCH).await?;
    let saved = probe.snapshot().await?;
    let read: Vec<_> = found.iter().map(|row| (row.version, row.value.clone())).collect();
    let saved: Vec<_> = saved.iter().map(|row| (row.version, row.value.clone())).collect();
    for rows in [read, saved] {
        let Some(first) = rows.first() else { return Err("nothing is there".to_owned()) };
        same("what was written together", &rows, &vec![first.clone(); BATCH.len()])?;
    }
    Ok(())
}

async fn changes_of_a_race_are_told_in_order(probe: &Probe) -> Outcome {
    follow(probe).await?;
    probe.register("n", "integer", "{}", number(0)).await?;
    at_once(probe, |probe, _| async move {
        for _ in 0..INCREMENTS_TOLD {
            increment(&probe).await?;
        }
        Ok(())
    })
    .await?;
    let writes = probe.subject.scale.writers * INCREMENTS_TOLD;
    let heard = heard(probe, usize::try_from(writes).unwrap_or_default() + 1).await?;
    for (change, version) in heard.changes.iter().zip(1..) {
        let kind = if version == 1 { ChangeKind::Registered } else { ChangeKind::Written };
        let given = (change.kind.clone(), change.version, change.value.clone());
        same("a change", &given, &(kind, version, Some(number(version - 1))))?;
    }
    Ok(())
}

/// Runs `work` for every writer at once; the first failure is told.
async fn at_once<T: Send + 'static, F: Future<Output = Result<T, String>> + Send + 'static>(
    probe: &Probe,
    work: impl Fn(Probe, u64) -> F,
) -> Result<Vec<T>, String> {
    let Subject { runtime, scale, .. } = &probe.subject;
    let writers: Vec<_> =
        (0..scale.writers).map(|writer| runtime.spawn(work(probe.clone(), writer))).collect();
    let mut outcomes = Vec::new();
    for writer in writers {
        outcomes.push(writer.await.map_err(|error| error.to_string())??);
    }
    Ok(outcomes)
}

const KEYS: u64 = 20;
const BATCHES: u64 = 25;
const BATCH: [&str; 4] = ["a", "b", "c", "d"];
const INCREMENTS_TOLD: u64 = 25;
