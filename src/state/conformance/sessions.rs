//! Sessions: opened once under a name, joined, listed, ended; and what was meant for one that has
//! ended reaches no later one of its name.

use std::time::Duration;

use tokio::time::Instant;

use crate::core::{SessionId, Status};
use crate::state::backend::{Access, Command, SessionCommand, SessionReply};
use crate::state::key::SessionKey;
use crate::state::name::NamePattern;
use crate::state::update::Update;

use super::probe::{
    MINUTE, Probe, about, by, json, number, opened, same, set, told, variable, write,
};
use super::{Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(
        subject;
        a_name_is_open_once,
        a_session_is_joined_as_it_was_opened,
        after_close_every_verb_is_refused,
        what_was_meant_for_an_earlier_one_reaches_no_later_one,
        an_unused_session_expires,
        sessions_are_listed_page_by_page,
    )
}

async fn a_name_is_open_once(probe: &Probe) -> Outcome {
    let id = &probe.session.id;
    let again = SessionCommand::Open { id, about: about(MINUTE) };
    refused(probe, again, Status::AlreadyExists).await?;
    probe.register("n", "integer", "{}", number(1)).await?;
    probe.ask(SessionCommand::Touch { session: &probe.session }).await.map_err(told)?;
    probe.ask(SessionCommand::Sweep).await.map_err(told)?;
    same("the value", &probe.value("n").await?, &number(1))
}

async fn a_session_is_joined_as_it_was_opened(probe: &Probe) -> Outcome {
    let id = SessionId::generate().map_err(told)?;
    refused(probe, SessionCommand::Join { id: &id }, Status::NotFound).await?;
    let first =
        opened(&probe.subject, SessionCommand::Open { id: &id, about: about(MINUTE) }).await?;
    same("what is kept about it", &first.about, &about(MINUTE))?;
    same("its name", &first.key.id, &id)?;
    let joined = opened(&probe.subject, SessionCommand::Join { id: &id }).await?;
    same("what is kept about it when joined", &joined.about, &first.about)?;
    same("the incarnation", &joined.key.incarnation, &first.key.incarnation)?;
    let close = SessionCommand::Close { session: &joined.key };
    probe.ask(close).await.map_err(told)?;
    refused(probe, SessionCommand::Join { id: &id }, Status::NotFound).await
}

async fn after_close_every_verb_is_refused(probe: &Probe) -> Outcome {
    probe.register("n", "integer", "{}", number(1)).await?;
    probe.close().await?;
    every_verb_is_closed(probe).await?;
    let touch = SessionCommand::Touch { session: &probe.session };
    refused(probe, touch, Status::Closed).await?;
    // Ending it once more is nothing.
    probe.close().await?;
    let expire = SessionCommand::Expire { session: &probe.session };
    done(probe, expire).await
}

async fn what_was_meant_for_an_earlier_one_reaches_no_later_one(probe: &Probe) -> Outcome {
    let id = &probe.session.id;
    probe.register("n", "integer", "{}", number(1)).await?;
    probe.close().await?;
    let later = Probe::named(&probe.subject, id, about(MINUTE)).await?;
    if later.session.incarnation == probe.session.incarnation {
        return Err("a later session has the incarnation of an earlier one".to_owned());
    }
    same("what is in the later one", &later.state().await?, &Vec::new())?;
    later.register("n", "integer", "{}", number(2)).await?;
    every_verb_is_closed(probe).await?;
    let touch = SessionCommand::Touch { session: &probe.session };
    refused(probe, touch, Status::Closed).await?;
    done(probe, SessionCommand::Expire { session: &probe.session }).await?;
    probe.close().await?;
    same("the later one's value", &later.value("n").await?, &number(2))?;
    later.close().await
}

