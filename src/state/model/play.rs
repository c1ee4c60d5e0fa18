//! A sequence of steps on a real store and on the reference, answer held against answer, and in the
//! end what was told against what should have been.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::core::{Affinity, Error, Result, SessionId};
use crate::state::backend::Reply;
use crate::state::backend::{Access, Command, NewVariable, SessionCommand, SessionReply, Write};
use crate::state::conformance::Subject;
use crate::state::key::{SessionAbout, SessionKey};
use crate::state::name::NamePattern;
use crate::state::variable::SavedVariable;

use super::outcome::{Outcome, ToldRow, of_reply, of_session_reply, told};
use super::reference::{LOCK_QUARTERS, METADATA, Model};
use super::step::{Clock, SESSIONS, Step, Verb, name_of, owner_of};

/// Takes the steps that `numbers` stand for, in sessions of its own, which it ends again. The
/// store must have been made with `model::LIMITS` and the subject's `told`; with `Clock::Driven`
/// it must go by tokio's clock, which must be paused. The error says where both did not agree.
pub async fn check(subject: &Subject, numbers: &[u64], clock: Clock) -> Result<(), String> {
    let mut play = Play::new(subject, clock).map_err(told_error)?;
    let mut model = Model::new(clock);
    for session in 0..SESSIONS {
        play.compare(&mut model, &Step { session, is_stale: false, verb: Verb::Open }).await?;
    }
    for (index, number) in numbers.iter().enumerate() {
        let step = Step::of(*number, clock);
        let compared = play.compare(&mut model, &step).await;
        compared.map_err(|error| format!("step {index}: {error}"))?;
    }
    let told = play.compare_told(&model).await;
    for session in 0..SESSIONS {
        play.compare(&mut model, &Step { session, is_stale: false, verb: Verb::Close }).await?;
    }
    told
}

struct Play<'a> {
    subject: &'a Subject,
    clock: Clock,
    prefix: String,
    ids: Vec<SessionId>,
    /// The last session that was opened under each number, and the one before.
    keys: Vec<[Option<SessionKey>; 2]>,
}

impl<'a> Play<'a> {
    fn new(subject: &'a Subject, clock: Clock) -> Result<Self> {
        let prefix = format!("{}.", SessionId::generate()?);
        let ids = (0..SESSIONS).map(|number| SessionId::new(&format!("{prefix}{number}")));
        let ids = ids.collect::<Result<_>>()?;
        Ok(Play { subject, clock, prefix, ids, keys: vec![[None, None]; SESSIONS] })
    }

    async fn compare(&mut self, model: &mut Model, step: &Step) -> Result<(), String> {
        let was_open = model.was_open(step.session);
        let mut expected = model.run(step);
        if let Outcome::Sessions(names) = &mut expected {
            names.iter_mut().for_each(|name| *name = format!("{}{name}", self.prefix));
        }
        let given = self.run(step, was_open).await;
        let given = given.map_err(|error| format!("{step:?}: {error:?}"))?;
        if expected.agrees(&given) {
            return Ok(());
        }
        Err(format!("{step:?}: {given:?}, expected {expected:?}"))
    }

    async fn run(&mut self, step: &Step, was_open: bool) -> Result<Outcome> {
        match &step.verb {
            Verb::Wait { quarters } => {
                // A paused clock goes on by itself when nothing else is left to do.
                tokio::time::sleep(LOCK_TTL / LOCK_QUARTERS as u32 * *quarters as u32).await;
                Ok(Outcome::Done)
            }
            Verb::Open | Verb::Join | Verb::Close | Verb::Sessions { .. } => {
                self.session(step, was_open).await
            }
            Verb::Copy { to } => self.copy(step, was_open, *to).await,
            verb => self.command(verb, &self.key(step, was_open)?).await,
        }
    }

    /// The session that is meant, or the one of that name before it.
    fn key(&self, step: &Step, was_open: bool) -> Result<SessionKey> {
        let [last, before] = self.keys.get(step.session).ok_or_else(missing)?;
        let meant = if step.is_stale && was_open {
            before.as_ref().or(last.as_ref())
        } else {
            last.as_ref()
        };
        meant.cloned().ok_or_else(missing)
    }

    async fn session(&mut self, step: &Step, was_open: bool) -> Result<Outcome> {
        let id = self.ids.get(step.session).ok_or_else(missing)?;
        let key;
        let command = match &step.verb {
            Verb::Open => SessionCommand::Open { id, about: about() },
            Verb::Join => SessionCommand::Join { id },
            Verb::Sessions { limit } => {
                // Behind the prefix, where the sessions of this sequence are.
                let after = SessionId::new(&self.prefix)?;
                let list = SessionCommand::List { after: Some(&after), limit: *limit };
                let reply = self.subject.backend.session(list).resolve().await;
                return of_session_reply(reply, &self.prefix);
            }
            _ => {
                key = self.key(step, was_open)?;
                SessionCommand::Close { session: &key }
            }
        };
        let reply = self.subject.backend.session(command).resolve().await;
        if let (Verb::Open, Ok(SessionReply::Opened(row))) = (&step.verb, &reply) {
            self.subject.told.listen(row.key.incarnation);
            self.subject.backend.follow(&row.key, true).resolve().await?;
            let [last, before] = self.keys.get_mut(step.session).ok_or_else(missing)?;
            *before = last.replace(row.key.clone());
        }
        of_session_reply(reply, &self.prefix)
    }

