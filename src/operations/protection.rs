//! What stands between a pool and calls that would harm it, or gain nothing: its circuit breaker,
//! its crash barrier, its retry budget, and what they have counted.
//!
//! While nothing is wrong a call passes with one atomic addition and one atomic load. How workers
//! end and how calls are sent is not known here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ahash::RandomState;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::core::limits::BREAKER_WORKERS_REMEMBERED_MAX;
use crate::core::{Attachment, Error, Status, Value};
use crate::snakepit::{WorkerId, chance};
use crate::telemetry::{PoolMetrics, Refusal};

use super::barrier::{Barrier, BarrierSettings, CallKey};
use super::breaker::{BreakerSettings, Circuit, CircuitEvent, Pass};
use super::retry::{RetryBudget, RetrySettings};

/// How a pool is protected.
#[derive(Clone, Copy, Debug)]
pub struct ProtectionSettings {
    pub retry: RetrySettings,
    pub breaker: BreakerSettings,
    pub barrier: BarrierSettings,
}

/// One pool's protection.
pub struct Protection {
    pool: Arc<str>,
    settings: ProtectionSettings,
    metrics: Arc<PoolMetrics>,
    hasher: RandomState,
    /// Calls that ever asked to pass.
    calls: AtomicU64,
    /// Something is remembered behind the lock that a call has to be held against.
    alert: AtomicBool,
    memory: Mutex<Memory>,
}

/// What a call is, as far as it matters here.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub framework: &'a str,
    pub operation: &'a str,
    pub parameters: &'a Value,
}

/// What there is to tell of a pool's protection.
pub struct ProtectionReport {
    /// `closed`, `open` or `half_open`.
    pub circuit: &'static str,
    /// Operations with parameters that are refused now.
    pub tainted: usize,
}

struct Memory {
    circuit: Circuit,
    /// Lost workers that count in the circuit's row: a worker counts once, however many calls it
    /// takes with it.
    counted: VecDeque<WorkerId>,
    barrier: Barrier,
    budget: RetryBudget,
}

impl Protection {
    pub fn new(pool: Arc<str>, settings: ProtectionSettings, metrics: Arc<PoolMetrics>) -> Self {
        let memory = Memory {
            circuit: Circuit::NEW,
            counted: VecDeque::new(),
            barrier: Barrier::new(settings.barrier),
            budget: RetryBudget::new(&settings.retry, Instant::now()),
        };
        Protection {
            pool,
            settings,
            metrics,
            hasher: RandomState::new(),
            calls: AtomicU64::new(0),
            alert: AtomicBool::new(false),
            memory: Mutex::new(memory),
        }
    }

