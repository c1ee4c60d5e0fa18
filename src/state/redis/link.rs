//! The connection that commands go over, and how often one is tried.
//!
//! A command that was surely not run is tried again, and so is one without an answer: a script that
//! writes carries the number of its write, so that a repetition gets the first outcome. Attempts
//! end with the command's time, and rest in between.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value as Raw};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::core::limits::{
    REDIS_BACKOFF_MAX, REDIS_BACKOFF_MIN, REDIS_BYTES_PER_SECOND_MIN, REDIS_TIME_MAX,
};
use crate::core::{Error, Result};

use super::answer::Answer;
use super::failure::{Failure, store_closed, unavailable, unknown};
use super::options::RedisOptions;
use super::scripts::Script;

/// One multiplexed connection, made anew when it is lost.
pub struct Link {
    client: Client,
    connect_timeout: Duration,
    answer_timeout: Duration,
    current: Mutex<Current>,
    /// Held while connecting, so that only one does.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// Tells connections apart.
    number: u64,
    is_closed: bool,
}

/// What is asked of a script.
pub struct Request<'a> {
    pub script: &'a Script,
    pub keys: Vec<Bytes>,
    pub args: Vec<Bytes>,
    /// Which of `args` is to hold the number of the attempt.
    pub attempt_at: Option<usize>,
    /// What the answer may take besides the usual time.
    pub answer_takes: Duration,
}

impl Link {
    pub fn new(client: Client, options: &RedisOptions) -> Self {
        Link {
            client,
            connect_timeout: options.connect_timeout,
            answer_timeout: options.answer_timeout,
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// Runs a script, at the latest until `until`.
    pub async fn call(&self, mut request: Request<'_>, until: Instant) -> Result<Answer> {
        let mut rests = Rests::default();
        let (mut attempt, mut loads, mut is_in_doubt) = (0_u64, 0, false);
        let mut reason = None;
        loop {
            attempt += 1;
            request.set_attempt(attempt);
            let failure = match self.attempt(&request, until).await {
                Ok(raw) => return Answer::new(request.script.name, raw),
                Err(failure) => failure,
            };
            is_in_doubt |= matches!(failure, Failure::NoAnswer { .. });
            let rest_ends = rests.next_end();
            match failure {
                Failure::Final(error) if is_in_doubt && request.script.is_write => {
                    return Err(unknown(error.message()));
                }
                Failure::Final(error) => return Err(error),
                Failure::NoScript if loads < LOADS_MAX => loads += 1,
                // The last attempt may end for want of time; what the server said before is why.
                failure if rest_ends < until => {
                    reason = if failure.is_of_time_alone() { reason } else { Some(failure) };
                    sleep_until(rest_ends).await;
                }
                failure => {
                    let why = reason.filter(|_| failure.is_of_time_alone()).unwrap_or(failure);
                    return Err(self.given_up(&why, is_in_doubt, request.script));
                }
            }
        }
    }

    /// No command is begun any more.
    pub fn close(&self) {
        let mut current = self.current.lock();
        current.is_closed = true;
        current.connection = None;
    }

    pub fn is_closed(&self) -> bool {
        self.current.lock().is_closed
    }

    /// A connection of its own that listens to channels.
    pub async fn listener(&self) -> Result<redis::aio::PubSub, Failure> {
        match timeout(self.connect_timeout, self.client.get_async_pubsub()).await {
            Ok(connected) => connected.map_err(|error| Failure::of_connecting(&error)),
            Err(_) => Err(Failure::too_slow()),
        }
    }

    async fn attempt(&self, request: &Request<'_>, until: Instant) -> Result<Raw, Failure> {
        let (number, mut connection) = self.connection(until).await?;
        let outcome =
            self.send(&mut connection, &request.command(), request.answer_takes, until).await;
        if !matches!(outcome, Err(Failure::NoScript)) {
            return outcome.inspect_err(|failure| self.forget(number, failure));
        }
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&request.script.code);
        let loaded = self.send(&mut connection, &load, Duration::ZERO, until).await;
        match loaded.inspect_err(|failure| self.forget(number, failure)) {
            Ok(_) => Err(Failure::NoScript),
            // The script itself has not been run, whatever became of its loading.
            Err(Failure::NoAnswer { cause }) => {
                Err(Failure::NotRun { cause, is_link_at_fault: true })
            }
            Err(failure) => Err(failure),
        }
    }

    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        command: &Cmd,
        answer_takes: Duration,
        until: Instant,
    ) -> Result<Raw, Failure> {
        let bytes = command.args_iter().map(|arg| size_of_arg(&arg)).sum();
        let time = self.answer_timeout + time_for(bytes) + answer_takes;
        let ends = (Instant::now() + time).min(until);
        match timeout_at(ends, connection.send_packed_command(command)).await {
            Ok(answered) => {
                answered.and_then(Raw::extract_error).map_err(|error| Failure::of_sending(&error))
            }
            Err(_) => Err(Failure::of_sending(&RedisError::from(timed_out()))),
        }
    }

