//! Opening, joining, listing and ending sessions. Their time runs in Redis, on the server's clock.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::core::{Affinity, Result, SessionId, Status};
use crate::state::backend::SessionReply;
use crate::state::change::SessionLoss;
use crate::state::fault;
use crate::state::key::{SessionAbout, SessionKey, SessionRow};

use super::answer::Answer;
use super::store::{Store, arg_of_id, arg_of_limit, arg_of_time};

pub async fn open(store: &Store, id: SessionId, about: SessionAbout) -> Result<SessionReply> {
    let until = store.until();
    let operation = store.operations.begin();
    for _ in 0..LEASES_TRIED_MAX {
        let lease = store.take_lease(until).await?;
        let keys = vec![
            store.keys.session(&id),
            store.keys.host(lease),
            store.keys.sessions(),
            store.keys.counter(),
        ];
        let args = vec![
            arg_of_id(&id),
            Bytes::from(format!("{lease}:{}", operation.number)),
            arg_of_time(about.ttl),
            about.metadata.clone(),
            Bytes::from_static(about.affinity.name().as_bytes()),
        ];
        let mut answer = store.ask_plain(&store.scripts.open, keys, args, until).await?;
        match answer.word() {
            "OK" => {
                let key = SessionKey { id, incarnation: answer.number()?, lease };
                store.members.add(&key);
                return Ok(SessionReply::Opened(SessionRow { key, about }));
            }
            "EXISTS" => return Err(fault::session_exists(&id)),
            "LOST" => store.lost_lease(lease),
            _ => return answer.not_understood(),
        }
    }
    Err(super::failure::unavailable("leases are lost as soon as they are taken"))
}

pub async fn join(store: &Store, id: SessionId) -> Result<SessionReply> {
    let until = store.until();
    for _ in 0..LEASES_TRIED_MAX {
        let lease = store.take_lease(until).await?;
        let keys = vec![store.keys.session(&id), store.keys.host(lease)];
        let mut answer = store.ask_plain(&store.scripts.join, keys, Vec::new(), until).await?;
        match answer.word() {
            "OK" => {
                let row = row(&mut answer, id, |_| lease)?;
                store.members.add(&row.key);
                return Ok(SessionReply::Opened(row));
            }
            "NONE" => return Err(fault::no_session(&id)),
            "LOST" => store.lost_lease(lease),
            _ => return answer.not_understood(),
        }
    }
    Err(super::failure::unavailable("leases are lost as soon as they are taken"))
}

pub async fn touch(store: &Store, session: &SessionKey) -> Result<SessionReply> {
    store.ask(session, &store.scripts.touch, Vec::new(), store.until()).await?;
    Ok(SessionReply::Done)
}

/// Whether the session is still there, which is no use of it. The sink is told if not.
pub async fn look(store: &Store, session: &SessionKey, until: Instant) -> Result<()> {
    let own = vec![arg_of_id(&session.id)];
    let answer = store.ask(session, &store.scripts.expire, own, until).await?;
    if answer.word() == "ALIVE" {
        return Ok(());
    }
    store.members.lost(session.incarnation, SessionLoss::Ended);
    Err(fault::session_closed(session))
}

pub async fn expire(store: &Store, session: &SessionKey) -> Result<SessionReply> {
    let own = vec![arg_of_id(&session.id)];
    let mut answer = store.ask(session, &store.scripts.expire, own, store.until()).await?;
    if answer.word() == "ALIVE" {
        return Ok(SessionReply::Alive(Duration::from_millis(answer.number()?)));
    }
    store.members.remove(session.incarnation);
    Ok(SessionReply::Done)
}

pub async fn close(store: &Store, session: &SessionKey) -> Result<SessionReply> {
    // Before Redis tells all hosts, this one included, that it is closed.
    store.members.remove(session.incarnation);
    let own = vec![arg_of_id(&session.id), Bytes::from(store.keys.closings())];
    match store.ask(session, &store.scripts.close, own, store.until()).await {
        Ok(_) => Ok(SessionReply::Done),
        Err(error) => {
            if error.status() != Status::LeaseLost {
                store.members.add(session);
            }
            Err(error)
        }
    }
}

pub async fn list(store: &Store, after: Option<SessionId>, limit: usize) -> Result<SessionReply> {
    let after = after.as_ref().map(arg_of_id).unwrap_or_default();
    let start = Bytes::from(store.keys.session_start());
    let args = vec![after, arg_of_limit(limit), start];
    let keys = vec![store.keys.sessions()];
    let mut answer = store.ask_plain(&store.scripts.sessions, keys, args, store.until()).await?;
    let mut rows = Vec::new();
    while !answer.is_at_end() {
        let mut item = answer.list()?;
        let text = item.text()?;
        let id = SessionId::new(&text)?;
        let lease_of = |incarnation| store.members.lease_of(incarnation).unwrap_or_default();
        rows.push(row(&mut item, id, lease_of)?);
    }
    Ok(SessionReply::Sessions(rows))
}

/// Redis ends sessions by itself; what it leaves are their ids in the list of all.
pub async fn sweep(store: &Store) -> Result<SessionReply> {
    let mut after = None;
    loop {
        let SessionReply::Sessions(rows) = list(store, after, SWEPT_AT_ONCE).await? else {
            return Ok(SessionReply::Done);
        };
        match rows.into_iter().nth(SWEPT_AT_ONCE - 1) {
            Some(last) => after = Some(last.key.id),
            None => return Ok(SessionReply::Done),
        }
    }
}

fn row(
    answer: &mut Answer,
    id: SessionId,
    lease_of: impl FnOnce(u64) -> u64,
) -> Result<SessionRow> {
    let incarnation = answer.number()?;
    let ttl = Duration::from_millis(answer.number()?);
    let metadata = answer.bytes()?;
    let name = answer.text()?;
    let Some(affinity) = AFFINITIES.into_iter().find(|affinity| affinity.name() == name) else {
        return answer.not_understood();
    };
    let key = SessionKey { id, incarnation, lease: lease_of(incarnation) };
    Ok(SessionRow { key, about: SessionAbout { metadata, ttl, affinity } })
}

const AFFINITIES: [Affinity; 4] =
    [Affinity::None, Affinity::Hint, Affinity::StrictQueue, Affinity::StrictFailFast];
const LEASES_TRIED_MAX: usize = 3;
const SWEPT_AT_ONCE: usize = 1000;
