//! Hooks around tool calls: their order on the host's side and on Python's, and refusals.

use std::sync::Arc;

use serde_json::json;
use snakepit_bridge::api::{HookedCall, ToolHooks};
use snakepit_bridge::core::{Error, Result, Status, Value};

use super::super::support::{close, run, session};
use super::{Kept, call, document, from_python, host_tool, named, one_pool};

struct Watch(Kept<String>);

impl ToolHooks for Watch {
    fn before(&self, call: &HookedCall<'_>, arguments: &Value) -> Result<()> {
        let arguments = arguments.to_document()?;
        self.0.lock().push(format!("before {} {arguments}", call.tool));
        match arguments["forbidden"] == true {
            true => Err(Error::new(Status::Unsupported, "that is forbidden")),
            false => Ok(()),
        }
    }

    fn transform_arguments(&self, _: &HookedCall<'_>, arguments: Value) -> Result<Value> {
        let mut arguments = arguments.to_document()?;
        arguments["signed"] = json!(true);
        Ok(document(arguments))
    }

    fn transform_result(&self, _: &HookedCall<'_>, result: Value) -> Result<Value> {
        Ok(document(json!({"kept": result.to_document()?})))
    }

    fn after(&self, call: &HookedCall<'_>, outcome: &Result<Value>) {
        let told = outcome.as_ref().map_or_else(
            |error| error.message().to_owned(),
            |value| value.to_document().unwrap().to_string(),
        );
        self.0.lock().push(format!("after {} {told}", call.tool));
    }
}

#[test]
fn the_hosts_hooks_stand_around_its_tools_whoever_calls() {
    let platform = one_pool();
    let session = session(&platform);
    let seen: Kept<String> = Kept::default();
    platform.add_tool_hooks(Arc::new(Watch(seen.clone())));
    host_tool(&platform, named("host.echo"), |invocation| Some(Ok(invocation.arguments().clone())));
    for way in [call, from_python] {
        let answer = way(&session, "host.echo", json!({"a": 1})).unwrap();
        assert_eq!(answer, json!({"kept": {"a": 1, "signed": true}}));
        let told = std::mem::take(&mut *seen.lock());
        let after = "after host.echo {\"kept\":{\"a\":1,\"signed\":true}}";
        assert_eq!(told, ["before host.echo {\"a\":1}", after]);
        let error = way(&session, "host.echo", json!({"forbidden": true})).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported, "{error:?}");
        let told = std::mem::take(&mut *seen.lock());
        let expected =
            ["before host.echo {\"forbidden\":true}", "after host.echo that is forbidden"];
        assert_eq!(told, expected);
    }
    close(&platform);
}

#[test]
fn pythons_hooks_stand_around_pythons_tools() {
    let platform = one_pool();
    let session = session(&platform);
    for way in [call, from_python] {
        assert_eq!(way(&session, "hooked", json!({"text": "x"})).unwrap(), "a[b[b(a(x))]]");
        let seen = run(&session, "python", "take_seen", json!({})).unwrap();
        let expected = json!([
            "a before hooked {'text': 'x'}",
            "b before hooked {'text': 'a(x)'}",
            "b after b[b(a(x))] None",
            "a after a[b[b(a(x))]] None",
        ]);
        assert_eq!(seen, expected);
        let error = way(&session, "hooked", json!({"text": "refuse"})).unwrap_err();
        assert_eq!(error.status(), Status::PythonException, "{error:?}");
        assert!(error.message().contains("not today"), "{error:?}");
        let seen = run(&session, "python", "take_seen", json!({})).unwrap();
        let after = "a after None PermissionError('not today')";
        assert_eq!(seen, json!(["a before hooked {'text': 'refuse'}", after]));
    }
    close(&platform);
}