async fn every_verb_is_closed(probe: &Probe) -> Outcome {
    let pattern = NamePattern::new("*").map_err(told)?;
    let update = Update::parse(&json(r#"{"max":5}"#)?).map_err(told)?;
    let access = Access::ANY;
    let names = ["n".to_owned()];
    for command in [
        Command::Register(variable("late", "integer", "{}", number(3))?),
        Command::Get { name: "n" },
        Command::Get { name: "other" },
        Command::GetMany { names: &names },
        Command::GetMany { names: &[] },
        set("n", number(3), access),
        set("n", number(3), by("a")),
        Command::SetMany { writes: vec![write("n", number(3))], owner: None },
        Command::SetMany { writes: Vec::new(), owner: None },
        Command::Update { name: "n", update: &update, access },
        Command::Rollback { name: "n", version: 1, access },
        Command::Delete { name: "n", access },
        Command::List { pattern: &pattern, after: None, limit: 1 },
        Command::History { name: "n" },
        Command::Lock { name: "n", owner: "a", ttl: MINUTE },
        Command::Unlock { name: "n", owner: "a" },
        Command::Snapshot,
        Command::Measure,
        Command::Load { variables: Vec::new() },
    ] {
        probe.refusal(command, Status::Closed).await?;
    }
    Ok(())
}

/// The one who asks says that it was unused here; a shared store may know of others.
async fn an_unused_session_expires(probe: &Probe) -> Outcome {
    let id = SessionId::generate().map_err(told)?;
    let short = Probe::named(&probe.subject, &id, about(SHORT)).await?;
    short.register("n", "integer", "{}", number(1)).await?;
    tokio::time::sleep(SHORT).await;
    let deadline = Instant::now() + MINUTE;
    loop {
        let expire = SessionCommand::Expire { session: &short.session };
        match probe.ask(expire).await.map_err(told)? {
            SessionReply::Done => break,
            SessionReply::Alive(left) if Instant::now() < deadline && left <= SHORT => {
                tokio::time::sleep(left.max(Duration::from_millis(1))).await;
            }
            other => return Err(format!("unused for {SHORT:?}: {other:?}")),
        }
    }
    every_verb_is_closed(&short).await?;
    refused(probe, SessionCommand::Join { id: &id }, Status::NotFound).await?;
    let anew = Probe::named(&probe.subject, &id, about(MINUTE)).await?;
    same("what is in a later one", &anew.state().await?, &Vec::new())?;
    anew.close().await
}

async fn sessions_are_listed_page_by_page(probe: &Probe) -> Outcome {
    // Behind a prefix of its own, so that other sessions of the store do not matter.
    let prefix = SessionId::generate().map_err(told)?.to_string();
    let names = ["A", "_", "a", "b 1", "b", "\u{e9}"].map(|name| format!("{prefix}.{name}"));
    let mut sessions = Vec::new();
    for name in &names {
        let id = SessionId::new(name).map_err(told)?;
        sessions.push(Probe::named(&probe.subject, &id, about(MINUTE)).await?);
    }
    let mut sorted: Vec<SessionKey> = sessions.iter().map(|probe| probe.session.clone()).collect();
    sorted.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    for limit in [1, 2, 6, 100] {
        let (mut all, mut after) = (Vec::new(), SessionId::new(&prefix).map_err(told)?);
        while all.len() < sorted.len() {
            let list = SessionCommand::List { after: Some(&after), limit };
            let SessionReply::Sessions(page) = probe.ask(list).await.map_err(told)? else {
                return Err("expected sessions".to_owned());
            };
            let Some(last) = page.last() else { return Err(format!("{all:?} and no more")) };
            after = last.key.id.clone();
            same("what is kept about one", &last.about, &about(MINUTE))?;
            all.extend(page.into_iter().map(|row| (row.key.id, row.key.incarnation)));
        }
        all.truncate(sorted.len());
        let expected = sorted.iter().map(|key| (key.id.clone(), key.incarnation)).collect();
        same(&format!("pages of {limit}"), &all, &expected)?;
    }
    for session in sessions {
        session.close().await?;
    }
    Ok(())
}

async fn refused(probe: &Probe, command: SessionCommand<'_>, status: Status) -> Outcome {
    let asked = format!("{command:?}");
    match probe.ask(command).await {
        Err(error) if error.status() == status => Ok(()),
        other => Err(format!("{asked}: expected {status}, got {other:?}")),
    }
}

async fn done(probe: &Probe, command: SessionCommand<'_>) -> Outcome {
    let asked = format!("{command:?}");
    match probe.ask(command).await {
        Ok(SessionReply::Done) => Ok(()),
        other => Err(format!("{asked}: expected done, got {other:?}")),
    }
}

const SHORT: Duration = Duration::from_millis(60);
