//! The order in which layers of hooks are entered and left, and what a refusal does to it.

use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::core::{Deadline, Error, Status};

type Seen = Arc<Mutex<Vec<String>>>;

struct Layer {
    name: &'static str,
    seen: Seen,
    refuses: bool,
}

impl ToolHooks for Layer {
    fn before(&self, call: &HookedCall<'_>, arguments: &Value) -> Result<()> {
        self.seen.lock().push(format!("{} before {} {}", self.name, call.tool, text(arguments)));
        if self.refuses {
            return Err(Error::new(Status::Unsupported, "not today"));
        }
        Ok(())
    }

    fn transform_arguments(&self, _: &HookedCall<'_>, arguments: Value) -> Result<Value> {
        Ok(Value::from_document(&json!(format!("{}({})", self.name, bare(&arguments)))))
    }

    fn transform_result(&self, _: &HookedCall<'_>, result: Value) -> Result<Value> {
        Ok(Value::from_document(&json!(format!("{}[{}]", self.name, bare(&result)))))
    }

    fn after(&self, _: &HookedCall<'_>, outcome: &Result<Value>) {
        let told = outcome.as_ref().map_or_else(|error| error.message().to_owned(), text);
        self.seen.lock().push(format!("{} after {told}", self.name));
    }
}

struct Asker(Seen);

impl Caller for Asker {
    fn chunk(&self, sequence: u64, value: Value) {
        self.0.lock().push(format!("chunk {sequence} {}", text(&value)));
    }

    fn answer(&self, outcome: Result<Value>) {
        let told = outcome.map_or_else(|error| error.message().to_owned(), |value| text(&value));
        self.0.lock().push(format!("answer {told}"));
    }
}

fn text(value: &Value) -> String {
    value.to_document().unwrap().to_string()
}

fn bare(value: &Value) -> String {
    value.to_document().unwrap().as_str().unwrap().to_owned()
}

fn begin(refuses: bool, seen: &Seen) -> (Result<Value>, Box<dyn Caller>) {
    let mut hooks = Hooks::default();
    hooks.add(Arc::new(Layer { name: "outer", seen: seen.clone(), refuses: false }));
    hooks.add(Arc::new(Layer { name: "inner", seen: seen.clone(), refuses }));
    hooks.add(Arc::new(Layer { name: "last", seen: seen.clone(), refuses: false }));
    let facts = InvocationFacts {
        session: "s".to_owned(),
        operation: 0,
        traceparent: String::new(),
        deadline: Deadline::NEVER,
        stream: true,
        depth: 0,
        within: None,
    };
    let arguments = Value::from_document(&json!("a"));
    HookedCaller::begin(hooks, "t", &facts, arguments, Box::new(Asker(seen.clone())))
}

#[test]
fn layers_stand_around_each_other() {
    let seen = Seen::default();
    let (arguments, caller) = begin(false, &seen);
    assert_eq!(bare(&arguments.unwrap()), "last(inner(outer(a)))");
    caller.chunk(0, Value::null());
    caller.answer(Ok(Value::from_document(&json!("r"))));
    let expected = [
        "outer before t \"a\"",
        "inner before t \"outer(a)\"",
        "last before t \"inner(outer(a))\"",
        "chunk 0 null",
        "last after \"last[r]\"",
        "inner after \"inner[last[r]]\"",
        "outer after \"outer[inner[last[r]]]\"",
        "answer \"outer[inner[last[r]]]\"",
    ];
    assert_eq!(*seen.lock(), expected);
}

#[test]
fn a_refusal_reaches_only_the_layers_that_were_entered() {
    let seen = Seen::default();
    let (arguments, caller) = begin(true, &seen);
    let refusal = arguments.unwrap_err();
    assert_eq!(refusal.status(), Status::Unsupported);
    caller.answer(Err(refusal));
    let expected = [
        "outer before t \"a\"",
        "inner before t \"outer(a)\"",
        "inner after not today",
        "outer after not today",
        "answer not today",
    ];
    assert_eq!(*seen.lock(), expected);
}
