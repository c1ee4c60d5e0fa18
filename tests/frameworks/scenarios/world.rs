//! What the scenarios share: one platform for all of them, models under names of their own, and
//! what a rule reads from a prompt. Nothing here knows a scenario.

use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Platform, Session};
use snakepit_bridge::core::Value;
use snakepit_bridge::state::RegisterVariable;

use super::super::model::{Prompt, Seen, model};
use super::super::support::{self, session};

/// A session of its own on the platform of all scenarios, and a model that only it uses.
pub struct Stage {
    pub platform: &'static Arc<Platform>,
    pub session: Session,
    lm: String,
    pub seen: Seen,
}

impl Stage {
    /// `name` tells this scenario's model from the others'.
    pub fn new<F>(name: &str, rule: F) -> Stage
    where
        F: Fn(&Prompt, &str) -> Option<String> + Send + Sync + 'static,
    {
        let platform = &*PLATFORM;
        let lm = format!("{name}_lm");
        let seen = model(platform, &lm, rule);
        Stage { platform, session: session(platform), lm, seen }
    }

    /// The setting that names the scenario's model.
    pub fn lm(&self) -> Json {
        lm(&self.lm)
    }

    /// How often the model was asked.
    pub fn asked(&self) -> usize {
        self.seen.lock().len()
    }

    /// The outputs of an operation of `dspy`, which is to succeed; `lm` is put in.
    pub fn ask(&self, operation: &str, parameters: Json) -> Json {
        self.whole(operation, parameters)["outputs"].take()
    }

    /// The whole result.
    pub fn whole(&self, operation: &str, mut parameters: Json) -> Json {
        parameters["lm"] = self.lm();
        self.bare(operation, parameters)
    }

    /// The same for an operation that takes no language model.
    pub fn bare(&self, operation: &str, parameters: Json) -> Json {
        support::run(&self.session, "dspy", operation, parameters).unwrap()
    }
}

/// Keeps a program in a variable of the session.
pub fn store(session: &Session, name: &str, program: &Json) {
    register(session, name, "program", program);
}

/// Makes a variable of the session.
pub fn register(session: &Session, name: &str, type_name: &str, value: &Json) {
    let variable = RegisterVariable {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        initial: Value::from_document(value),
        constraints: None,
        metadata: None,
    };
    session.register_variable(variable).unwrap();
}

/// The setting that names a model of this host.
pub fn lm(tool: &str) -> Json {
    json!({"kind": "host_tool", "tool": tool})
}

/// The value of an input field of this very request, as the chat format writes it.
pub fn input<'a>(prompt: &'a Prompt, field: &str) -> &'a str {
    let Some((_, rest)) = prompt.user.split_once(&format!("[[ ## {field} ## ]]\n")) else {
        return "";
    };
    let next = rest.find("\n\n[[ ## ");
    let last = rest.find("\n\nRespond with the corresponding output fields");
    let end = next.into_iter().chain(last).min().unwrap_or(rest.len());
    &rest[..end]
}

/// Two workers with DSPy and the functions of the scenarios. It is open as long as the program
/// runs: its workers go with it.
static PLATFORM: LazyLock<Arc<Platform>> = LazyLock::new(|| {
    let frameworks = json!({
        "dspy": {"modules": ["spb_research"]},
        "python": {"modules": ["spb_scenarios"]},
    });
    support::platform(2, &frameworks)
});
