//! One framework call: it waits for a worker, goes out, and its worker's frames become the
//! operation's events.
//!
//! The caller's view (the operation) and the worker's view (the lease) end separately: a cancelled
//! call is over for its caller at once, while its worker stays taken until the handler has left, or
//! is replaced for not leaving.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use crate::core::{Error, Result, Status, TimerKey, Value, WorkerId};
use crate::frameworks::{OperationEntry, ToolPlace};
use crate::runtimes::{WorkerLease, core_id};
use crate::sessions::SessionHold;
use crate::snakepit::Claim;
use crate::telemetry::{FinishedSpan, Origin, SpanPlace};
use crate::tools::Invocation;
use crate::transport::{CallStart, WireSeats, WorkerLink};

use super::call_held::{Held, OpenTools};
use super::call_locks::HeldLock;
use super::call_request::{CallPool, CallRequest};
use super::call_watch::CallWatch;
use super::loss::Loss;
use super::operation::{Operation, Roster, Work};
use super::services::{InFlightPlace, Services};
use super::stream::ChunkMeter;

/// One framework call under way.
pub struct Call {
    pub(super) me: Weak<Call>,
    pub(super) services: Arc<Services>,
    pub(super) request: CallRequest,
    pub(super) pool: Arc<CallPool>,
    /// The operation's announcement, once the request has been held against it.
    pub(super) entry: OnceLock<Arc<OperationEntry>>,
    pub(super) started: Instant,
    /// A chunk has come: from now on the call cannot be run again.
    pub(super) has_chunks: AtomicBool,
    pub(super) progress: Mutex<Progress>,
}

/// What changes while a call is under way.
pub(super) struct Progress {
    /// Held while the call runs, so that a detached operation still ends.
    pub operation: Option<Arc<Operation>>,
    pub lease: Option<Arc<WorkerLease>>,
    /// Of one that streams.
    meter: Option<Arc<ChunkMeter>>,
    /// How often it was sent.
    pub attempts: u32,
    /// Since when it has been waiting for a worker.
    pub queued_at: Instant,
    /// It has had a worker before, and lost it.
    pub is_again: bool,
    /// It goes as the probe of its pool's half-open circuit.
    pub is_probe: bool,
    /// For its deadline, or for the end of the grace.
    pub timer: Option<TimerKey>,
    /// How long its handler may still take, since it was told to stop.
    pub grace_until: Option<Instant>,
    place: Option<InFlightPlace>,
    /// A session with work in flight does not expire.
    hold: Option<SessionHold>,
    /// Tool calls that the host has not answered, by the worker's number for them; while there are
    /// any, the worker's capacity is lent.
    pub tools_open: FxHashMap<u64, Weak<Invocation>>,
    /// What its handler has locked.
    pub locks: Vec<HeldLock>,
    /// A tool that it called in this attempt and that must not be called for it twice.
    pub called_once: Option<String>,
    /// Its place among the calls of the tool that it is a call of.
    pub tool_place: Option<ToolPlace>,
    /// What its handler watches.
    pub watches: Vec<Weak<CallWatch>>,
    roster: Option<Arc<dyn Roster>>,
}

impl Call {
    /// An operation that runs `request` in `pool`. `entry` is the operation's announcement where
    /// the check has been made; without it, the check is made once a worker is there. `roster`
    /// hears of the end.
    pub fn operation(
        services: Arc<Services>,
        pool: Arc<CallPool>,
        request: CallRequest,
        entry: Option<Arc<OperationEntry>>,
        place: InFlightPlace,
        roster: Arc<dyn Roster>,
    ) -> Arc<Operation> {
        let started = Instant::now();
        let progress = Progress {
            operation: None,
            lease: None,
            meter: None,
            attempts: 0,
            queued_at: started,
            is_again: false,
            is_probe: false,
            timer: None,
            grace_until: None,
            place: Some(place),
            hold: Some(request.session.hold()),
            tools_open: FxHashMap::default(),
            locks: Vec::new(),
            called_once: None,
            tool_place: None,
            watches: Vec::new(),
            roster: Some(roster),
        };
        let call = Arc::new_cyclic(|me| Call {
            me: me.clone(),
            services,
            request,
            pool,
            entry: entry.map(OnceLock::from).unwrap_or_default(),
            started,
            has_chunks: AtomicBool::new(false),
            progress: Mutex::new(progress),
        });
        Operation::new(call)
    }

