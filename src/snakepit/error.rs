//! What can go wrong: a failure of the adapter's or the system's, and the pool's refusals.

use std::sync::Arc;
use std::time::Duration;

use super::admission::NoHome;
use super::exit::Cause;
use super::ids::WorkerId;
use super::journey::Journey;

/// Something failed; the text is a lower-case fragment that says what.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    stderr_tail: Option<Arc<str>>,
    exhausted: bool,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), stderr_tail: None, exhausted: false }
    }

    /// What the system has refused. A shortage of descriptors, processes or memory is known as one.
    pub fn system(what: impl std::fmt::Display, error: &std::io::Error) -> Failure {
        let exhausted = error.raw_os_error().is_some_and(|number| SHORTAGES.contains(&number));
        Failure { exhausted, ..Failure::new(format!("{what}: {error}")) }
    }

    /// True for a shortage, which passes without anybody's mending anything here.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// The same, with what the process that failed last printed to its standard error.
    #[must_use]
    pub fn with_stderr_tail(self, tail: impl Into<Arc<str>>) -> Failure {
        Failure { stderr_tail: Some(tail.into()), ..self }
    }

    /// Empty where no process was involved.
    pub fn stderr_tail(&self) -> &str {
        self.stderr_tail.as_deref().unwrap_or_default()
    }
}

/// Why a pool gives no lease.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PoolError {
    /// As many callers wait as may.
    #[error("all workers are busy and {queue_max} calls wait already")]
    Full { queue_max: usize },
    #[error("no worker was free in time, after {} ms in the queue", waited.as_millis())]
    DeadlinePassed { waited: Duration },
    /// The deadline would pass in the queue, by the time that recent work took.
    #[error(
        "a worker is expected to be free in {} ms, and the deadline is in {} ms",
        expected.as_millis(), remaining.as_millis()
    )]
    CannotMeet { expected: Duration, remaining: Duration },
    /// For strict affinity: the worker that served the key is gone or leaving. The next call gets a
    /// new one.
    #[error("worker {worker}, which the call is bound to, is gone or leaving")]
    HomeGone { worker: WorkerId },
    /// For strict affinity that does not wait: the worker that serves the key has no room now.
    #[error("worker {worker}, which the call is bound to, is busy")]
    HomeBusy { worker: WorkerId },
    /// The pool is being drained, or was, and has got no new size since.
    #[error("drained")]
    Drained,
    /// For a drain: the pool got a new size before it was empty.
    #[error("got a new size before it was drained")]
    CalledOff,
    /// The pool is stopping, or has stopped.
    #[error("closed")]
    Closed,
    /// Starts keep failing and no worker is left.
    #[error("{0}")]
    Failed(Arc<StartFailure>),
}

impl From<NoHome> for PoolError {
    fn from(why: NoHome) -> PoolError {
        match why {
            NoHome::Gone(worker) => PoolError::HomeGone { worker },
            NoHome::Busy(worker) => PoolError::HomeBusy { worker },
        }
    }
}

/// The last start that failed.
#[derive(Clone, Debug)]
pub struct StartFailure {
    pub worker: WorkerId,
    pub cause: Cause,
    pub reason: String,
    pub journey: Arc<Journey>,
    /// What the worker last printed to its standard error.
    pub stderr_tail: Arc<str>,
}

impl std::fmt::Display for StartFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "worker {} did not start: {}; {}", self.worker, self.reason, self.journey)?;
        let tail = self.stderr_tail.trim_end();
        if tail.is_empty() {
            return f.write_str("; it printed nothing to its standard error");
        }
        write!(f, "; its standard error ended with:\n{}", ending(tail, SHOWN_BYTES_MAX))
    }
}

/// The last bytes of `text`, from a character's beginning on.
fn ending(text: &str, bytes_max: usize) -> &str {
    let start = text.len().saturating_sub(bytes_max);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

const SHORTAGES: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::EAGAIN, libc::ENOMEM];
/// What of the tail a message repeats; programs read all of it from the field.
const SHOWN_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::ending;

    #[test]
    fn a_message_shows_the_end_and_never_half_a_character() {
        assert_eq!(ending("abc", 8), "abc");
        assert_eq!(ending("abc", 2), "bc");
        assert_eq!(ending("aäb", 2), "b");
        assert_eq!(ending("aäb", 3), "äb");
    }
}
