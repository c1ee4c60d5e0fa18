//! The served endpoint's handler: calls from outside become the same operations as a host's own.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::core::{Error, Result, Status, Value};
use crate::operations::{Operation, TakeOutcome, Timeout};
use crate::telemetry::TraceContext;
use crate::tools::{Caller, InvocationFacts};
use crate::transport::{EndpointHandler, FrameworkAsk, HostToolAsk};

use super::execute::ExecuteRequest;
use super::platform::Platform;
use super::session::{Session, SessionOptions};

/// Carries out what clients of the endpoint ask. It does not keep the platform alive.
pub(super) struct Handler {
    pub platform: Weak<Platform>,
}

impl EndpointHandler for Handler {
    fn framework(&self, ask: FrameworkAsk) -> BoxFuture<'static, Result<Value>> {
        let platform = self.platform.clone();
        async move {
            let session = session_of(&platform, &ask.session).await?;
            let request = ExecuteRequest {
                framework: ask.framework,
                operation: ask.operation,
                parameters: Some(ask.parameters),
                pool: ask.pool,
                timeout: timeout_of(ask.deadline_ms),
                traceparent: (!ask.traceparent.is_empty()).then_some(ask.traceparent),
                ..ExecuteRequest::default()
            };
            run(session.prepare(request)?).await
        }
        .boxed()
    }

    fn tool(&self, ask: HostToolAsk) -> BoxFuture<'static, Result<Value>> {
        let platform = self.platform.clone();
        async move {
            let session = session_of(&platform, &ask.session).await?;
            let (answered, answer) = oneshot::channel();
            let default = session.platform.config.operations.timeout;
            let facts = InvocationFacts {
                session: session.id().to_string(),
                operation: 0,
                traceparent: TraceContext::parse(&ask.traceparent)
                    .map_or_else(TraceContext::root, |above| above.child())
                    .to_string(),
                deadline: timeout_of(ask.deadline_ms).deadline(default),
                stream: false,
                depth: 0,
                within: None,
            };
            let caller =
                Box::new(ClientCaller { answered: parking_lot::Mutex::new(Some(answered)) });
            let tools = &session.platform.services.tools;
            tools.invoke(session.id(), &ask.tool, facts, ask.arguments, caller, |_| {});
            answer.await.map_err(|_| Error::new(Status::Closed, "the platform was closed"))?
        }
        .boxed()
    }
}

/// The open session of that name; as the original contract has it, an unknown one is opened. That
/// is done to its end even if the client goes away.
async fn session_of(platform: &Weak<Platform>, id: &str) -> Result<Session> {
    let gone = || Error::new(Status::Closed, "the platform is closed");
    let platform = platform.upgrade().ok_or_else(gone)?;
    let (runtime, id) = (platform.handle.clone(), id.to_owned());
    runtime.spawn(async move { found_or_opened(&platform, &id).await }).await.map_err(|_| gone())?
}

async fn found_or_opened(platform: &Arc<Platform>, id: &str) -> Result<Session> {
    match platform.find_session(id).await {
        Err(error) if error.status() == Status::NotFound => {}
        found => return found,
    }
    let options = SessionOptions { id: Some(id.to_owned()), ..SessionOptions::default() };
    match platform.begin_session(options, Vec::new()).await {
        Err(error) if error.status() == Status::AlreadyExists => platform.find_session(id).await,
        opened => opened,
    }
}

fn timeout_of(deadline_ms: u64) -> Timeout {
    match deadline_ms {
        0 => Timeout::Default,
        ms => Timeout::After(Duration::from_millis(ms)),
    }
}

/// Runs an operation to its end; a client that goes away cancels it.
async fn run(operation: Arc<Operation>) -> Result<Value> {
    let cancel = CancelOnDrop(operation.clone());
    operation.start(None);
    operation.done().await;
    drop(cancel);
    match operation.take_outcome() {
        TakeOutcome::Outcome(outcome) => outcome,
        TakeOutcome::Running | TakeOutcome::Taken => {
            Err(Error::new(Status::Internal, "the outcome was taken by somebody else"))
        }
    }
}

struct CancelOnDrop(Arc<Operation>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

struct ClientCaller {
    answered: parking_lot::Mutex<Option<oneshot::Sender<Result<Value>>>>,
}

impl Caller for ClientCaller {
    fn chunk(&self, _: u64, _: Value) {}

    fn answer(&self, outcome: Result<Value>) {
        if let Some(answered) = self.answered.lock().take() {
            // The client may be gone, and then nobody wants it.
            let _ = answered.send(outcome);
        }
    }
}
