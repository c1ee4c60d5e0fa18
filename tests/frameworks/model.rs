//! A language model in the host for DSPy's prompts: it reads which output fields the prompt asks
//! for and in which format (chat, JSON, XML), and asks a rule for the value of each.
//!
//! The rule sees the whole prompt, so a test decides what the model's answers depend on: an
//! instruction, a demonstration, an observation, the temperature.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use snakepit_bridge::api::{Invocation, Platform, ToolSpec};
use snakepit_bridge::core::Value;

use super::support::Tool;

/// One request, taken apart for a rule.
pub struct Prompt {
    /// The request as DSPy's engine sent it (docs/host_lm.md).
    pub request: Json,
    /// Fields, format and instructions.
    pub system: String,
    /// Everything behind it: demonstrations, history, inputs.
    pub conversation: String,
    /// The last message: the inputs of this very request.
    pub user: String,
    /// Name and type of each output field asked for, in order.
    pub outputs: Vec<(String, String)>,
}

/// The text of one output field; None: "unknown".
pub type Rule = dyn Fn(&Prompt, &str) -> Option<String> + Send + Sync;

/// What the model was asked so far.
pub type Seen = Arc<Mutex<Vec<Json>>>;

/// Registers the model as tool `name` for all sessions. It streams when it is asked to, in pieces
/// that end at blanks.
pub fn model<F>(platform: &Arc<Platform>, name: &str, rule: F) -> Seen
where
    F: Fn(&Prompt, &str) -> Option<String> + Send + Sync + 'static,
{
    let seen: Seen = Arc::default();
    let (log, rule) = (seen.clone(), Arc::new(rule));
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        let request = invocation.arguments().to_document().unwrap();
        log.lock().push(request.clone());
        let text = completion(&Prompt::of(request.clone()), &*rule);
        if request["stream"] == true {
            for piece in text.split_inclusive(' ') {
                invocation.emit(Value::from_document(&json!({"content": piece}))).unwrap();
            }
        }
        let usage = json!({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12});
        Some(Ok(Value::from_document(&json!({"content": text, "usage": usage}))))
    });
    // A model may be asked again: that is what lets an idempotent call go to a second worker.
    let spec = ToolSpec { name: name.to_owned(), idempotent: true, ..ToolSpec::default() };
    platform.register_tool(None, spec, Arc::new(sink)).unwrap();
    seen
}

/// The settings that name the model in a call.
pub fn lm() -> Json {
    json!({"kind": "host_tool", "tool": "lm"})
}

impl Prompt {
    pub fn of(request: Json) -> Prompt {
        let messages = request["messages"].as_array().cloned().unwrap_or_default();
        let texts: Vec<(String, String)> = messages.iter().map(text_of).collect();
        let of_role = |role: &str| {
            let found = texts.iter().find(|(each, _)| each == role);
            found.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        let system = of_role("system");
        let conversation: Vec<&str> = texts
            .iter()
            .filter(|(role, _)| role != "system")
            .map(|(_, text)| text.as_str())
            .collect();
        Prompt {
            outputs: outputs_of(&system),
            conversation: conversation.join("\n"),
            user: texts.last().map(|(_, text)| text.clone()).unwrap_or_default(),
            system,
            request,
        }
    }

    /// Whether instructions, demonstrations or inputs have that text, in any case.
    pub fn has(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        [&self.system, &self.conversation].iter().any(|part| part.to_lowercase().contains(&text))
    }
}

/// The whole answer, in the format that the prompt asks for.
pub fn completion(prompt: &Prompt, rule: &Rule) -> String {
    let value = |name: &str| rule(prompt, name).unwrap_or_else(|| "unknown".to_owned());
    let fields: Vec<(&str, String)> =
        prompt.outputs.iter().map(|(name, _)| (name.as_str(), value(name))).collect();
    let Some((first, _)) = fields.first() else { return value("") };
    let join = |parts: Vec<String>| parts.join("\n\n");
    if prompt.system.contains("[[ ## completed ## ]]") {
        let parts = fields.iter().map(|(name, text)| format!("[[ ## {name} ## ]]\n{text}"));
        return join(parts.chain(["[[ ## completed ## ]]".to_owned()]).collect());
    }
    if prompt.system.contains(&format!("<{first}>")) {
        return join(
            fields.iter().map(|(name, text)| format!("<{name}>\n{text}\n</{name}>")).collect(),
        );
    }
    let object: Map<String, Json> = fields
        .iter()
        .map(|(name, text)| {
            ((*name).to_owned(), serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
        })
        .collect();
    Json::Object(object).to_string()
}

fn text_of(message: &Json) -> (String, String) {
    let content = &message["content"];
    let parts = content.as_array().map(|parts| {
        parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("")
    });
    let text = parts.or_else(|| content.as_str().map(str::to_owned)).unwrap_or_default();
    (message["role"].as_str().unwrap_or_default().to_owned(), text)
}

/// The lines "1. `name` (type): description" behind "Your output fields are:".
fn outputs_of(system: &str) -> Vec<(String, String)> {
    let Some((_, listed)) = system.split_once("Your output fields are:\n") else {
        return Vec::new();
    };
    let numbered = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
    let field = |line: &str| {
        let mut parts = line.split('`');
        let name = parts.nth(1)?.to_owned();
        let kind = line.split_once('(')?.1.split_once(')')?.0.to_owned();
        Some((name, kind))
    };
    listed.lines().take_while(numbered).filter_map(field).collect()
}
