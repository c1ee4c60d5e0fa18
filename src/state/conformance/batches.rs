//! Batches: read at one moment, written whole or not at all, whichever write is at fault and
//! wherever it stands.

use crate::core::{Error, Status, Value};
use crate::state::backend::{Access, Command, Write};

use super::probe::{MINUTE, Probe, by, detail, number, numbered, same, set, text, write};
use super::{LIMITS, Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(
        subject;
        many_are_read_in_the_order_asked,
        many_are_written_in_the_order_given,
        one_fault_anywhere_leaves_all_as_it_was,
        the_first_fault_is_told,
        a_batch_is_held_against_the_quota_as_a_whole,
    )
}

async fn many_are_read_in_the_order_asked(probe: &Probe) -> Outcome {
    let (found, missing) = probe.get_many(&[]).await?;
    same("nothing of nothing", &(found.len(), missing.len()), &(0, 0))?;
    probe.register_numbers(3).await?;
    let (found, missing) = probe.get_many(&["n2", "y", "n0", "n2", "x", "y"]).await?;
    let names: Vec<&str> = found.iter().map(|variable| &**variable.name()).collect();
    same("found", &names, &vec!["n2", "n0", "n2"])?;
    same("missing", &missing, &["y", "x", "y"].map(str::to_owned).to_vec())?;
    for variable in &found {
        let number = if &**variable.name() == "n2" { number(2) } else { number(0) };
        same("a value", &variable.value, &number)?;
    }
    Ok(())
}

async fn many_are_written_in_the_order_given(probe: &Probe) -> Outcome {
    same("nothing", &probe.set_many(Vec::new(), None).await?.len(), &0)?;
    probe.register_numbers(3).await?;
    probe.lock("n1", "a", MINUTE).await?;
    let writes =
        vec![write("n2", number(12)), expecting("n0", 1, number(10)), write("n1", number(11))];
    let after = probe.set_many(writes, Some("a")).await?;
    let rows = after.iter().map(|after| (&**after.name(), after.version, after.value.clone()));
    let expected = vec![("n2", 2, number(12)), ("n0", 2, number(10)), ("n1", 2, number(11))];
    same("the answer", &rows.collect::<Vec<_>>(), &expected)?;
    for (name, version, value) in expected {
        let variable = probe.get(name).await?;
        same("what is read", &(variable.version, variable.value), &(version, value))?;
    }
    same("the past", &probe.history("n2").await?.len(), &2)
}

async fn one_fault_anywhere_leaves_all_as_it_was(probe: &Probe) -> Outcome {
    prepare(probe).await?;
    let before = probe.state().await?;
    for fault in FAULTS {
        for place in 0..=GOOD {
            let mut writes = good();
            writes.insert(place, fault.write());
            let batch = Command::SetMany { writes, owner: None };
            fault.is_told_by(&probe.refusal(batch, fault.status()).await?)?;
            let what = format!("the state after {fault:?} at place {place}");
            same(&what, &probe.state().await?, &before)?;
        }
    }
    let after = probe.set_many(good(), None).await?;
    same("the versions after a good one", &after.iter().all(|after| after.version == 2), &true)
}

/// Of two writes that are at fault, the one that stands first; the quota comes after all of them.
async fn the_first_fault_is_told(probe: &Probe) -> Outcome {
    prepare(probe).await?;
    let before = probe.state().await?;
    for first in FAULTS {
        for second in FAULTS.into_iter().filter(|second| *second != first) {
            let mut writes = good();
            writes.insert(1, first.write());
            writes.insert(3, second.write());
            let told = if first == Fault::Quota { second } else { first };
            let batch = Command::SetMany { writes, owner: None };
            told.is_told_by(&probe.refusal(batch, told.status()).await?)?;
        }
    }
    same("the state after all", &probe.state().await?, &before)
}

/// What one write takes, another may give.
async fn a_batch_is_held_against_the_quota_as_a_whole(probe: &Probe) -> Outcome {
    let large = LIMITS.bytes_max * 2 / 3;
    probe.register("a", "json", "{}", text(large)).await?;
    probe.register("b", "json", "{}", text(8)).await?;
    probe.refusal(set("b", text(large), Access::ANY), Status::ResourceExhausted).await?;
    let swap = vec![write("b", text(large)), write("a", text(8))];
    let after = probe.set_many(swap, None).await?;
    same("what is written", &after.len(), &2)?;
    let both = vec![write("a", text(large / 2)), write("b", text(large))];
    let batch = Command::SetMany { writes: both, owner: None };
    probe.refusal(batch, Status::ResourceExhausted).await?;
    same("a after a refusal", &probe.value("a").await?, &text(8))
}

/// What can be wrong with one write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Missing,
    Kind,
    /// Long enough that a store may check it somewhere else.
    LongKind,
    Constraint,
    Locked,
    Version,
    Quota,
}

impl Fault {
    /// Each on a variable of its own.
    fn write(self) -> Write {
        match self {
            Fault::Missing => write("missing", number(1)),
            Fault::Kind => write("kind", text(8)),
            Fault::LongKind => write("long", text(4096)),
            Fault::Constraint => write("over", number(101)),
            Fault::Locked => write("locked", number(1)),
            Fault::Version => expecting("stale", 7, number(1)),
            Fault::Quota => write("large", text(LIMITS.bytes_max)),
        }
    }

    fn status(self) -> Status {
        match self {
            Fault::Missing => Status::NotFound,
            Fault::Kind | Fault::LongKind => Status::TypeMismatch,
            Fault::Constraint => Status::Constraint,
            Fault::Locked => Status::Busy,
            Fault::Version => Status::VersionConflict,
            Fault::Quota => Status::ResourceExhausted,
        }
    }

    /// The error names the write, but for the quota, which all of them exceed together.
    fn is_told_by(self, error: &Error) -> Outcome {
        match self {
            Fault::Quota => detail(error, "limit", LIMITS.bytes_max),
            _ => detail(error, "variable", self.write().name),
        }
    }
}

async fn prepare(probe: &Probe) -> Outcome {
    probe.register_numbers(GOOD as u64).await?;
    for name in ["kind", "long", "over", "locked", "stale"] {
        probe.register(name, "integer", r#"{"max":100}"#, number(1)).await?;
    }
    probe.register("large", "json", "{}", number(1)).await?;
    probe.lock("locked", "a", MINUTE).await?;
    probe.variable(set("locked", number(2), by("a"))).await.map(drop)
}

fn good() -> Vec<Write> {
    (0..GOOD as u64).map(|index| write(&numbered(index), number(50 + index))).collect()
}

fn expecting(name: &str, version: u64, value: Value) -> Write {
    Write { name: name.to_owned(), value, expected_version: Some(version) }
}

const FAULTS: [Fault; 7] = [
    Fault::Missing,
    Fault::Kind,
    Fault::LongKind,
    Fault::Constraint,
    Fault::Locked,
    Fault::Version,
    Fault::Quota,
];
/// Writes of a batch that have nothing wrong with them.
const GOOD: usize = 4;
