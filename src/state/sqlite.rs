//! The store in one SQLite file: what it acknowledged outlasts the host, its kill and a loss of
//! power. One host at a time has the file.
//!
//! A thread of the store's own has the file. Commands wait for it in a bounded queue and share its
//! transactions; a variable that is at hand is read in place.

mod committed;
mod file;
mod job;
mod keeper;
mod ledger;
mod more_verbs;
mod rolls;
mod rows;
mod session_verbs;
mod trouble;
mod verbs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::mpsc::error::{SendTimeoutError, TrySendError};
use tokio::sync::{mpsc, oneshot};

use crate::core::limits::{SQLITE_QUEUE_MAX, SQLITE_QUEUE_WAIT};
use crate::core::{Error, Result, Status};
use crate::snakepit::os::block_signals_on_this_thread;

use super::backend::{Backend, Command, Reply, SessionCommand, SessionReply, StoreLimits};
use super::change::ChangeSink;
use super::key::SessionKey;
use super::pending::Pending;

use committed::Committed;
use job::{Answer, Job, Order, Work};
use keeper::Keeper;
use ledger::Ledger;

/// Sessions and variables in a file.
pub struct SqliteStore {
    path: Arc<PathBuf>,
    committed: Arc<Committed>,
    jobs: mpsc::Sender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
    is_closing: Arc<AtomicBool>,
}

impl SqliteStore {
    /// Opens the store in the file at `path`, or makes it; its folder has to be there. Waits for
    /// the disk. `Busy` while another store, of any process, has the file; `Unsupported` when
    /// another version of this library wrote it; `Store` when it is no store or cannot be opened;
    /// `ResourceExhausted`.
    ///
    /// A store that is dropped without `close` finishes what was asked of it soon after.
    pub fn open(path: &Path, limits: StoreLimits, sink: Arc<dyn ChangeSink>) -> Result<Self> {
        SqliteStore::open_within(path, limits, sink, None)
    }

    /// With a file of at most so many pages.
    fn open_within(
        path: &Path,
        limits: StoreLimits,
        sink: Arc<dyn ChangeSink>,
        pages_max: Option<u32>,
    ) -> Result<Self> {
        let path = file::absolute(path)?;
        let ledger = Ledger::new(file::open(&path, pages_max)?, limits);
        let committed = Arc::new(Committed::new());
        let keeper = Keeper { path: path.clone(), ledger, committed: committed.clone(), sink };
        let (jobs, waiting) = mpsc::channel(SQLITE_QUEUE_MAX);
        let thread = std::thread::Builder::new().name("spb-sqlite".to_owned());
        let thread = thread.spawn(move || {
            block_signals_on_this_thread();
            keeper.run(waiting);
        });
        let thread = thread.map_err(|error| {
            let message = format!("store {path:?}: no thread can be started ({error})");
            Error::new(Status::ResourceExhausted, message)
        })?;
        Ok(SqliteStore {
            path: Arc::new(path),
            committed,
            jobs,
            thread: Mutex::new(Some(thread)),
            is_closing: Arc::default(),
        })
    }

    /// Sends the command on its way before it returns, unless the queue is full.
    fn ask(&self, work: Work) -> BoxFuture<'static, Result<Answer>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.try_send(Job::Work(Order { work, answer: Some(answer) }));
        let (path, is_closing) = (self.path.clone(), self.is_closing.clone());
        let jobs = self.jobs.clone();
        async move {
            let gone = || if is_closing.load(Ordering::Acquire) { closed() } else { lost(&path) };
            match sent {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => return Err(gone()),
                Err(TrySendError::Full(job)) => {
                    match jobs.send_timeout(job, SQLITE_QUEUE_WAIT).await {
                        Ok(()) => {}
                        Err(SendTimeoutError::Closed(_)) => return Err(gone()),
                        Err(SendTimeoutError::Timeout(_)) => return Err(overrun(&path)),
                    }
                }
            }
            answered.await.unwrap_or_else(|_| Err(lost(&path).with("outcome", "unknown")))
        }
        .boxed()
    }
}

impl Backend for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn session(&self, command: SessionCommand<'_>) -> Pending<Result<SessionReply>> {
        if self.is_closing.load(Ordering::Acquire) {
            return Pending::Ready(Err(closed()));
        }
        if let SessionCommand::Touch { session } = &command
            && self.committed.is_open(session.incarnation)
        {
            return Pending::Ready(Ok(SessionReply::Done));
        }
        let answer = self.ask(Work::Sessions(command.into()));
        Pending::Later(answer).map(|answer| match answer? {
            Answer::Sessions(reply) => Ok(reply),
            Answer::Variables(_) => Err(mistaken()),
        })
    }

    fn apply(&self, session: &SessionKey, command: Command<'_>) -> Pending<Result<Reply>> {
        if self.is_closing.load(Ordering::Acquire) {
            return Pending::Ready(Err(closed()));
        }
        if let Command::Get { name } = command
            && let Some(variable) = self.committed.variable(session.incarnation, name)
        {
            return Pending::Ready(Ok(Reply::Variable(variable)));
        }
        let answer = self.ask(Work::Variables(session.clone(), command.into()));
        Pending::Later(answer).map(|answer| match answer? {
            Answer::Variables(reply) => Ok(reply),
            Answer::Sessions(_) => Err(mistaken()),
        })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.is_closing.store(true, Ordering::Release);
        let (jobs, thread) = (self.jobs.clone(), self.thread.lock().take());
        async move {
            let (done, closed) = oneshot::channel();
            if jobs.send(Job::Close(done)).await.is_ok() {
                closed.await.unwrap_or_default();
            }
            // It has said its last word, so this takes no time.
            if let Some(thread) = thread {
                thread.join().unwrap_or_default();
            }
        }
        .boxed()
    }
}

fn closed() -> Error {
    Error::new(Status::Closed, "the store is closed")
}

fn lost(path: &Path) -> Error {
    Error::new(Status::Store, format!("store {path:?}: its thread has ended"))
}

fn overrun(path: &Path) -> Error {
    let message = format!("store {path:?}: {SQLITE_QUEUE_MAX} commands wait for it already");
    Error::new(Status::ResourceExhausted, message).with("limit", SQLITE_QUEUE_MAX)
}

fn mistaken() -> Error {
    Error::new(Status::Internal, "the store answered another question than it was asked")
}

#[cfg(test)]
mod tests;
