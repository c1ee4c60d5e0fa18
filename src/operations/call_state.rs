//! What a call's handler does to the variables of its session, and to those of no other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::core::{Error, Result, Status};
use crate::state::{
    Access, Past, Pending, RegisterVariable, SessionKey, Update, Variable, Variables, Write,
};
use crate::telemetry::StateVerb;
use crate::transport::{StateAsk, StateReplier, StateReply, VariableRow, WriteAsk, WriteTerms};

use super::call::Call;
use super::call_locks::HeldLock;
use super::call_watch;

impl Call {
    /// Answers one verb: in place where the store does, else when it is done.
    pub(super) fn answer_state(self: Arc<Self>, ask: StateAsk, replier: StateReplier) {
        self.services.metrics.worker_state(verb_of(&ask));
        let runtime = self.services.runtime.clone();
        let mut answer = async move {
            match ask {
                StateAsk::Watch(ask) => call_watch::begin(&self, ask, replier).await,
                StateAsk::Get { name, cache: true } => self.read_cached(&name, &replier).await,
                ask => self.answer_plain(ask, &replier).await,
            }
        }
        .boxed();
        if (&mut answer).now_or_never().is_none() {
            runtime.spawn(answer);
        }
    }

    async fn answer_plain(&self, ask: StateAsk, replier: &StateReplier) {
        let written = names_written(&ask);
        let lock = HeldLock::of(&ask);
        if let Some(lock) = &lock {
            self.keep_lock(lock);
        }
        let outcome = self.apply(ask).resolve().await;
        if let Some(lock) = lock {
            self.lock_answered(lock, outcome.is_ok());
        }
        // Where several hosts share a store, the news of this write may still be on its way; a
        // worker does not read what was before its own write.
        if !written.is_empty() {
            self.pool.reads.changed(replier.link(), self.request.session.key(), &written);
        }
        replier.answer(outcome);
    }

    async fn read_cached(&self, name: &str, replier: &StateReplier) {
        let (services, session) = (&self.services, self.request.session.key());
        let read = || services.variables.get(session, name).map(|read| read.map(row));
        let reads = self.pool.reads.of_session(
            replier.link(),
            session,
            &services.watches,
            &services.store,
            &services.runtime,
        );
        match reads.await {
            Some(reads) => reads.read(name, read, |outcome| replier.answer(outcome)).await,
            None => replier.answer(read().resolve().await.map(StateReply::Variable)),
        }
    }

    fn apply(&self, ask: StateAsk) -> Pending<Result<StateReply>> {
        let at = At { all: &self.services.variables, session: self.request.session.key() };
        match ask {
            StateAsk::Get { name, .. } => at.all.get(at.session, &name).map(one),
            StateAsk::GetMany { names } => at.all.get_many(at.session, &names).map(found),
            StateAsk::Set { write, owner } => at.set(write, owner),
            StateAsk::SetMany { writes, owner } => at.set_many(writes, owner),
            StateAsk::Update { name, update, terms } => match Update::parse(&update) {
                Ok(update) => at.all.update(at.session, &name, &update, access(&terms)).map(one),
                Err(error) => Pending::Ready(Err(error)),
            },
            StateAsk::Register { name, type_name, initial, constraints, metadata } => {
                let constraints = (!constraints.is_empty()).then_some(constraints);
                let metadata = (!metadata.is_empty()).then_some(metadata);
                let register = RegisterVariable { name, type_name, initial, constraints, metadata };
                at.all.register(at.session, register).map(one)
            }
            StateAsk::Delete { name, terms } => {
                at.all.delete(at.session, &name, access(&terms)).map(done)
            }
            StateAsk::List { pattern, after, limit } => {
                at.all.list(at.session, &pattern, after.as_deref(), limit).map(several)
            }
            StateAsk::History { name } => at.all.history(at.session, &name).map(history),
            StateAsk::Rollback { name, version, terms } => {
                at.all.rollback(at.session, &name, version, access(&terms)).map(one)
            }
            StateAsk::Lock { name, owner, ttl_ms } => {
                let ttl = Duration::from_millis(ttl_ms);
                at.all.lock(at.session, &name, &owner, ttl).map(one)
            }
            StateAsk::Unlock { name, owner } => at.all.unlock(at.session, &name, &owner).map(done),
            StateAsk::Watch(_) => {
                Pending::Ready(Err(Error::new(Status::Internal, "a watch is no single answer")))
            }
        }
    }
}