    /// The operation, while it has not ended.
    pub(super) fn live_operation(&self) -> Option<Arc<Operation>> {
        self.progress.lock().operation.clone()
    }

    pub(super) fn origin(&self) -> Origin {
        Origin {
            pool: Some(self.pool.name.clone()),
            worker: self.worker(),
            session: Some(self.request.session.id().clone()),
            call: Some(self.request.id),
            trace: Some(self.request.trace.trace_id()),
        }
    }

    fn worker(&self) -> Option<WorkerId> {
        self.progress.lock().lease.as_ref().map(|lease| core_id(lease.worker()))
    }

    pub(super) async fn wait_for_worker(self: Arc<Self>, operation: Arc<Operation>) {
        let (queued_at, again) = {
            let progress = self.progress.lock();
            (progress.queued_at, progress.is_again)
        };
        self.pool.metrics.queued.inc();
        let (deadline, home) = (self.deadline().instant(), self.request.home());
        let claim = Claim { group: self.request.group(), again };
        let lease = tokio::select! {
            lease = self.pool.workers.acquire(deadline, home, claim) => Some(lease),
            () = operation.done() => None,
        };
        self.pool.metrics.queued.dec();
        self.pool.metrics.queue_wait.observe(queued_at.elapsed());
        match lease {
            Some(Ok(lease)) => self.dispatch(&operation, lease),
            Some(Err(error)) => self.turned_away(&operation, error),
            None => {}
        }
    }

    fn dispatch(self: &Arc<Self>, operation: &Arc<Operation>, lease: WorkerLease) {
        let Err(error) = self.try_dispatch(operation, lease) else { return };
        self.release();
        if error.status() == Status::WorkerLost {
            // Its connection broke before anything was sent.
            return self.take_back(operation);
        }
        operation.finish(Err(error));
    }

    fn try_dispatch(
        self: &Arc<Self>,
        operation: &Arc<Operation>,
        lease: WorkerLease,
    ) -> Result<()> {
        let entry = self.check()?;
        if !operation.assigned() {
            self.forget_late_home();
            return Ok(());
        }
        let link = lease.link().clone();
        let meter = self.request.stream.then(|| self.new_meter(&link));
        {
            let mut progress = self.progress.lock();
            progress.lease = Some(Arc::new(lease));
            progress.meter = meter;
            progress.attempts += 1;
        }
        self.pool.metrics.running.inc();
        self.pool.metrics.bytes_in.inc_by(self.request.parameters.bytes_len() as u64);
        link.begin(self.start_frame(entry), self.clone())?;
        if operation.is_done() {
            // It ended between the assignment and the sending: the worker must hear of that.
            self.stop(Status::Cancelled);
        }
        Ok(())
    }

    fn start_frame<'a>(&'a self, entry: &'a OperationEntry) -> CallStart<'a> {
        let request = &self.request;
        CallStart {
            call: self.request.id,
            session: (request.session.number(), request.session.id().as_str()),
            operation: (entry.number, &entry.framework, &entry.name),
            parameters: request.parameters.clone(),
            deadline_remaining_ms: self.deadline().remaining_ms(),
            stream: request.stream,
            chunk_credit: if request.stream { request.stream_window } else { 0 },
            trace: request.trace,
            session_incarnation: self.cached_session(),
        }
    }

    fn new_meter(&self, link: &WorkerLink) -> Arc<ChunkMeter> {
        let (link, id) = (link.clone(), self.request.id);
        let give = move |chunks| link.credit(id, chunks);
        ChunkMeter::new(id, self.request.stream_window, give)
    }

    fn cached_session(&self) -> u64 {
        if self.pool.caches_variables { self.request.session.key().incarnation } else { 0 }
    }

    /// This call as others may hold it; none while it is being dropped.
    pub(super) fn shared(&self) -> Option<Arc<Call>> {
        self.me.upgrade()
    }

    /// Where its chunks go, while it has not ended and if it streams.
    pub(super) fn stream(&self) -> Option<(Arc<Operation>, Arc<ChunkMeter>)> {
        let progress = self.progress.lock();
        Some((progress.operation.clone()?, progress.meter.clone()?))
    }