    async fn copy(&self, step: &Step, was_open: bool, to: usize) -> Result<Outcome> {
        let from = self.key(step, was_open)?;
        let saved = match self.subject.backend.apply(&from, Command::Snapshot).resolve().await {
            Ok(Reply::Snapshot(saved)) => saved,
            other => return of_reply(other),
        };
        let to = self.key(&Step { session: to, is_stale: false, verb: Verb::Snapshot }, false)?;
        let variables: Vec<SavedVariable> = saved;
        of_reply(self.subject.backend.apply(&to, Command::Load { variables }).resolve().await)
    }

    async fn command(&self, verb: &Verb, session: &SessionKey) -> Result<Outcome> {
        let apply = |command| self.subject.backend.apply(session, command);
        let pending = match verb {
            Verb::Register { name, kind } => apply(Command::Register(NewVariable {
                name: Arc::from(name_of(*name)),
                rule: kind.rule()?,
                metadata: Bytes::from_static(METADATA.as_bytes()),
                value: kind.initial().value(),
            })),
            Verb::Get { name } => apply(Command::Get { name: &name_of(*name) }),
            Verb::GetMany { names } => {
                let names: Vec<String> = names.iter().copied().map(name_of).collect();
                apply(Command::GetMany { names: &names })
            }
            Verb::History { name } => apply(Command::History { name: &name_of(*name) }),
            Verb::List { pattern, after, limit } => {
                let (pattern, after) = (NamePattern::new(pattern)?, after.map(name_of));
                let (after, limit) = (after.as_deref(), *limit);
                apply(Command::List { pattern: &pattern, after, limit })
            }
            Verb::Lock { name, owner } => apply(Command::Lock {
                name: &name_of(*name),
                owner: &owner_of(*owner),
                ttl: if self.clock == Clock::Driven { LOCK_TTL } else { LONG },
            }),
            Verb::Unlock { name, owner } => {
                apply(Command::Unlock { name: &name_of(*name), owner: &owner_of(*owner) })
            }
            Verb::SetMany { writes, owner } => {
                let writes = writes.iter().map(|(name, value, version)| Write {
                    name: name_of(*name),
                    value: value.value(),
                    expected_version: *version,
                });
                let owner = owner.map(owner_of);
                apply(Command::SetMany { writes: writes.collect(), owner: owner.as_deref() })
            }
            Verb::Snapshot => apply(Command::Snapshot),
            Verb::Measure => apply(Command::Measure),
            verb => return self.write(verb, session).await,
        };
        of_reply(pending.resolve().await)
    }

    /// Verbs on one variable that have a condition.
    async fn write(&self, verb: &Verb, session: &SessionKey) -> Result<Outcome> {
        let (Verb::Set { name, version, owner, .. }
        | Verb::Update { name, version, owner, .. }
        | Verb::Rollback { name, version, owner, .. }
        | Verb::Delete { name, version, owner }) = verb
        else {
            return Err(missing());
        };
        let (name, owner) = (name_of(*name), owner.map(owner_of));
        let (name, access) =
            (name.as_str(), Access { expected_version: *version, owner: owner.as_deref() });
        let update;
        let command = match verb {
            Verb::Set { value, .. } => Command::Set { name, value: value.value(), access },
            Verb::Update { patch, .. } => {
                update = patch.update()?;
                Command::Update { name, update: &update, access }
            }
            Verb::Rollback { to, .. } => Command::Rollback { name, version: *to, access },
            _ => Command::Delete { name, access },
        };
        of_reply(self.subject.backend.apply(session, command).resolve().await)
    }

    /// A shared store tells soon; what it still had to tell of a session that is closed, nobody
    /// needs.
    async fn compare_told(&self, model: &Model) -> Result<(), String> {
        for (session, [key, _]) in self.keys.iter().enumerate() {
            let (Some(key), Some(room)) = (key, model.room(session)) else { continue };
            let expected: &[ToldRow] = &room.told;
            let told_now = &self.subject.told;
            let heard = match expected.len() {
                0 => told_now.heard(key.incarnation),
                count => {
                    told_now.wait(key.incarnation, |heard| heard.changes.len() >= count).await?
                }
            };
            let given: Result<Vec<ToldRow>> = heard.changes.iter().map(told).collect();
            let given = given.map_err(told_error)?;
            if given != expected || heard.gaps > 0 {
                return Err(format!("told {given:?}, expected {expected:?}"));
            }
        }
        Ok(())
    }
}

fn about() -> SessionAbout {
    SessionAbout { metadata: Bytes::from_static(b"{}"), ttl: LONG, affinity: Affinity::None }
}

fn missing() -> Error {
    Error::invalid("a step about nothing")
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn told_error(error: Error) -> String {
    format!("{error:?}")
}

const LOCK_TTL: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(24 * 3600);
