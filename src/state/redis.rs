//! The store in Redis: sessions that several hosts share, and that outlive each of them.
//!
//! Every verb is one script, so it is one step for all hosts. A script that writes checks that the
//! session is open, that the host's lease has not run out, and by the write's number that it was
//! not made before. What Redis keeps and for how long is Redis' own configuration.

mod answer;
mod cache;
mod changes;
mod failure;
mod frame;
mod keys;
mod lease;
mod link;
mod members;
mod message;
mod operations;
mod options;
mod reads;
mod refusal;
mod scripts;
mod sessions;
mod store;
mod watch;
mod writes;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::core::limits::REDIS_FOLLOW_QUEUE_MAX;
use crate::core::{Error, Result, Status};

use super::backend::{
    Access, Backend, Command, Reply, SessionCommand, SessionReply, StoreLimits, Write,
};
use super::change::ChangeSink;
use super::key::SessionKey;
use super::pending::Pending;

use failure::{store_closed, unavailable};
use store::Store;
use watch::Follow;

pub use options::RedisOptions;

/// Sessions and variables in Redis.
pub struct RedisStore {
    store: Arc<Store>,
    runtime: Handle,
    follows: mpsc::Sender<Follow>,
    tasks: [AbortHandle; 2],
}

impl RedisStore {
    /// Connects and takes this host's lease, within the time of one command. `InvalidArgument` with
    /// the faulty `field` for options or a password that the server refuses, `Unavailable` when it
    /// cannot be reached. Tasks run on `runtime` until the store is closed or dropped.
    pub async fn connect(
        options: RedisOptions,
        limits: StoreLimits,
        sink: Arc<dyn ChangeSink>,
        runtime: Handle,
    ) -> Result<Self> {
        let store = Arc::new(Store::new(&options, limits, sink)?);
        let first = store.clone();
        run(&runtime, async move { first.take_lease(first.until()).await }).await?;
        let (follows, asked) = mpsc::channel(REDIS_FOLLOW_QUEUE_MAX);
        let renewing = runtime.spawn(lease::keep_renewing(Arc::downgrade(&store)));
        let listening = runtime.spawn(watch::listen(Arc::downgrade(&store), asked));
        let tasks = [renewing.abort_handle(), listening.abort_handle()];
        Ok(RedisStore { store, runtime, follows, tasks })
    }

    /// The work goes on when nobody waits any more: a write that was begun has an end.
    fn later<T, F>(&self, work: impl FnOnce(Arc<Store>) -> F) -> Pending<Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        if self.store.link.is_closed() {
            return Pending::Ready(Err(store_closed()));
        }
        Pending::Later(run(&self.runtime, work(self.store.clone())))
    }

    fn write(&self, session: SessionKey, command: Command<'_>) -> Pending<Result<Reply>> {
        match command {
            Command::Set { name, value, access } => {
                let Access { expected_version, owner } = access;
                let write = Write { name: name.to_owned(), value, expected_version };
                let owner = owner.map(str::to_owned);
                self.later(|store| async move {
                    writes::set(&store, &session, write, owner.as_deref()).await
                })
            }
            Command::SetMany { writes, owner } => {
                let owner = owner.map(str::to_owned);
                self.later(|store| async move {
                    writes::set_many(&store, &session, writes, owner.as_deref()).await
                })
            }
            Command::Update { name, update, access } => {
                let (name, update) = (name.to_owned(), update.clone());
                let access = OwnedAccess::of(access);
                self.later(|store| async move {
                    writes::update(&store, &session, &name, &update, access.borrowed()).await
                })
            }
            Command::Rollback { name, version, access } => {
                let (name, access) = (name.to_owned(), OwnedAccess::of(access));
                self.later(|store| async move {
                    writes::rollback(&store, &session, &name, version, access.borrowed()).await
                })
            }
            Command::Delete { name, access } => {
                let (name, access) = (name.to_owned(), OwnedAccess::of(access));
                self.later(|store| async move {
                    changes::delete(&store, &session, &name, access.borrowed()).await
                })
            }
            other => self.change(session, other),
        }
    }

    fn change(&self, session: SessionKey, command: Command<'_>) -> Pending<Result<Reply>> {
        match command {
            Command::Register(new) => {
                self.later(|store| async move { changes::register(&store, &session, new).await })
            }
            Command::Load { variables } => {
                self.later(|store| async move { changes::load(&store, &session, variables).await })
            }
            Command::Lock { name, owner, ttl } => {
                let (name, owner) = (name.to_owned(), owner.to_owned());
                self.later(|store| async move {
                    changes::lock(&store, &session, &name, &owner, ttl).await
                })
            }
            Command::Unlock { name, owner } => {
                let (name, owner) = (name.to_owned(), owner.to_owned());
                self.later(
                    |store| async move { changes::unlock(&store, &session, &name, &owner).await },
                )
            }
            _ => Pending::Ready(Err(Error::new(Status::Unsupported, "an unknown command"))),
        }
    }
}