    /// The worker is done with the call: its capacity is free again. The operation, if it has not
    /// ended.
    pub(super) fn release(&self) -> Option<Arc<Operation>> {
        let (lease, timer, held, operation) = {
            let mut progress = self.progress.lock();
            let (lease, timer) = (progress.lease.take(), progress.timer.take());
            (lease, timer, Held::take(&mut progress), progress.operation.clone())
        };
        if let Some(timer) = timer {
            self.services.timers.remove(timer);
        }
        if lease.is_some() {
            self.pool.metrics.running.dec();
        }
        self.let_go(held);
        operation
    }

    pub(super) fn count_result(&self, outcome: &Result<Value>) {
        if let Ok(value) = outcome {
            self.pool.metrics.bytes_out.inc_by(value.bytes_len() as u64);
        }
    }

    pub(super) fn count_late_result(&self) {
        self.pool.metrics.late_results.inc();
    }

    /// The worker died under the call, or was given up: say how, as soon as it is known.
    pub(super) fn worker_lost(&self) {
        let Some(call) = self.me.upgrade() else { return };
        let lease = self.progress.lock().lease.clone();
        let Some(lease) = lease else { return };
        self.services.runtime.spawn(async move {
            let loss = Loss::of(&lease).await;
            let worker = lease.worker();
            drop(lease);
            call.release();
            call.worker_gone(worker, &loss).await;
        });
    }

    fn report_span(&self, outcome: &Result<Value>) {
        let status = outcome.as_ref().map_or_else(Error::status, |_| Status::Ok);
        let duration = self.started.elapsed();
        if let Some(entry) = self.entry.get() {
            entry.metrics.ended(status, duration);
        }
        let span = FinishedSpan {
            context: self.request.trace,
            parent: self.request.parent_span,
            duration,
            status,
            call: self.request.id,
        };
        if span.is_wanted(&self.services.logs) {
            self.tell(&span);
        }
    }

    fn tell(&self, span: &FinishedSpan) {
        let place = SpanPlace {
            name: &self.full_name(),
            pool: &self.pool.name,
            session: self.request.session.id(),
            worker: self.worker(),
        };
        span.report(&self.services.logs, &place);
    }
}

impl Work for Call {
    fn start(&self, operation: &Arc<Operation>) {
        let Some(me) = self.me.upgrade() else { return };
        let is_probe = match self.pool.protection.admit(self.subject()) {
            Ok(is_probe) => is_probe,
            Err(refusal) => {
                operation.finish(Err(refusal));
                return;
            }
        };
        {
            let mut progress = self.progress.lock();
            progress.operation = Some(operation.clone());
            progress.is_probe = is_probe;
            let at = self.deadline().instant();
            // A moment that has come finds the operation.
            progress.timer = at.map(|at| self.services.timers.add(at, self.me.clone()));
        }
        if let Err(refusal) = self.enter_tool() {
            operation.finish(Err(refusal));
            return;
        }
        match self.pool.workers.try_acquire(self.request.home()) {
            Ok(Some(lease)) => me.dispatch(operation, lease),
            Err(error) => self.turned_away(operation, error),
            Ok(None) => me.stand_in_line(operation),
        }
        if operation.is_done() {
            // It ended while it was being started, when there was nothing yet to clean up.
            self.progress.lock().operation = None;
            self.leave_probe();
        }
    }

    fn stop(&self, reason: Status) {
        let Some(lease) = self.progress.lock().lease.clone() else { return };
        lease.link().cancel(self.request.id, reason);
        self.begin_grace();
    }

    fn ended(&self, outcome: &Result<Value>) {
        self.report_span(outcome);
        let (kept, roster, timer, was_probe, tools, held) = {
            let mut progress = self.progress.lock();
            let timer = if progress.lease.is_none() { progress.timer.take() } else { None };
            let places = (progress.place.take(), progress.tool_place.take());
            let kept = (progress.operation.take(), places, progress.hold.take());
            let was_probe = std::mem::take(&mut progress.is_probe);
            let (tools, held) = (OpenTools::of(&progress), Held::take(&mut progress));
            (kept, progress.roster.take(), timer, was_probe, tools, held)
        };
        if was_probe {
            self.pool.protection.probe_ended();
        }
        if let Some(timer) = timer {
            self.services.timers.remove(timer);
        }
        drop(kept);
        tools.cancel();
        self.let_go(held);
        if let Some(roster) = roster {
            roster.ended(self.request.id);
        }
    }

    fn seats(&self) -> Option<&WireSeats> {
        Some(&self.services.seats)
    }
}