    async fn connection(&self, until: Instant) -> Result<(u64, MultiplexedConnection), Failure> {
        if let Some(found) = self.current()? {
            return Ok(found);
        }
        let connecting = async {
            let _one = self.connecting.lock().await;
            if let Some(found) = self.current()? {
                return Ok(found);
            }
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(self.connect_timeout))
                .set_response_timeout(None);
            let connected = self.client.get_multiplexed_async_connection_with_config(&config);
            match timeout(self.connect_timeout, connected).await {
                Ok(Ok(connection)) => self.keep(connection),
                Ok(Err(error)) => Err(Failure::of_connecting(&error)),
                Err(_) => Err(Failure::too_slow()),
            }
        };
        timeout_at(until, connecting).await.unwrap_or_else(|_| Err(Failure::too_slow()))
    }

    fn current(&self) -> Result<Option<(u64, MultiplexedConnection)>, Failure> {
        let current = self.current.lock();
        if current.is_closed {
            return Err(Failure::Final(store_closed()));
        }
        Ok(current.connection.clone().map(|connection| (current.number, connection)))
    }

    fn keep(&self, new: MultiplexedConnection) -> Result<(u64, MultiplexedConnection), Failure> {
        let mut current = self.current.lock();
        if current.is_closed {
            return Err(Failure::Final(store_closed()));
        }
        current.number += 1;
        current.connection = Some(new.clone());
        Ok((current.number, new))
    }

    /// Others that wait for an answer on it go on waiting.
    fn forget(&self, number: u64, failure: &Failure) {
        let mut current = self.current.lock();
        if failure.is_link_at_fault() && current.number == number {
            current.connection = None;
        }
    }

    fn given_up(&self, failure: &Failure, is_in_doubt: bool, script: &Script) -> Error {
        if is_in_doubt && script.is_write {
            unknown(failure.cause())
        } else if self.is_closed() {
            store_closed()
        } else {
            unavailable(failure.cause())
        }
    }
}

impl Request<'_> {
    fn set_attempt(&mut self, attempt: u64) {
        if let Some(arg) = self.attempt_at.and_then(|at| self.args.get_mut(at)) {
            *arg = Bytes::from(attempt.to_string());
        }
    }

    fn command(&self) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.script.sha).arg(self.keys.len());
        for part in self.keys.iter().chain(&self.args) {
            command.arg(part.as_ref());
        }
        command
    }
}

/// Between two attempts: each rest is up to twice as long as the one before, and of random length,
/// so that many who wait do not come back at once.
#[derive(Default)]
pub struct Rests {
    count: u32,
}

impl Rests {
    /// When the next one ends.
    pub fn next_end(&mut self) -> Instant {
        let factor = 1_u32.checked_shl(self.count).unwrap_or(u32::MAX);
        self.count += 1;
        let longest = REDIS_BACKOFF_MIN.saturating_mul(factor).min(REDIS_BACKOFF_MAX);
        let random = getrandom::u32().unwrap_or(u32::MAX);
        Instant::now() + longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// How long so many bytes may travel.
pub fn time_for(bytes: usize) -> Duration {
    let seconds = bytes.checked_div(REDIS_BYTES_PER_SECOND_MIN).unwrap_or_default();
    Duration::from_secs(seconds as u64).min(REDIS_TIME_MAX)
}

fn size_of_arg(arg: &redis::Arg<&[u8]>) -> usize {
    match arg {
        redis::Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    }
}

fn timed_out() -> std::io::Error {
    std::io::ErrorKind::TimedOut.into()
}

/// A server may lose its scripts, but not every time.
const LOADS_MAX: u32 = 3;