    /// Lets a call pass, or says why not. `true`: it is the probe of a half-open circuit, and
    /// `probe_ended` has to follow.
    pub fn admit(&self, subject: Subject<'_>) -> Result<bool, Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if !self.alert.load(Ordering::Acquire) {
            return Ok(false);
        }
        let now = Instant::now();
        let key = self.key(subject);
        let mut memory = self.memory.lock();
        memory.barrier.forget_old(now);
        if let Some(wait) = key.and_then(|key| memory.barrier.refuses(key, now)) {
            self.metrics.refused(Refusal::Barrier);
            return Err(self.barred(subject, wait));
        }
        match self.step(&mut memory, CircuitEvent::Asked, now) {
            Pass::Refused(wait) => {
                self.metrics.refused(Refusal::Circuit);
                Err(self.cut_off(wait))
            }
            pass => {
                self.calm_down(&memory);
                Ok(pass == Pass::AsProbe)
            }
        }
    }

    /// A worker has given a call's result, be it an exception.
    pub fn answered(&self, subject: Subject<'_>) {
        if !self.alert.load(Ordering::Acquire) {
            return;
        }
        let key = self.key(subject);
        let mut memory = self.memory.lock();
        self.step(&mut memory, CircuitEvent::Succeeded, Instant::now());
        if let Some(key) = key {
            memory.barrier.succeeded(key);
        }
        self.calm_down(&memory);
    }

    /// A call has lost its worker, which counts against the pool.
    pub fn lost(&self, worker: WorkerId) {
        let mut memory = self.memory.lock();
        if memory.counted.contains(&worker) {
            return;
        }
        if memory.counted.len() == BREAKER_WORKERS_REMEMBERED_MAX {
            memory.counted.pop_front();
        }
        memory.counted.push_back(worker);
        self.alert.store(true, Ordering::Release);
        self.step(&mut memory, CircuitEvent::Failed, Instant::now());
    }

    /// A call ran in a worker that crashed: it may be the cause.
    pub fn crashed(&self, subject: Subject<'_>) {
        let key = self.key_of(subject);
        let mut memory = self.memory.lock();
        memory.barrier.crashed(key, Instant::now());
        self.alert.store(true, Ordering::Release);
    }

    /// The probe of a half-open circuit has ended, in whatever way.
    pub fn probe_ended(&self) {
        let mut memory = self.memory.lock();
        self.step(&mut memory, CircuitEvent::ProbeGaveUp, Instant::now());
    }

    /// How long a lost call rests before its next attempt; none: there is no other. `attempts` is
    /// how many there have been. Call it once per attempt: it takes from the budget.
    pub fn rest_before_retry(&self, subject: Subject<'_>, attempts: u32) -> Option<Duration> {
        let retry = &self.settings.retry;
        if attempts >= retry.attempts_max {
            return None;
        }
        let (now, key) = (Instant::now(), self.key(subject));
        let mut memory = self.memory.lock();
        let tainted = key.and_then(|key| memory.barrier.refuses(key, now));
        if tainted.is_some() || memory.circuit.is_open() {
            return None;
        }
        if !memory.budget.withdraw(now, self.calls.load(Ordering::Relaxed)) {
            self.metrics.retries_refused.inc();
            return None;
        }
        self.metrics.retries.inc();
        Some(retry.rest_after(attempts, chance()))
    }

    pub fn report(&self) -> ProtectionReport {
        let memory = self.memory.lock();
        let tainted = memory.barrier.tainted(Instant::now());
        ProtectionReport { circuit: memory.circuit.name(), tainted }
    }

    fn step(&self, memory: &mut Memory, event: CircuitEvent, now: Instant) -> Pass {
        let before = memory.circuit;
        let (circuit, pass) = before.step(event, now, &self.settings.breaker);
        memory.circuit = circuit;
        if circuit == Circuit::NEW {
            memory.counted.clear();
        }
        if circuit.name() != before.name() {
            let (from, to) = (before.name(), circuit.name());
            tracing::warn!(pool = &*self.pool, "circuit was {from}, is {to}");
        }
        pass
    }

    /// Nothing is left to hold a call against.
    fn calm_down(&self, memory: &Memory) {
        if memory.circuit == Circuit::NEW && memory.barrier.is_empty() {
            self.alert.store(false, Ordering::Release);
        }
    }

    /// The call's key, if any call of its operation is under suspicion: large parameters are not
    /// read for nothing.
    fn key(&self, subject: Subject<'_>) -> Option<CallKey> {
        let operation = self.operation_key(subject);
        let suspected = self.memory.lock().barrier.suspects(operation);
        suspected.then(|| self.key_of(subject))
    }

    fn key_of(&self, subject: Subject<'_>) -> CallKey {
        let operation = self.operation_key(subject);
        let attachments = subject.parameters.attachments();
        let attached: Vec<u64> = attachments.iter().map(|item| self.attachment_key(item)).collect();
        let parameters = self.hasher.hash_one((&**subject.parameters.json(), attached));
        CallKey { operation, parameters }
    }

    fn operation_key(&self, subject: Subject<'_>) -> u64 {
        self.hasher.hash_one((subject.framework, subject.operation))
    }

    fn attachment_key(&self, attachment: &Attachment) -> u64 {
        match attachment {
            Attachment::Blob(bytes) => self.hasher.hash_one(&**bytes),
            Attachment::Tensor(tensor) => {
                self.hasher.hash_one((tensor.dtype().name(), tensor.shape(), &**tensor.data()))
            }
        }
    }

    fn barred(&self, subject: Subject<'_>, wait: Duration) -> Error {
        let Subject { framework, operation, .. } = subject;
        let crashed = format!("crashed its worker {} times", self.settings.barrier.crashes_max);
        let message = format!("{framework}.{operation} {crashed} with these very parameters");
        self.refusal(format!("{message} and is refused for a while"), wait).with("barrier", crashed)
    }

    fn cut_off(&self, wait: Duration) -> Error {
        let failures = self.settings.breaker.failures_max;
        let message = format!("the circuit is open after {failures} lost workers in a row");
        self.refusal(message, wait).with("circuit", "open")
    }

    fn refusal(&self, message: String, wait: Duration) -> Error {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        Error::new(Status::Unavailable, format!("pool {:?}: {message}", self.pool))
            .with("pool", &*self.pool)
            .with("retry_after_ms", wait_ms)
    }
}

#[cfg(test)]
mod tests;
