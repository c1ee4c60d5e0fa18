//! Which tools there are, on the platform and in each session, and who is calling them.
//!
//! A session's own tool hides one of the platform with the same name. A name resolves only from a
//! call of that very session, so a tool can never be reached from elsewhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

use crate::core::nearest::suggestion;
use crate::core::{Deadline, Error, Result, Schema, SessionId, Status, Timers, Value};
use crate::telemetry::{Metrics, ToolMetrics};

use super::hooks::{HookedCaller, Hooks, ToolHooks};
use super::invocation::{Caller, Invocation, InvocationFacts};
use super::spec::{CheckedSpec, ToolSpec};

/// The host's side of a tool. Called on library threads: enqueue and return.
pub trait ToolSink: Send + Sync {
    fn call(&self, invocation: Arc<Invocation>);
    /// The call was cancelled; an answer is no longer wanted.
    fn cancel(&self, invocation: &Arc<Invocation>);
    /// A caller of this tool has taken so many chunks. Called under locks: must take none of a tool
    /// call's.
    fn credit(&self, _chunks: u32) {}
    /// Whether the host's own code is at a call of this tool right now, answered or not; `false`
    /// where that cannot be known.
    fn is_busy(&self) -> bool {
        false
    }
}

/// Tools that are not the host's. They are asked for where no host tool has the name.
pub trait ToolSource: Send + Sync {
    /// The tool of that name for one call of `session`; none if there is none.
    fn find(&self, session: &SessionId, name: &str) -> Option<(ToolSpec, Arc<dyn ToolSink>)>;
    /// All of them, described as `ToolRegistry::list` does.
    fn list(&self) -> Vec<serde_json::Value>;
}

/// All tools of a platform.
pub struct ToolRegistry {
    platform: RwLock<Tools>,
    sessions: RwLock<HashMap<SessionId, Tools>>,
    elsewhere: OnceLock<Arc<dyn ToolSource>>,
    hooks: RwLock<Hooks>,
    timers: Arc<Timers>,
    metrics: Arc<Metrics>,
    per_scope_max: usize,
    in_flight_max: usize,
}

type Tools = BTreeMap<String, Arc<ToolEntry>>;

/// One registered tool.
pub struct ToolEntry {
    spec: CheckedSpec,
    scope: Option<SessionId>,
    sink: Mutex<Option<Arc<dyn ToolSink>>>,
    calls: Mutex<FxHashMap<u64, Arc<Invocation>>>,
    next_call: AtomicU64,
    metrics: Arc<ToolMetrics>,
}

impl ToolRegistry {
    pub fn new(
        timers: Arc<Timers>,
        metrics: Arc<Metrics>,
        per_scope_max: usize,
        in_flight_max: usize,
    ) -> Self {
        ToolRegistry {
            platform: RwLock::default(),
            sessions: RwLock::default(),
            elsewhere: OnceLock::new(),
            hooks: RwLock::default(),
            timers,
            metrics,
            per_scope_max,
            in_flight_max,
        }
    }

    /// Says where tools are that are not the host's. The first one counts.
    pub fn set_elsewhere(&self, source: Arc<dyn ToolSource>) {
        // A platform has one, which its assembly sets.
        let _ = self.elsewhere.set(source);
    }

    /// Adds hooks behind those there are, for all calls that begin from now on.
    pub fn add_hooks(&self, hooks: Arc<dyn ToolHooks>) {
        self.hooks.write().add(hooks);
    }

    /// Adds a tool to `scope` (none: the platform). `AlreadyExists` for a name that the scope has.
    pub fn register(
        &self,
        scope: Option<SessionId>,
        spec: ToolSpec,
        sink: Arc<dyn ToolSink>,
    ) -> Result<Arc<ToolEntry>> {
        let entry = self.entry(scope.clone(), spec, sink)?;
        match scope {
            None => insert(&mut self.platform.write(), &entry, self.per_scope_max)?,
            Some(session) => {
                let mut sessions = self.sessions.write();
                insert(sessions.entry(session).or_default(), &entry, self.per_scope_max)?;
            }
        }
        Ok(entry)
    }

