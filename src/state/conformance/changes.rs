//! What those who watch are told: every change once, in the order of revisions, without a gap; and
//! nothing of what was refused.

use crate::core::{Status, Value};
use crate::state::backend::{Access, Command};
use crate::state::change::{Change, ChangeKind};
use crate::state::update::Update;

use super::probe::{MINUTE, Probe, by, json, number, same, set, told, write};
use super::{Heard, Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(subject; every_verb_is_told, what_is_refused_is_not_told, a_load_is_told)
}

async fn every_verb_is_told(probe: &Probe) -> Outcome {
    follow(probe).await?;
    let update = Update::parse(&json(r#"{"max":4}"#)?).map_err(told)?;
    let registered = probe.register("a", "integer", "{}", number(1)).await?;
    probe.register("b", "integer", "{}", number(1)).await?;
    probe.set("a", number(2)).await?;
    probe.set_many(vec![write("b", number(2)), write("a", number(3))], None).await?;
    probe.variable(Command::Update { name: "a", update: &update, access: Access::ANY }).await?;
    let back = Command::Rollback { name: "a", version: 1, access: Access::ANY };
    probe.variable(back).await?;
    probe.lock("a", "o", MINUTE).await?;
    probe.lock("a", "o", MINUTE).await?;
    probe.done(Command::Unlock { name: "a", owner: "o" }).await?;
    probe.done(Command::Unlock { name: "a", owner: "o" }).await?;
    probe.done(Command::Delete { name: "b", access: Access::ANY }).await?;
    let written = |name, version, value| (ChangeKind::Written, name, version, Some(number(value)));
    let locked = || (ChangeKind::Locked { owner: "o".into() }, "a", 5, None);
    let expected = vec![
        (ChangeKind::Registered, "a", 1, Some(number(1))),
        (ChangeKind::Registered, "b", 1, Some(number(1))),
        written("a", 2, 2),
        written("b", 2, 2),
        written("a", 3, 3),
        written("a", 4, 4),
        written("a", 5, 1),
        locked(),
        locked(),
        (ChangeKind::Unlocked, "a", 5, None),
        (ChangeKind::Deleted, "b", 2, None),
    ];
    let heard = compare(probe, &expected).await?;
    let ids = heard.changes.iter().filter(|change| &*change.name == "a").map(|change| change.id);
    same("the ids of a", &ids.collect::<Vec<_>>(), &vec![registered.definition.id; 8])?;
    let revision = heard.changes.first().map(|change| change.revision);
    same("the id is the revision of registering", &revision, &Some(registered.definition.id))
}

async fn what_is_refused_is_not_told(probe: &Probe) -> Outcome {
    follow(probe).await?;
    probe.register("a", "integer", r#"{"max":9}"#, number(1)).await?;
    probe.register("b", "integer", "{}", number(1)).await?;
    probe.lock("b", "o", MINUTE).await?;
    probe.refusal(set("a", number(10), Access::ANY), Status::Constraint).await?;
    probe.refusal(set("a", number(2), Access::at(2)), Status::VersionConflict).await?;
    let batch = vec![write("a", number(2)), write("b", number(2))];
    probe.refusal(Command::SetMany { writes: batch, owner: None }, Status::Busy).await?;
    probe.get_many(&["a", "b"]).await?;
    probe.variable(set("b", number(2), by("o"))).await?;
    let expected = vec![
        (ChangeKind::Registered, "a", 1, Some(number(1))),
        (ChangeKind::Registered, "b", 1, Some(number(1))),
        (ChangeKind::Locked { owner: "o".into() }, "b", 1, None),
        (ChangeKind::Written, "b", 2, Some(number(2))),
    ];
    compare(probe, &expected).await.map(drop)
}

async fn a_load_is_told(probe: &Probe) -> Outcome {
    probe.register("a", "integer", "{}", number(1)).await?;
    probe.set("a", number(2)).await?;
    probe.register("b", "integer", "{}", number(1)).await?;
    let variables = probe.snapshot().await?;
    let other = Probe::new(&probe.subject).await?;
    follow(&other).await?;
    other.done(Command::Load { variables }).await?;
    let expected = vec![
        (ChangeKind::Registered, "a", 2, Some(number(2))),
        (ChangeKind::Registered, "b", 1, Some(number(1))),
    ];
    compare(&other, &expected).await?;
    other.close().await
}

/// From here on, every change of the probe's session is heard.
pub async fn follow(probe: &Probe) -> Outcome {
    probe.subject.told.listen(probe.session.incarnation);
    probe.subject.backend.follow(&probe.session, true).resolve().await.map_err(told)
}

/// Waits for so many changes: told in the order of revisions, and none lost.
pub async fn heard(probe: &Probe, count: usize) -> Result<Heard, String> {
    let told = &probe.subject.told;
    let heard = told.wait(probe.session.incarnation, |heard| heard.changes.len() >= count).await?;
    same("gaps", &heard.gaps, &0)?;
    same("how many changes", &heard.changes.len(), &count)?;
    let revisions: Vec<u64> = heard.changes.iter().map(|change| change.revision).collect();
    let first = revisions.first().copied().unwrap_or_default();
    same("revisions", &revisions, &(first..first + count as u64).collect())?;
    Ok(heard)
}

type Expected = (ChangeKind, &'static str, u64, Option<Value>);

async fn compare(probe: &Probe, expected: &[Expected]) -> Result<Heard, String> {
    let heard = heard(probe, expected.len()).await?;
    for (change, expected) in heard.changes.iter().zip(expected) {
        let Change { kind, name, version, value, .. } = change;
        let given = (kind.clone(), &**name, *version, value.clone());
        same("a change", &given, expected)?;
    }
    Ok(heard)
}
