//! Everything that can happen to a living worker, turned into events of its state machine.

use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::adapter::Adapter;
use super::super::error::Failure;
use super::super::exit::{Cause, ExitKind, Verdict};
use super::super::guard::Report;
use super::super::journey::Step;
use super::super::lease::Seated;
use super::super::lifecycle::{Event, WorkerState};
use super::super::moment::passed;
use super::super::process::Guarded;
use super::super::shared::Order;
use super::health::{Illness, watch_over};
use super::life::Life;
use super::oom::OomWatch;

impl<A: Adapter> Life<A> {
    /// Waits for whatever happens next.
    pub(super) async fn next(&mut self, guarded: &mut Guarded) -> Event {
        loop {
            let seated = self.seated.as_deref();
            let starting = self.state == WorkerState::Starting;
            let running = starting && self.journey.at(Step::ProcessStarted).is_some();
            tokio::select! {
                biased;
                report = guarded.report() => {
                    if let Some(event) = self.hear(report) {
                        return event;
                    }
                }
                event = obey(&mut self.order) => return event,
                // A fast worker may be ready before the guard's word that it runs has been read.
                started = finish(&mut self.starting), if running => return self.started(started),
                () = passed(self.start_deadline), if starting => return self.too_late(),
                illness = finish(&mut self.health) => return self.ail(illness),
                () = told(seated, |seated| &seated.recycle) => return Event::RecycleAsked,
                () = told(seated, |seated| &seated.idle) => return Event::Idle,
                () = passed(self.weigh_at) => {
                    if let Some(event) = self.weigh(guarded) {
                        return event;
                    }
                }
                () = passed(self.grace) => {
                    self.grace = None;
                    return Event::GraceOver;
                }
                () = finish(&mut self.output) => {}
            }
        }
    }

    fn hear(&mut self, report: Option<Report>) -> Option<Event> {
        if let Some(Report::Started { pid }) = report {
            self.journey.reach(Step::ProcessStarted);
            self.note_row(|row| row.pid = Some(pid));
            self.oom = OomWatch::begin(pid);
            self.weigh_at = Instant::now().checked_add(self.shared.config.probe_interval);
            self.shared.adapter.started(self.worker, pid);
            return None;
        }
        let in_own_group = matches!(report, Some(Report::Exited { oom_kill: true, .. }));
        self.oom_kill = in_own_group || self.oom.as_ref().is_some_and(OomWatch::has_struck);
        self.kind = ExitKind::of(report);
        Some(Event::ProcessGone)
    }

    pub(super) fn too_late(&mut self) -> Event {
        let timeout = self.shared.config.start_timeout;
        self.blame(Cause::NotReady, format!("not ready within {} ms", timeout.as_millis()));
        Event::StartFailed
    }

    fn started(&mut self, started: Result<A::Link, Failure>) -> Event {
        let link = match started {
            Ok(link) => link,
            Err(failure) => {
                self.blame(Cause::NotReady, failure.to_string());
                return Event::StartFailed;
            }
        };
        self.health = Some(watch_over(&self.shared, link.clone()));
        self.seated = Some(Arc::new(Seated {
            worker: self.worker,
            link,
            exit: self.exit.subscribe(),
            verdict: watch::Sender::new(None),
            idle: Notify::new(),
            recycle: Notify::new(),
            recycle_reason: OnceLock::new(),
        }));
        Event::BecameReady
    }

    fn ail(&mut self, illness: Illness) -> Event {
        match illness {
            Illness::LinkLost => Event::LinkLost,
            Illness::ProbeFailed(why) => {
                self.blame(Cause::Hung, why);
                Event::ProbeFailed
            }
        }
    }

    /// Remembers why, for the account of its end.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::DrainAsked => {
                let reason = self.recycle_reason();
                self.blame(Cause::Asked, reason.unwrap_or_else(|| "it is no longer wanted".into()));
            }
            Event::LeaveAsked => self.blame(Cause::Asked, "it had to leave".to_owned()),
            Event::RecycleAsked => {
                let reason = self.recycle_reason();
                self.blame(Cause::Forced, reason.unwrap_or_default());
            }
            Event::LinkLost => self.link_lost = true,
            Event::GraceOver if self.link_lost && self.state == WorkerState::Stopping => {
                self.blame(Cause::LinkBroken, "it broke its link and did not end".to_owned());
            }
            _ => {}
        }
    }

    fn recycle_reason(&self) -> Option<String> {
        self.seated.as_ref().and_then(|seated| seated.recycle_reason.get()).cloned()
    }

    /// The first verdict counts, unless a graver one follows. A worker whose link broke ends on its
    /// own account, whatever is asked of it afterwards.
    pub(super) fn blame(&mut self, cause: Cause, reason: String) {
        let grave = |cause| matches!(cause, Cause::Hung | Cause::Memory);
        let counts = match &self.verdict {
            Some(earlier) => grave(cause) && !grave(earlier.cause),
            None => !self.link_lost || grave(cause) || cause == Cause::LinkBroken,
        };
        if counts {
            self.verdict = Some(Verdict { cause, reason: Arc::from(reason) });
        }
    }
}

/// Drives a future that may be absent, and takes it away when it has resolved.
async fn finish<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(running) = future else { return std::future::pending().await };
    let output = running.as_mut().await;
    *future = None;
    output
}

pub(super) async fn obey(order: &mut watch::Receiver<Order>) -> Event {
    loop {
        if order.changed().await.is_err() {
            return std::future::pending().await;
        }
        match *order.borrow_and_update() {
            Order::Keep => {}
            Order::Drain => return Event::DrainAsked,
            Order::Leave => return Event::LeaveAsked,
        }
    }
}

async fn told<A: Adapter>(seated: Option<&Seated<A>>, which: fn(&Seated<A>) -> &Notify) {
    match seated {
        Some(seated) => which(seated).notified().await,
        None => std::future::pending().await,
    }
}
