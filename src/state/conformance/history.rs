//! What is kept of the past: so many values and so many bytes of it, the oldest going first; and
//! going back to it.

use crate::core::Status;
use crate::state::backend::{Access, Command};

use super::probe::{Probe, detail, number, same, text};
use super::{LIMITS, Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(
        subject;
        so_many_values_are_kept,
        so_many_bytes_are_kept,
        a_value_that_is_too_long_takes_the_past_along,
        rollback_writes_an_earlier_value_again,
        rollback_to_what_is_not_kept_says_what_is,
    )
}

async fn so_many_values_are_kept(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    let last = LIMITS.history_max as u64 + 4;
    for version in 2..=last {
        probe.set("n", number(version)).await?;
        let oldest = version.saturating_sub(LIMITS.history_max as u64).max(1);
        let kept = versions(probe, "n").await?;
        same("the versions", &kept, &(oldest..=version).collect::<Vec<_>>())?;
    }
    for past in probe.history("n").await? {
        same("the value of a version", &past.value, &number(past.version))?;
    }
    Ok(())
}

async fn so_many_bytes_are_kept(probe: &Probe) -> Outcome {
    let half = LIMITS.history_bytes_max / 2;
    probe.register("s", "string", "{}", text(half)).await?;
    probe.set("s", text(half)).await?;
    probe.set("s", text(2)).await?;
    same("versions at the limit", &versions(probe, "s").await?, &vec![1, 2, 3])?;
    probe.set("s", text(2)).await?;
    same("versions behind the limit", &versions(probe, "s").await?, &vec![2, 3, 4])
}

async fn a_value_that_is_too_long_takes_the_past_along(probe: &Probe) -> Outcome {
    probe.register("s", "string", "{}", text(2)).await?;
    probe.set("s", text(LIMITS.history_bytes_max + 1)).await?;
    same("versions before", &versions(probe, "s").await?, &vec![1, 2])?;
    probe.set("s", text(2)).await?;
    same("versions after", &versions(probe, "s").await?, &vec![3])
}

async fn rollback_writes_an_earlier_value_again(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(10)).await?;
    probe.set("n", number(20)).await?;
    let back = |version, access| Command::Rollback { name: "n", version, access };
    let after = probe.variable(back(1, Access::at(2))).await?;
    same("the version", &after.version, &3)?;
    same("the value", &after.value, &number(10))?;
    same("what is kept", &versions(probe, "n").await?, &vec![1, 2, 3])?;
    probe.refusal(back(1, Access::at(2)), Status::VersionConflict).await?;
    let current = probe.variable(back(3, Access::ANY)).await?;
    same("the version when going nowhere", &current.version, &4)?;
    same("the value when going nowhere", &current.value, &number(10))
}

async fn rollback_to_what_is_not_kept_says_what_is(probe: &Probe) -> Outcome {
    let back = |version| Command::Rollback { name: "n", version, access: Access::ANY };
    probe.refusal(back(1), Status::NotFound).await?;
    probe.register("n", "integer", "{}", number(1)).await?;
    let last = LIMITS.history_max as u64 + 2;
    for version in 2..=last {
        probe.set("n", number(version)).await?;
    }
    let before = probe.state().await?;
    let kept: Vec<u64> = (2..last).collect();
    for version in [1, last + 1, 0] {
        let error = probe.refusal(back(version), Status::NotFound).await?;
        detail(&error, "versions", kept.clone())?;
        detail(&error, "version", version)?;
    }
    same("the state after refusals", &probe.state().await?, &before)
}

/// Those that are kept, the current one last.
async fn versions(probe: &Probe, name: &str) -> Result<Vec<u64>, String> {
    Ok(probe.history(name).await?.iter().map(|past| past.version).collect())
}
