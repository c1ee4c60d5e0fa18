//! What a host hangs around the calls of its tools, whoever calls and whatever the tool: `before`,
//! transform of the arguments, the call, transform of the result, `after`.
//!
//! Several hooks stand around each other, the one that was added first outermost. Neither schemas
//! nor the way of an answer are known here.

use std::sync::Arc;

use crate::core::{Result, Value};

use super::invocation::{Caller, InvocationFacts};

/// One layer around tool calls. Every method does nothing unless it is written. They run on library
/// threads, where a call is on its way: be quick, wait for nothing, do not panic.
pub trait ToolHooks: Send + Sync {
    /// The call begins. An error refuses it: the tool is not called, and the caller gets the error.
    fn before(&self, _call: &HookedCall<'_>, _arguments: &Value) -> Result<()> {
        Ok(())
    }

    /// What the tool gets in place of `arguments`; that is then held against its schema. An error
    /// refuses the call.
    fn transform_arguments(&self, _call: &HookedCall<'_>, arguments: Value) -> Result<Value> {
        Ok(arguments)
    }

    /// What the caller gets in place of `result`, which has kept the tool's schema. Not called for
    /// a failure.
    fn transform_result(&self, _call: &HookedCall<'_>, result: Value) -> Result<Value> {
        Ok(result)
    }

    /// The call has ended; called once for each `before`, also for one that refused.
    fn after(&self, _call: &HookedCall<'_>, _outcome: &Result<Value>) {}
}

/// Which call it is.
#[derive(Clone, Copy, Debug)]
pub struct HookedCall<'a> {
    pub tool: &'a str,
    pub facts: &'a InvocationFacts,
}

/// All layers, outermost first.
#[derive(Clone, Default)]
pub(super) struct Hooks(Arc<Vec<Arc<dyn ToolHooks>>>);

impl Hooks {
    /// Adds the innermost one.
    pub fn add(&mut self, hooks: Arc<dyn ToolHooks>) {
        Arc::make_mut(&mut self.0).push(hooks);
    }
}

/// A caller with the layers that its call has entered; its answer passes them on the way out.
pub(super) struct HookedCaller {
    caller: Box<dyn Caller>,
    hooks: Hooks,
    entered: usize,
    tool: String,
    facts: InvocationFacts,
}

impl HookedCaller {
    /// Enters the layers from the outermost. What comes back are the arguments as the innermost
    /// left them, or the refusal, and the caller to answer in either case.
    pub fn begin(
        hooks: Hooks,
        tool: &str,
        facts: &InvocationFacts,
        arguments: Value,
        caller: Box<dyn Caller>,
    ) -> (Result<Value>, Box<dyn Caller>) {
        if hooks.0.is_empty() {
            return (Ok(arguments), caller);
        }
        let call = HookedCall { tool, facts };
        let mut entered = 0;
        let mut given = Ok(arguments);
        for layer in hooks.0.iter() {
            let Ok(arguments) = given else { break };
            entered += 1;
            given = layer
                .before(&call, &arguments)
                .and_then(|()| layer.transform_arguments(&call, arguments));
        }
        let (tool, facts) = (tool.to_owned(), facts.clone());
        (given, Box::new(HookedCaller { caller, hooks, entered, tool, facts }))
    }
}

impl Caller for HookedCaller {
    fn chunk(&self, sequence: u64, value: Value) {
        self.caller.chunk(sequence, value);
    }

    fn answer(&self, outcome: Result<Value>) {
        let call = HookedCall { tool: &self.tool, facts: &self.facts };
        let mut outcome = outcome;
        for layer in self.hooks.0.iter().take(self.entered).rev() {
            outcome = outcome.and_then(|result| layer.transform_result(&call, result));
            layer.after(&call, &outcome);
        }
        self.caller.answer(outcome);
    }
}

#[cfg(test)]
mod tests;