impl Backend for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn session(&self, command: SessionCommand<'_>) -> Pending<Result<SessionReply>> {
        match command {
            SessionCommand::Open { id, about } => {
                let id = id.clone();
                self.later(|store| async move { sessions::open(&store, id, about).await })
            }
            SessionCommand::Join { id } => {
                let id = id.clone();
                self.later(|store| async move { sessions::join(&store, id).await })
            }
            SessionCommand::Touch { session } => {
                let session = session.clone();
                self.later(|store| async move { sessions::touch(&store, &session).await })
            }
            SessionCommand::Expire { session } => {
                let session = session.clone();
                self.later(|store| async move { sessions::expire(&store, &session).await })
            }
            SessionCommand::Close { session } => {
                let session = session.clone();
                self.later(|store| async move { sessions::close(&store, &session).await })
            }
            SessionCommand::List { after, limit } => {
                let after = after.cloned();
                self.later(|store| async move { sessions::list(&store, after, limit).await })
            }
            SessionCommand::Sweep => {
                self.later(|store| async move { sessions::sweep(&store).await })
            }
        }
    }

    fn apply(&self, session: &SessionKey, command: Command<'_>) -> Pending<Result<Reply>> {
        let session = session.clone();
        match command {
            Command::Get { name } => {
                let name = name.to_owned();
                self.later(|store| async move { reads::get(&store, &session, &name).await })
            }
            Command::GetMany { names } => {
                let names = names.to_vec();
                self.later(|store| async move { reads::get_many(&store, &session, &names).await })
            }
            Command::List { pattern, after, limit } => {
                let (pattern, after) = (pattern.clone(), after.map(str::to_owned));
                self.later(|store| async move {
                    reads::list(&store, &session, &pattern, after.as_deref(), limit).await
                })
            }
            Command::History { name } => {
                let name = name.to_owned();
                self.later(|store| async move { reads::history(&store, &session, &name).await })
            }
            Command::Snapshot => {
                self.later(|store| async move { reads::snapshot(&store, &session).await })
            }
            Command::Measure => {
                self.later(|store| async move { reads::measure(&store, &session).await })
            }
            other => self.write(session, other),
        }
    }

    fn follow(&self, session: &SessionKey, on: bool) -> Pending<Result<()>> {
        let (follows, session) = (self.follows.clone(), session.clone());
        self.later(|store| async move {
            let (done, confirmed) = oneshot::channel();
            let incarnation = session.incarnation;
            let follow = Follow { incarnation, on, done };
            let until = store.until();
            let asking = async {
                follows.send(follow).await.map_err(|_| store_closed())?;
                confirmed.await.map_err(|_| store_closed())?
            };
            let outcome = tokio::time::timeout_at(until, asking).await;
            outcome.unwrap_or_else(|_| Err(unavailable("subscription not confirmed")))?;
            if on {
                sessions::look(&store, &session, until).await?;
            }
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.tasks.iter().for_each(AbortHandle::abort);
        let store = self.store.clone();
        let closing = async move {
            if let Some(epoch) = store.lease.current() {
                let keys = vec![store.keys.host(epoch)];
                let until = Instant::now() + CLOSE_TIMEOUT;
                let release = store.ask_plain(&store.scripts.release, keys, Vec::new(), until);
                // If it does not get through, the lease runs out by itself.
                let _released = timeout(CLOSE_TIMEOUT, release).await;
                store.lease.lost(epoch);
            }
            store.link.close();
            Ok(())
        };
        run(&self.runtime, closing).map(|_| ()).boxed()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// On the store's runtime, whoever waits.
fn run<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> BoxFuture<'static, Result<T>> {
    let task = runtime.spawn(work);
    // The task neither panics nor is aborted; only a runtime that shuts down ends it.
    async move { task.await.unwrap_or_else(|_| Err(store_closed())) }.boxed()
}

/// `Access` for work that outlives the command.
struct OwnedAccess {
    expected_version: Option<u64>,
    owner: Option<String>,
}

impl OwnedAccess {
    fn of(access: Access<'_>) -> Self {
        let Access { expected_version, owner } = access;
        OwnedAccess { expected_version, owner: owner.map(str::to_owned) }
    }

    fn borrowed(&self) -> Access<'_> {
        Access { expected_version: self.expected_version, owner: self.owner.as_deref() }
    }
}

/// To give the lease back.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
