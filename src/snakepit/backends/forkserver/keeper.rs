//! Keeps the template: starts it when a worker is wanted, again after it has ended and a rest, and
//! ends it with the pool.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::super::backoff::Backoff;
use super::super::super::error::Failure;
use super::super::super::os::GuardProcess;
use super::server::TemplateConfig;
use super::template::Template;

/// What is asked of the keeper.
pub enum Ask {
    Fork(Job),
    /// End the template; dropped or answered when that is done.
    Close(oneshot::Sender<()>),
}

/// One worker to fork. Nobody listens any more if the start was given up.
pub struct Job {
    /// For the guard's command line.
    pub labels: [String; 2],
    pub done: oneshot::Sender<Result<GuardProcess, Failure>>,
}

/// Runs until it is told to close, or nobody is left to tell it.
pub async fn keep(config: Arc<TemplateConfig>, mut asked: mpsc::Receiver<Ask>) {
    let mut backoff =
        Backoff::new(config.pool.restart_backoff_min, config.pool.restart_backoff_max);
    let mut rest_until = Instant::now();
    let mut jobs = Vec::new();
    loop {
        if let Err(closing) = gather(&mut jobs, rest_until, &mut asked).await {
            drop(closing);
            return;
        }
        let outcome = match Template::launch(&config, std::mem::take(&mut jobs)) {
            Ok(template) => serve(template, &mut asked).await,
            Err((failure, jobs)) => {
                refuse(jobs, &failure);
                Outcome::Failed { served: Duration::ZERO }
            }
        };
        match outcome {
            Outcome::Closed => return,
            Outcome::Failed { served } if served >= config.pool.restart_window => backoff.reset(),
            Outcome::Failed { .. } => {}
        }
        // One template per pool: there is nothing to spread.
        rest_until = Instant::now() + backoff.after_failure(0.0);
    }
}

/// How a template's time ended.
enum Outcome {
    Closed,
    Failed { served: Duration },
}

/// Waits until there is somebody to fork for and the rest is over. An error is the wish to close.
async fn gather(
    jobs: &mut Vec<Job>,
    rest_until: Instant,
    asked: &mut mpsc::Receiver<Ask>,
) -> Result<(), Option<oneshot::Sender<()>>> {
    loop {
        jobs.retain(|job: &Job| !job.done.is_closed());
        let wanted = !jobs.is_empty();
        tokio::select! {
            biased;
            ask = asked.recv() => match ask {
                Some(Ask::Fork(job)) => jobs.push(job),
                Some(Ask::Close(done)) => return Err(Some(done)),
                None => return Err(None),
            },
            () = tokio::time::sleep_until(rest_until), if wanted => return Ok(()),
        }
    }
}

/// From a template's launch to its end.
async fn serve(mut template: Template, asked: &mut mpsc::Receiver<Ask>) -> Outcome {
    loop {
        tokio::select! {
            biased;
            ask = asked.recv() => match ask {
                Some(Ask::Fork(job)) => template.fork(job),
                Some(Ask::Close(done)) => {
                    template.end(None).await;
                    // Nobody may wait for it any more.
                    let _ = done.send(());
                    return Outcome::Closed;
                }
                None => return Outcome::Closed,
            },
            over = template.work() => {
                let served = template.served();
                let (failure, unserved) = template.end(Some(over)).await;
                refuse(unserved, &failure);
                return Outcome::Failed { served };
            }
        }
    }
}

fn refuse(jobs: Vec<Job>, failure: &Failure) {
    for job in jobs {
        // One whose start was given up needs no answer.
        let _ = job.done.send(Err(failure.clone()));
    }
}
