//! The backend as the pool sees it: hands each start to the template's keeper.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::super::super::adapter::OutputStream;
use super::super::super::backend::Backend;
use super::super::super::error::Failure;
use super::super::super::ids::WorkerId;
use super::super::super::os::GuardProcess;
use super::super::super::registry::Instance;
use super::super::super::spec::ProcessSpec;
use super::keeper::{Ask, Job, keep};

/// How a template is started and kept.
pub struct TemplateConfig {
    /// The pool's.
    pub name: String,
    /// In whose directory its guard is noted.
    pub instance: Arc<Instance>,
    /// The guard program, for the template and for its workers; an absolute path.
    pub guard: PathBuf,
    /// The template. Its descriptor 4 is the socket to the host; its handoff holds no secret of any
    /// worker.
    pub spec: ProcessSpec,
    /// From its start to readiness, and for each answer.
    pub start_timeout: Duration,
    /// Before it is started again after a failure; the rest doubles in between.
    pub restart_backoff_min: Duration,
    pub restart_backoff_max: Duration,
    /// How long it has to have served for earlier failures to be forgotten.
    pub restart_window: Duration,
    /// For its end, once it was told to.
    pub kill_grace: Duration,
    pub stderr_tail_bytes: usize,
    pub output_line_bytes_max: usize,
    /// Is given the lines that it prints.
    pub output: Box<dyn Fn(OutputStream, &str) + Send + Sync>,
}

/// Forks each worker from a template, which is started when the first is wanted.
pub struct Forkserver {
    keeper: mpsc::Sender<Ask>,
}

impl Forkserver {
    /// The template's keeper runs on `runtime`; it ends, and the template with it, when this is
    /// dropped.
    pub fn new(config: TemplateConfig, runtime: &Handle) -> Forkserver {
        let (keeper, asked) = mpsc::channel(ASKS_MAX);
        runtime.spawn(keep(Arc::new(config), asked));
        Forkserver { keeper }
    }
}

impl Backend for Forkserver {
    fn name(&self) -> &'static str {
        "forkserver"
    }

    fn spawn<'a>(
        &'a self,
        pool: &'a str,
        worker: WorkerId,
        _: &'a ProcessSpec,
    ) -> BoxFuture<'a, Result<GuardProcess, Failure>> {
        let gone = || Failure::new("the template's keeper has ended");
        let spawned = async move {
            let (done, answer) = oneshot::channel();
            let job = Job { labels: [pool.to_owned(), worker.to_string()], done };
            self.keeper.send(Ask::Fork(job)).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        spawned.boxed()
    }

    fn clear(&self, _: WorkerId) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let closed = async {
            let (done, answer) = oneshot::channel();
            if self.keeper.send(Ask::Close(done)).await.is_ok() {
                // Dropped with the keeper, if not answered.
                let _ = answer.await;
            }
        };
        closed.boxed()
    }
}

/// Starts that wait to be heard by the keeper; it hears them at once.
const ASKS_MAX: usize = 64;
