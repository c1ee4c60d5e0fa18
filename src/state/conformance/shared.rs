//! What a store that several hosts use promises besides: each sees the other's sessions, values,
//! locks and changes, and hears when a session of its own is ended by the other.

use crate::core::{SessionId, Status};
use crate::state::backend::{Access, Command, SessionCommand, SessionReply};
use crate::state::change::{ChangeKind, SessionLoss};

use super::changes::{follow, heard};
use super::probe::{MINUTE, Probe, about, by, number, same, set, told};
use super::races::increment;
use super::{Outcome, Subject};

/// Two subjects on one store, as two hosts have them.
pub async fn check(here: &Subject, there: &Subject) -> Outcome {
    let promises = [
        ("values and changes", see_each_other(here, there).await),
        ("locks", lock_each_other_out(here, there).await),
        ("increments", increments_of_both_are_exact(here, there).await),
        ("close", one_ends_it_for_both(here, there).await),
        ("expire", a_use_by_the_other_keeps_it(here, there).await),
    ];
    for (promise, outcome) in promises {
        outcome.map_err(|error| format!("{promise} of two hosts: {error}"))?;
    }
    Ok(())
}

async fn see_each_other(here: &Subject, there: &Subject) -> Outcome {
    let mine = Probe::new(here).await?;
    mine.register("n", "integer", "{}", number(1)).await?;
    let list = SessionCommand::List { after: None, limit: 10_000 };
    let SessionReply::Sessions(rows) = there.backend.session(list).resolve().await.map_err(told)?
    else {
        return Err("expected sessions".to_owned());
    };
    if !rows.iter().any(|row| row.key.id == mine.session.id) {
        return Err(format!("{} is not listed by the other host", mine.session.id));
    }
    let theirs = Probe::joined(there, &mine.session.id).await?;
    same("what the other host reads", &theirs.value("n").await?, &number(1))?;
    follow(&theirs).await?;
    for round in 2..10 {
        mine.set("n", number(round)).await?;
        same("what it reads then", &theirs.value("n").await?, &number(round))?;
    }
    let heard = heard(&theirs, 8).await?;
    for (change, version) in heard.changes.iter().zip(2..) {
        same("what it is told", &(&change.kind, change.version), &(&ChangeKind::Written, version))?;
    }
    mine.close().await
}

async fn lock_each_other_out(here: &Subject, there: &Subject) -> Outcome {
    let mine = Probe::new(here).await?;
    let theirs = Probe::joined(there, &mine.session.id).await?;
    mine.register("n", "integer", "{}", number(1)).await?;
    mine.lock("n", "here", MINUTE).await?;
    theirs.refusal(set("n", number(2), Access::ANY), Status::Busy).await?;
    let lock = Command::Lock { name: "n", owner: "there", ttl: MINUTE };
    theirs.refusal(lock.clone(), Status::Busy).await?;
    mine.done(Command::Unlock { name: "n", owner: "here" }).await?;
    theirs.variable(lock).await?;
    mine.refusal(set("n", number(2), by("here")), Status::Busy).await?;
    mine.close().await
}

async fn increments_of_both_are_exact(here: &Subject, there: &Subject) -> Outcome {
    let mine = Probe::new(here).await?;
    mine.register("n", "integer", "{}", number(0)).await?;
    let theirs = Probe::joined(there, &mine.session.id).await?;
    let writers = [mine.clone(), theirs].map(|probe| {
        let runtime = probe.subject.runtime.clone();
        runtime.spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&probe).await?;
            }
            Ok::<(), String>(())
        })
    });
    for writer in writers {
        writer.await.map_err(|error| error.to_string())??;
    }
    same("the sum", &mine.value("n").await?, &number(2 * INCREMENTS))?;
    mine.close().await
}

async fn one_ends_it_for_both(here: &Subject, there: &Subject) -> Outcome {
    let mine = Probe::new(here).await?;
    let theirs = Probe::joined(there, &mine.session.id).await?;
    follow(&theirs).await?;
    mine.close().await?;
    theirs.refusal(Command::Get { name: "n" }, Status::Closed).await?;
    let incarnation = theirs.session.incarnation;
    let heard = there.told.wait(incarnation, |heard| !heard.losses.is_empty()).await?;
    same("what it is told", &heard.losses, &vec![SessionLoss::Ended])?;
    let anew = Probe::named(there, &mine.session.id, about(MINUTE)).await?;
    mine.refusal(Command::Get { name: "n" }, Status::Closed).await?;
    anew.close().await
}

async fn a_use_by_the_other_keeps_it(here: &Subject, there: &Subject) -> Outcome {
    let id = SessionId::generate().map_err(told)?;
    let mine = Probe::named(here, &id, about(MINUTE)).await?;
    let theirs = Probe::joined(there, &id).await?;
    theirs.ask(SessionCommand::Touch { session: &theirs.session }).await.map_err(told)?;
    let expire = SessionCommand::Expire { session: &mine.session };
    match mine.ask(expire).await.map_err(told)? {
        SessionReply::Alive(left) if left <= MINUTE && left > MINUTE / 2 => {}
        other => return Err(format!("expected nearly a minute, got {other:?}")),
    }
    mine.register("n", "integer", "{}", number(1)).await?;
    mine.close().await
}

const INCREMENTS: u64 = 200;
