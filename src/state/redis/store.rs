//! What all verbs of one store share, and how a verb becomes a script's call: the session it is
//! about, the number of a write, and the answers that every script may give.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::core::limits::{REDIS_INLINE_BYTES_MAX, REDIS_OUTCOMES_KEPT};
use crate::core::{Result, SessionId};
use crate::state::backend::StoreLimits;
use crate::state::change::{ChangeSink, SessionLoss};
use crate::state::fault;
use crate::state::key::SessionKey;

use super::answer::Answer;
use super::cache::Cache;
use super::failure;
use super::keys::Keys;
use super::lease::Lease;
use super::link::{Link, Request, time_for};
use super::members::Members;
use super::operations::Operations;
use super::options::RedisOptions;
use super::scripts::{Script, Scripts};

/// One store on one server.
pub struct Store {
    pub link: Link,
    pub scripts: Scripts,
    pub keys: Keys,
    pub limits: StoreLimits,
    pub command_timeout: Duration,
    pub operations: Operations,
    pub cache: Cache,
    pub lease: Lease,
    pub members: Members,
}

impl Store {
    /// Nothing is connected yet. `InvalidArgument` for options that cannot be.
    pub fn new(
        options: &RedisOptions,
        limits: StoreLimits,
        sink: Arc<dyn ChangeSink>,
    ) -> Result<Self> {
        Ok(Store {
            link: Link::new(options.client()?, options),
            scripts: Scripts::new(),
            keys: Keys::new(&options.prefix),
            limits,
            command_timeout: options.command_timeout,
            operations: Operations::default(),
            cache: Cache::default(),
            lease: Lease::new(options.lease),
            members: Members::new(sink),
        })
    }

    /// When a command that begins now has to be answered.
    pub fn until(&self) -> Instant {
        Instant::now() + self.command_timeout
    }

    /// Asks a script that is about no open session.
    pub async fn ask_plain(
        &self,
        script: &Script,
        keys: Vec<Bytes>,
        args: Vec<Bytes>,
        until: Instant,
    ) -> Result<Answer> {
        self.link
            .call(
                Request { script, keys, args, attempt_at: None, answer_takes: Duration::ZERO },
                until,
            )
            .await
    }

    /// Asks a script of a session. A session that has ended and a lost lease are errors; whatever
    /// else the script may refuse is for the caller to tell.
    pub async fn ask(
        &self,
        session: &SessionKey,
        script: &Script,
        own: Vec<Bytes>,
        until: Instant,
    ) -> Result<Answer> {
        let operation = self.operations.begin();
        let mut args = vec![
            Bytes::from(session.incarnation.to_string()),
            Bytes::from(self.keys.changes(session.incarnation)),
            Bytes::from(operation.number.to_string()),
            Bytes::from(operation.lowest.to_string()),
            Bytes::new(),
            Bytes::from(REDIS_INLINE_BYTES_MAX.to_string()),
            Bytes::from(REDIS_OUTCOMES_KEPT.as_millis().to_string()),
        ];
        args.extend(own);
        let keys = self.keys.of_session(session);
        let bytes = if script.is_bulk { self.limits.bytes_max } else { 0 };
        let answer_takes = time_for(bytes);
        let attempt_at = Some(ATTEMPT_AT);
        let request = Request { script, keys, args, attempt_at, answer_takes };
        let answer = self.link.call(request, until + answer_takes).await?;
        match answer.word() {
            "CLOSED" => {
                self.members.lost(session.incarnation, SessionLoss::Ended);
                Err(fault::session_closed(session))
            }
            "LOST" => {
                self.lost_lease(session.lease);
                Err(failure::lease_lost(session))
            }
            // Only a copy of this write that is not waited for any more can have this answer.
            "STALE" => Err(failure::unknown("a later attempt was answered")),
            _ => Ok(answer),
        }
    }

    /// This host's lease, a new one when there is none.
    pub async fn take_lease(&self, until: Instant) -> Result<u64> {
        let _one = self.lease.taking.lock().await;
        if let Some(epoch) = self.lease.current() {
            return Ok(epoch);
        }
        let keys = vec![self.keys.counter()];
        let args = vec![Bytes::from(self.keys.host_start()), self.lease.time_ms()];
        let mut answer = self.ask_plain(&self.scripts.lease, keys, args, until).await?;
        let epoch = answer.number()?;
        self.lease.taken(epoch);
        Ok(epoch)
    }

    /// Asks for more time. Only the server's word, not the lack of one, is a loss.
    pub async fn renew_lease(&self, epoch: u64, until: Instant) -> Result<()> {
        let keys = vec![self.keys.host(epoch)];
        let args = vec![self.lease.time_ms()];
        let answer = self.ask_plain(&self.scripts.renew, keys, args, until).await?;
        if answer.word() == "LOST" {
            self.lost_lease(epoch);
        }
        Ok(())
    }

    pub fn lost_lease(&self, epoch: u64) {
        self.lease.lost(epoch);
        self.members.lost_all_of(epoch);
    }
}

/// A session's name as an argument.
pub fn arg_of_id(id: &SessionId) -> Bytes {
    Bytes::copy_from_slice(id.as_str().as_bytes())
}

/// A number as an argument; larger ones than Lua knows exactly mean "no limit" wherever they come.
pub fn arg_of_limit(limit: usize) -> Bytes {
    Bytes::from(u64::try_from(limit).unwrap_or(u64::MAX).min(NUMBER_MAX).to_string())
}

/// A time as an argument: whole milliseconds, at least one.
pub fn arg_of_time(time: Duration) -> Bytes {
    let ms = u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
    Bytes::from(ms.clamp(1, TIME_MAX_MS).to_string())
}

/// Where `lua/prelude.lua` expects the attempt.
const ATTEMPT_AT: usize = 4;
const NUMBER_MAX: u64 = 1 << 53;
/// A hundred years are for ever.
const TIME_MAX_MS: u64 = 100 * 365 * 24 * 3600 * 1000;