    /// Takes a tool away and cancels its running calls. Later calls of this do nothing.
    pub fn unregister(&self, entry: &Arc<ToolEntry>) {
        let is_same = |found: &Arc<ToolEntry>| Arc::ptr_eq(found, entry);
        match &entry.scope {
            None => {
                let mut tools = self.platform.write();
                if tools.get(entry.name()).is_some_and(is_same) {
                    tools.remove(entry.name());
                }
            }
            Some(session) => {
                let mut sessions = self.sessions.write();
                if let Some(tools) = sessions.get_mut(session) {
                    tools.retain(|_, found| !is_same(found));
                }
            }
        }
        entry.retire("was unregistered");
    }

    /// Takes away all tools of a session that closes.
    pub fn close_session(&self, session: &SessionId) {
        let tools = self.sessions.write().remove(session).unwrap_or_default();
        tools.values().for_each(|entry| entry.retire("belonged to a session that was closed"));
    }

    /// Takes away everything.
    pub fn close(&self) {
        let sessions = std::mem::take(&mut *self.sessions.write());
        let platform = std::mem::take(&mut *self.platform.write());
        let all = sessions.into_values().flatten().chain(platform);
        all.for_each(|(_, entry)| entry.retire("belonged to a platform that was closed"));
    }

    /// The host's tool that `name` means in a call of `session`, if there is one.
    pub fn of_host(&self, session: &SessionId, name: &str) -> Option<Arc<ToolEntry>> {
        if let Some(tools) = self.sessions.read().get(session)
            && let Some(entry) = tools.get(name)
        {
            return Some(entry.clone());
        }
        self.platform.read().get(name).cloned()
    }

    /// The tool that `name` means in a call of `session`: its own, the platform's, one that is not
    /// the host's, in this order.
    pub fn find(&self, session: &SessionId, name: &str) -> Result<Arc<ToolEntry>> {
        if let Some(entry) = self.of_host(session, name) {
            return Ok(entry);
        }
        let elsewhere = self.elsewhere.get().and_then(|source| source.find(session, name));
        match elsewhere {
            Some((spec, sink)) => self.entry(None, spec, sink),
            None => Err(self.unknown(session, name)),
        }
    }

    /// What to say of a name that means nothing in `session`.
    pub fn unknown(&self, session: &SessionId, name: &str) -> Error {
        let known = self.list(Some(session));
        let names = known.as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str());
        let hint = suggestion(name, names);
        let message = format!("no tool {name:?} in session {session}{hint}");
        Error::new(Status::NotFound, message).with("tool", name)
    }

    /// What calls of `session` can call, by name, the host's first; without a session, what all
    /// can.
    pub fn list(&self, session: Option<&SessionId>) -> serde_json::Value {
        let elsewhere = self.elsewhere.get().map(|source| source.list()).unwrap_or_default();
        self.visible(session).iter().map(|entry| entry.describe()).chain(elsewhere).collect()
    }

    /// Calls `name` for a call of `session`. Every failure reaches the caller as its answer.
    pub fn invoke(
        &self,
        session: &SessionId,
        name: &str,
        mut facts: InvocationFacts,
        arguments: Value,
        caller: Box<dyn Caller>,
        keep: impl FnOnce(&Arc<Invocation>),
    ) {
        let entry = match self.find(session, name) {
            Ok(entry) => entry,
            Err(error) => return caller.answer(Err(error)),
        };
        let own = entry.spec.timeout.map_or(Deadline::NEVER, Deadline::after);
        facts.deadline = facts.deadline.min(own);
        let hooks = self.hooks.read().clone();
        let (arguments, caller) = HookedCaller::begin(hooks, name, &facts, arguments, caller);
        match arguments.and_then(|given| entry.check(&given).map(|()| given)) {
            Ok(given) => entry.call(facts, given, caller, self.timers.clone(), keep),
            Err(error) => caller.answer(Err(error)),
        }
    }

    /// Every tool, of the platform and of all sessions.
    pub fn all(&self) -> Vec<Arc<ToolEntry>> {
        let platform: Vec<_> = self.platform.read().values().cloned().collect();
        let sessions = self.sessions.read();
        platform
            .into_iter()
            .chain(sessions.values().flat_map(|tools| tools.values().cloned()))
            .collect()
    }

    fn entry(
        &self,
        scope: Option<SessionId>,
        spec: ToolSpec,
        sink: Arc<dyn ToolSink>,
    ) -> Result<Arc<ToolEntry>> {
        let spec = spec.checked(self.in_flight_max)?;
        Ok(Arc::new(ToolEntry {
            metrics: self.metrics.tool(&spec.name),
            spec,
            scope,
            sink: Mutex::new(Some(sink)),
            calls: Mutex::default(),
            next_call: AtomicU64::new(1),
        }))
    }

    fn visible(&self, session: Option<&SessionId>) -> Vec<Arc<ToolEntry>> {
        let mut tools = self.platform.read().clone();
        if let Some(session) = session
            && let Some(own) = self.sessions.read().get(session)
        {
            tools.extend(own.iter().map(|(name, entry)| (name.clone(), entry.clone())));
        }
        tools.into_values().collect()
    }
}

