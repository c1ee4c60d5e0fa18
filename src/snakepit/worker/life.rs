//! What is done for a worker between its description and its burial. What happens to it meanwhile
//! comes from `events`; what follows from that is the state machine's decision.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::super::adapter::Adapter;
use super::super::config::PoolConfig;
use super::super::error::Failure;
use super::super::exit::{Cause, Exit, ExitKind, Verdict};
use super::super::ids::WorkerId;
use super::super::journey::{Journey, Step};
use super::super::lease::Seated;
use super::super::lifecycle::{Effect, Ending, Grace, WorkerState};
use super::super::process::{Guarded, Output, Tail};
use super::super::shared::{Order, Row, Shared};
use super::ear::Ear;
use super::health::Illness;
use super::oom::OomWatch;
use super::verdict::classify;

/// How a life ended.
pub struct Ended {
    pub ending: Ending,
    pub exit: Exit,
    /// How long it had been ready, if it ever was.
    pub served: Option<Duration>,
}

/// Starts `worker` and returns when it is gone. `permit` is given back once it is ready, or gone.
pub async fn live<A: Adapter>(
    shared: Arc<Shared<A>>,
    worker: WorkerId,
    order: watch::Receiver<Order>,
    permit: OwnedSemaphorePermit,
) -> Ended {
    let mut journey = Journey::begin();
    let mut spec = match shared.adapter.describe(worker) {
        Ok(spec) => spec,
        Err(failure) => return undescribed(journey, &failure),
    };
    journey.reach(Step::Described);
    let starting = shared.adapter.ready(worker);
    shared.config.instance.brand(&shared.config.name, worker, &mut spec);
    let mut life = Life::new(shared, worker, order, permit, journey, starting);
    let spawned = life.spawn(&spec).await;
    drop(spec);
    if let Some((guarded, output)) = spawned {
        life.run(guarded, output).await;
    }
    life.bury()
}

/// A living worker.
pub(super) struct Life<A: Adapter> {
    pub(super) shared: Arc<Shared<A>>,
    pub(super) worker: WorkerId,
    pub(super) state: WorkerState,
    pub(super) order: watch::Receiver<Order>,
    permit: Option<OwnedSemaphorePermit>,
    pub(super) journey: Journey,
    pub(super) start_deadline: Option<Instant>,
    /// Until it is ready or cannot be.
    pub(super) starting: Option<BoxFuture<'static, Result<A::Link, Failure>>>,
    /// From then on; resolves with what is wrong.
    pub(super) health: Option<BoxFuture<'static, Illness>>,
    pub(super) output: Option<BoxFuture<'static, ()>>,
    pub(super) seated: Option<Arc<Seated<A>>>,
    pub(super) exit: watch::Sender<Option<Exit>>,
    pub(super) tail: Arc<Mutex<Tail>>,
    pub(super) grace: Option<Instant>,
    /// When its memory is measured next; from its program's start on.
    pub(super) weigh_at: Option<Instant>,
    pub(super) kind: ExitKind,
    /// Why the pool ends it, once it does.
    pub(super) verdict: Option<Verdict>,
    killed: bool,
    pub(super) oom: Option<OomWatch>,
    /// The out-of-memory killer was at work when it ended.
    pub(super) oom_kill: bool,
    pub(super) link_lost: bool,
}

impl<A: Adapter> Life<A> {
    fn new(
        shared: Arc<Shared<A>>,
        worker: WorkerId,
        order: watch::Receiver<Order>,
        permit: OwnedSemaphorePermit,
        journey: Journey,
        starting: BoxFuture<'static, Result<A::Link, Failure>>,
    ) -> Self {
        let start_deadline = Instant::now().checked_add(shared.config.start_timeout);
        Life {
            tail: Arc::new(Mutex::new(Tail::new(shared.config.stderr_tail_bytes))),
            shared,
            worker,
            state: WorkerState::Starting,
            order,
            permit: Some(permit),
            journey,
            start_deadline,
            starting: Some(starting),
            health: None,
            output: None,
            seated: None,
            exit: watch::Sender::new(None),
            grace: None,
            weigh_at: None,
            kind: ExitKind::GuardLost,
            verdict: None,
            killed: false,
            oom: None,
            oom_kill: false,
            link_lost: false,
        }
    }

    async fn run(&mut self, mut guarded: Guarded, output: Output) {
        self.journey.reach(Step::GuardSpawned);
        let listener = Ear {
            adapter: self.shared.adapter.clone(),
            worker: self.worker,
            tail: self.tail.clone(),
        };
        let line_bytes_max = self.shared.config.output_line_bytes_max;
        self.output = Some(output.read(line_bytes_max, listener).boxed());
        while self.state != WorkerState::Dead {
            let event = self.next(&mut guarded).await;
            self.note(event);
            let (state, effects) = self.state.step(event);
            self.enter(state);
            for effect in effects {
                self.apply(*effect, &mut guarded);
            }
        }
        let patience = self.shared.config.kill_grace;
        if tokio::time::timeout(patience, guarded.ended()).await.is_err() {
            tracing::error!(worker = %self.worker, "a guard does not end");
        }
        if self.kind == ExitKind::GuardLost {
            clear(self.shared.clone(), self.worker).await;
            let backend = &self.shared.backend;
            let _ = tokio::time::timeout(patience, backend.clear(self.worker)).await;
        }
        // The pipes end with the tree; what a dead worker printed last is still in them.
        if let Some(output) = self.output.take() {
            let _ = tokio::time::timeout(patience, output).await;
        }
    }