/// The variables of the call's session.
struct At<'a> {
    all: &'a Variables,
    session: &'a SessionKey,
}

impl At<'_> {
    fn set(&self, write: WriteAsk, owner: Option<String>) -> Pending<Result<StateReply>> {
        let WriteAsk { name, value, expected_version } = write;
        let access = Access { expected_version, owner: owner.as_deref() };
        self.all.set(self.session, &name, &value, access).map(one)
    }

    fn set_many(&self, asks: Vec<WriteAsk>, owner: Option<String>) -> Pending<Result<StateReply>> {
        let writes = asks.into_iter().map(|ask| {
            let WriteAsk { name, value, expected_version } = ask;
            Write { name, value, expected_version }
        });
        self.all.set_many(self.session, writes.collect(), owner.as_deref()).map(several)
    }
}

/// A variable as it goes to a worker.
pub(super) fn row(variable: Variable) -> VariableRow {
    let lock = variable.lock.as_ref().map(|lock| {
        let expires_in_ms = u64::try_from(lock.expires_in.as_millis()).unwrap_or(u64::MAX);
        (lock.owner.as_ref().to_owned(), expires_in_ms)
    });
    VariableRow {
        name: variable.name().as_ref().to_owned(),
        type_name: variable.type_name().to_owned(),
        id: variable.definition.id,
        version: variable.version,
        constraints: variable.constraints().clone(),
        metadata: variable.metadata().clone(),
        lock,
        value: variable.value,
    }
}

fn one(outcome: Result<Variable>) -> Result<StateReply> {
    outcome.map(|variable| StateReply::Variable(row(variable)))
}

fn several(outcome: Result<Vec<Variable>>) -> Result<StateReply> {
    outcome.map(|variables| StateReply::Variables(variables.into_iter().map(row).collect()))
}

fn found(outcome: Result<(Vec<Variable>, Vec<String>)>) -> Result<StateReply> {
    let (found, missing) = outcome?;
    Ok(StateReply::Found { found: found.into_iter().map(row).collect(), missing })
}

fn history(outcome: Result<Vec<Past>>) -> Result<StateReply> {
    let past = outcome?.into_iter().map(|past| (past.version, past.value));
    Ok(StateReply::History(past.collect()))
}

fn done(outcome: Result<()>) -> Result<StateReply> {
    outcome.map(|()| StateReply::Done)
}

fn access(terms: &WriteTerms) -> Access<'_> {
    Access { expected_version: terms.expected_version, owner: terms.owner.as_deref() }
}

fn names_written(ask: &StateAsk) -> Vec<String> {
    match ask {
        StateAsk::Set { write, .. } => vec![write.name.clone()],
        StateAsk::SetMany { writes, .. } => writes.iter().map(|write| write.name.clone()).collect(),
        StateAsk::Update { name, .. }
        | StateAsk::Rollback { name, .. }
        | StateAsk::Register { name, .. }
        | StateAsk::Delete { name, .. }
        | StateAsk::Lock { name, .. }
        | StateAsk::Unlock { name, .. } => vec![name.clone()],
        _ => Vec::new(),
    }
}

fn verb_of(ask: &StateAsk) -> StateVerb {
    match ask {
        StateAsk::Get { .. } => StateVerb::Get,
        StateAsk::GetMany { .. } => StateVerb::GetMany,
        StateAsk::Set { .. } => StateVerb::Set,
        StateAsk::SetMany { .. } => StateVerb::SetMany,
        StateAsk::Update { .. } => StateVerb::Update,
        StateAsk::Register { .. } => StateVerb::Register,
        StateAsk::Delete { .. } => StateVerb::Delete,
        StateAsk::List { .. } => StateVerb::List,
        StateAsk::History { .. } => StateVerb::History,
        StateAsk::Rollback { .. } => StateVerb::Rollback,
        StateAsk::Lock { .. } => StateVerb::Lock,
        StateAsk::Unlock { .. } => StateVerb::Unlock,
        StateAsk::Watch(_) => StateVerb::Watch,
    }
}
