//! A store whose nth call fails, before or after it took effect, as a full disk or a lost connection
//! would have it. Wraps any store, and knows nothing of what is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use snakepit_bridge::core::{Error, Result, Status};
use snakepit_bridge::state::{
    Backend, Command, Pending, Reply, SessionCommand, SessionKey, SessionReply,
};

/// When the call fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// Nothing was done.
    Before,
    /// All was done, and the answer is lost.
    After,
}

pub struct Flaky {
    inner: Arc<dyn Backend>,
    fails_at: usize,
    moment: Moment,
    calls: AtomicUsize,
}

impl Flaky {
    /// The first call is number 1.
    pub fn new(inner: Arc<dyn Backend>, fails_at: usize, moment: Moment) -> Flaky {
        Flaky { inner, fails_at, moment, calls: AtomicUsize::new(0) }
    }

    /// Whether the call that was to fail has been made.
    pub fn has_failed(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= self.fails_at
    }

    fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Pending<Result<T>>,
    ) -> Pending<Result<T>> {
        let is_it = self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.fails_at;
        match self.moment {
            _ if !is_it => call(),
            Moment::Before => Pending::Ready(Err(failure("none"))),
            Moment::After => call().map(|_| Err(failure("unknown"))),
        }
    }
}

impl Backend for Flaky {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn session(&self, command: SessionCommand<'_>) -> Pending<Result<SessionReply>> {
        self.call(|| self.inner.session(command))
    }

    fn apply(&self, session: &SessionKey, command: Command<'_>) -> Pending<Result<Reply>> {
        self.call(|| self.inner.apply(session, command))
    }

    fn follow(&self, session: &SessionKey, on: bool) -> Pending<Result<()>> {
        self.call(|| self.inner.follow(session, on))
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        // Whoever looks at the store afterwards closes it.
        std::future::ready(()).boxed()
    }
}

fn failure(outcome: &str) -> Error {
    Error::new(Status::Store, "the call that fails").with("outcome", outcome)
}