    fn enter(&mut self, state: WorkerState) {
        if state == self.state {
            return;
        }
        self.state = state;
        self.note_row(|row| row.state = state);
    }

    /// Writes into its row of the statistics.
    pub(super) fn note_row(&self, change: impl FnOnce(&mut Row)) {
        if let Some(entry) = self.shared.lock().slots.get_mut(self.worker.slot as usize)
            && let Some(row) = &mut entry.row
        {
            change(row);
        }
    }

    fn apply(&mut self, effect: Effect, guarded: &mut Guarded) {
        match effect {
            Effect::Publish => self.publish(),
            Effect::Withdraw => self.withdraw(),
            Effect::GiveUp => self.give_up(),
            Effect::AskToLeave => {
                if let Some(seated) = &self.seated {
                    self.shared.adapter.drain(&seated.link);
                }
            }
            Effect::Terminate => guarded.signal(libc::SIGTERM),
            Effect::Abort => guarded.abort(),
            Effect::Kill => {
                self.killed = true;
                guarded.kill();
            }
            Effect::KillGuard => guarded.kill_guard(),
            Effect::Arm(grace) => {
                let time = match grace {
                    Grace::Lost => self.shared.config.lost_grace,
                    Grace::Abort => self.shared.config.abort_grace,
                    Grace::Obey => self.obey_grace(),
                };
                self.grace = Instant::now().checked_add(time);
            }
            Effect::Bury => {}
        }
    }

    /// A pool that stops has less patience with TERM. What follows KILL takes its time.
    fn obey_grace(&self) -> Duration {
        match self.state {
            WorkerState::Stopping => self.shared.patience(),
            _ => self.shared.config.kill_grace,
        }
    }

    fn publish(&mut self) {
        self.journey.reach(Step::Ready);
        self.permit = None;
        let Some(seated) = self.seated.clone() else { return };
        self.shared.lock().welcome(self.worker, seated);
        tracing::debug!(pool = self.shared.config.name, worker = %self.worker, "worker ready");
        self.shared.settle();
    }

    fn withdraw(&mut self) {
        let idle = {
            let mut state = self.shared.lock();
            state.admission.withdraw(self.worker);
            state.admission.is_idle(self.worker)
        };
        if let (true, Some(seated)) = (idle, &self.seated) {
            seated.idle.notify_one();
        }
        self.shared.settle();
    }

    /// Those who wait learn why before they learn that.
    fn give_up(&self) {
        let Some(seated) = &self.seated else { return };
        let unknown =
            || Verdict { cause: Cause::LinkBroken, reason: Arc::from("it broke its link") };
        seated.verdict.send_replace(Some(self.verdict.clone().unwrap_or_else(unknown)));
        self.shared.adapter.abandon(&seated.link);
    }

    /// Tells everyone who wants to know.
    fn bury(mut self) -> Ended {
        let ready_at = self.journey.at(Step::Ready);
        self.journey.reach(Step::Ended);
        let served = ready_at.zip(self.journey.at(Step::Ended)).map(|(ready, end)| end - ready);
        let verdict = classify(self.verdict, &self.kind, self.killed, self.oom_kill);
        let exit = Exit {
            kind: self.kind,
            cause: verdict.as_ref().map_or(Cause::Unasked, |verdict| verdict.cause),
            reason: verdict.map(|verdict| verdict.reason),
            stderr_tail: Arc::from(self.tail.lock().text()),
            journey: Arc::new(self.journey),
        };
        let pool = &self.shared.config.name;
        tracing::debug!(pool, worker = %self.worker, %exit, "worker gone");
        // Readiness and health refer to the worker: they end before the adapter forgets it.
        drop((self.starting, self.health));
        self.shared.adapter.gone(self.worker, &exit);
        self.exit.send_replace(Some(exit.clone()));
        let ending = match (exit.is_expected(), served) {
            (true, _) => Ending::Asked,
            (false, None) => Ending::FailedStart,
            (false, Some(_)) => Ending::Lost,
        };
        Ended { ending, exit, served }
    }
}

/// Ends what a lost guard has left of the worker's tree.
async fn clear<A: Adapter>(shared: Arc<Shared<A>>, worker: WorkerId) {
    let runtime = shared.runtime.clone();
    let cleared = runtime.spawn_blocking(move || {
        let PoolConfig { name, instance, .. } = &shared.config;
        instance.clear(name, worker, CLEAR_LIMIT);
    });
    // It fails only when the runtime ends, and everything with it.
    let _ = cleared.await;
}

/// For a description that failed: there is no process, and the adapter has nothing to forget.
fn undescribed(mut journey: Journey, failure: &Failure) -> Ended {
    journey.reach(Step::Ended);
    let exit = Exit {
        kind: ExitKind::SpawnFailed(failure.to_string()),
        cause: Cause::NotReady,
        reason: None,
        stderr_tail: Arc::from(""),
        journey: Arc::new(journey),
    };
    Ended { ending: Ending::FailedStart, exit, served: None }
}

/// For the search of processes without a guard; it takes a few milliseconds as a rule.
const CLEAR_LIMIT: Duration = Duration::from_secs(2);