impl ToolEntry {
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The session it belongs to, or none for the platform's.
    pub fn scope(&self) -> Option<&SessionId> {
        self.scope.as_ref()
    }

    /// Calls that the host has not answered.
    pub fn in_flight(&self) -> usize {
        self.calls.lock().len()
    }

    pub(super) fn output_schema(&self) -> Option<&Schema> {
        self.spec.output.as_ref()
    }

    pub(super) fn chunk_schema(&self) -> Option<&Schema> {
        self.spec.chunk.as_ref()
    }

    pub(super) fn is_idempotent(&self) -> bool {
        self.spec.idempotent
    }

    /// The host's side; none once the tool is gone.
    pub fn sink(&self) -> Option<Arc<dyn ToolSink>> {
        self.sink.lock().clone()
    }

    /// One of its calls has had its outcome.
    pub(super) fn ended(&self, number: u64, status: Status, duration: Duration) {
        self.metrics.ended(status, duration);
        self.calls.lock().remove(&number);
    }

    fn check(&self, arguments: &Value) -> Result<()> {
        let Some(schema) = &self.spec.input else { return Ok(()) };
        schema.check(arguments, &format!("argument of tool {:?}", self.name()))
    }

    fn call(
        self: &Arc<Self>,
        facts: InvocationFacts,
        arguments: Value,
        caller: Box<dyn Caller>,
        timers: Arc<Timers>,
        keep: impl FnOnce(&Arc<Invocation>),
    ) {
        if self.in_flight() >= self.spec.max_in_flight {
            let (name, max) = (self.name(), self.spec.max_in_flight);
            let message = format!("tool {name:?} has {max} calls that the host has not answered");
            let error = Error::new(Status::ResourceExhausted, message);
            return caller.answer(Err(error.with("tool", name).with("max_in_flight", max)));
        }
        let number = self.next_call.fetch_add(1, Ordering::Relaxed);
        let invocation = Invocation::open(number, self.clone(), facts, arguments, caller, timers);
        self.calls.lock().insert(invocation.number(), invocation.clone());
        keep(&invocation);
        match self.sink() {
            Some(sink) => sink.call(invocation),
            None => {
                let message = format!("tool {:?} was unregistered", self.name());
                invocation.cancel(Error::new(Status::NotFound, message));
            }
        }
    }

    fn retire(&self, why: &str) {
        let calls: Vec<_> = self.calls.lock().values().cloned().collect();
        let message = format!("tool {:?} {why}", self.name());
        for invocation in calls {
            invocation.cancel(Error::new(Status::Cancelled, message.clone()));
        }
        *self.sink.lock() = None;
    }

    fn describe(&self) -> serde_json::Value {
        let document = |schema: &Option<Schema>| {
            schema.as_ref().map_or(serde_json::Value::Null, |schema| schema.document().clone())
        };
        serde_json::json!({
            "name": self.spec.name,
            "description": self.spec.description,
            "side": "host",
            "pool": null,
            "scope": if self.scope.is_some() { "session" } else { "platform" },
            "input_schema": document(&self.spec.input),
            "output_schema": document(&self.spec.output),
            "chunk_schema": document(&self.spec.chunk),
            "streaming": null,
            "idempotent": self.spec.idempotent,
            "max_in_flight": self.spec.max_in_flight,
            "timeout_ms": self.spec.timeout.and_then(|time| u64::try_from(time.as_millis()).ok()),
        })
    }
}

fn insert(tools: &mut Tools, entry: &Arc<ToolEntry>, max: usize) -> Result<()> {
    if tools.len() >= max {
        let message = format!("the scope has {max} tools, which is the limit");
        return Err(Error::new(Status::ResourceExhausted, message).retryable(false));
    }
    if tools.contains_key(entry.name()) {
        let message = format!("tool {:?} is registered", entry.name());
        return Err(Error::new(Status::AlreadyExists, message).with("tool", entry.name()));
    }
    tools.insert(entry.name().to_owned(), entry.clone());
    Ok(())
}
