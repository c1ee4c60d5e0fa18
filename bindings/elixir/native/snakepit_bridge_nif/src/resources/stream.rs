//! Streams: a queue of their own that is read on demand, so that a slow reader holds Python back;
//! and subscriptions to the log, which need none. Must not know how events look as terms.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustler::{Env, LocalPid, Monitor, Resource, ResourceArc, Term};

use crate::address::Address;
use crate::ffi::{Operation, Outcome, Queue, Watch};
use crate::home::Home;

use super::platform::PlatformResource;
use super::watched::Watched;

pub struct StreamResource {
    pub tag: u64,
    pub address: Mutex<Option<Address>>,
    pub watched: Watched,
    /// None of a log's, whose records come through the platform's queue.
    pub queue: Option<Queue>,
    source: OnceLock<Source>,
    is_abandoned: AtomicBool,
    is_over: AtomicBool,
    pub home: Arc<Home>,
    /// A stream that is read keeps its platform open; a log does not.
    _platform: Option<ResourceArc<PlatformResource>>,
}

/// What the events come from.
pub enum Source {
    Call(Operation),
    Variables(Watch),
    Log(Watch),
}

#[rustler::resource_impl]
impl Resource for StreamResource {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.abandon();
    }
}

impl StreamResource {
    /// Begins a stream for a process, from what `begin` does with its queue.
    pub fn begin(
        env: Env,
        platform: &ResourceArc<PlatformResource>,
        to: (LocalPid, Term),
        begin: impl FnOnce(&Queue, u64) -> Outcome<Source>,
    ) -> Outcome<ResourceArc<StreamResource>> {
        let queue = Queue::new(&platform.handle)?;
        let stream = StreamResource::new(platform, to, Some(queue));
        let is_alive = stream.watched.begin(&stream, env, &to.0);
        let begun = match &stream.queue {
            Some(queue) => begin(queue, stream.tag),
            None => begin(&platform.home.queue, stream.tag),
        };
        match begun {
            Ok(source) => {
                stream.is_begun(source, is_alive);
                Ok(stream)
            }
            Err(failure) => {
                stream.watched.end(&stream, Some(env));
                Err(failure)
            }
        }
    }

    /// One that waits to be begun: see `is_begun`.
    pub fn new(
        platform: &ResourceArc<PlatformResource>,
        to: (LocalPid, Term),
        queue: Option<Queue>,
    ) -> ResourceArc<StreamResource> {
        ResourceArc::new(StreamResource {
            tag: platform.home.tag(),
            address: Mutex::new(Some(Address::new(to.0, to.1, &platform.home.environments))),
            watched: Watched::default(),
            _platform: queue.is_some().then(|| platform.clone()),
            queue,
            source: OnceLock::new(),
            is_abandoned: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            home: platform.home.clone(),
        })
    }

    pub fn is_begun(&self, source: Source, is_alive: bool) {
        let _ = self.source.set(source);
        if !is_alive || self.is_abandoned.load(Ordering::SeqCst) {
            self.abandon();
        }
    }

    /// The last event has been read: nobody's death counts any more.
    pub fn end(stream: &ResourceArc<Self>, env: Env) {
        stream.is_over.store(true, Ordering::SeqCst);
        stream.watched.end(stream, Some(env));
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Ends what the events come from; their end still comes.
    pub fn cancel(&self) -> Outcome<()> {
        match self.source.get() {
            Some(Source::Call(operation)) => operation.cancel(),
            Some(Source::Variables(watch)) => watch.stop(),
            Some(Source::Log(watch)) => {
                let stopped = watch.stop();
                drop(self.home.leave(self.tag));
                stopped
            }
            None => Ok(()),
        }
    }

    fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::SeqCst);
        // What has ended needs no cancelling.
        let _ = self.cancel();
    }
}

impl Drop for StreamResource {
    fn drop(&mut self) {
        // Nobody can read it any more, and Python must not wait for a reader.
        if let Some(Source::Call(operation)) = self.source.get() {
            let _ = operation.cancel();
        }
    }
}
