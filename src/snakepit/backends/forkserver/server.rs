//! The backend as the pool sees it: hands each start to the template's keeper.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::super::super::adapter::OutputStream;
use super::super::super::backend::Backend;
use super::super::super::config::PoolConfig;
use super::super::super::error::Failure;
use super::super::super::ids::WorkerId;
use super::super::super::os::GuardProcess;
use super::super::super::spec::ProcessSpec;
use super::keeper::{Ask, Job, keep};

/// How a template is started and kept.
pub struct TemplateConfig {
    /// The pool's. Its time for a start counts for the template, and for each answer of it; so do
    /// its rests and its kill grace.
    pub pool: PoolConfig,
    /// The guard program, for the template and for its workers; an absolute path.
    pub guard: PathBuf,
    /// The template. Its descriptor 4 is the socket to the host; its handoff holds no secret of any
    /// worker.
    pub spec: ProcessSpec,
    /// Is given the lines that it prints.
    pub output: LineSink,
}

/// Takes one line, without its line feed.
pub type LineSink = Box<dyn Fn(OutputStream, &str) + Send + Sync>;

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
