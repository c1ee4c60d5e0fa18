//! LangChain and LangGraph in real workers, with this host as their chat model and their tools:
//! pipelines, agents, graphs, and threads that outlive the worker that began them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ChunkOutcome, ExecuteRequest, Invocation, Platform, RegisterVariable, Session, Timeout,
    ToolSpec,
};
use snakepit_bridge::core::{Error, Result, Status, Value};

use super::support::{
    LONG, Tool, chunks, close, config, eventually, finish, outcome, request, run, session,
    start_stream,
};

#[test]
fn pipelines_run_whole_and_streamed_and_fail_by_name() {
    let platform = open(1);
    whole_in_batches_and_token_by_token(&room(&platform));
    events_in_the_order_in_which_things_happen(&room(&platform));
    what_goes_wrong_is_typed_and_the_worker_goes_on(&room(&platform));
    close(&platform);
}

#[test]
fn agents_use_host_tools_and_end_with_their_reader() {
    let platform = open(1);
    tools_forms_and_failures(&room(&platform));
    an_abandoned_stream_ends_its_model(&room(&platform));
    many_plain_nodes_wait_at_once(&room(&platform));
    close(&platform);
}

fn whole_in_batches_and_token_by_token((platform, session): &Room) {
    let seen = model(platform, session, rules);
    let parameters = json!({"pipeline": say(), "input": {"question": "a b"}, "lm": lm()});
    let result = run(session, "langchain", "invoke", parameters.clone()).unwrap();
    assert_eq!(result["output"], "you said a b");
    assert_eq!((&result["lm_calls"], &result["usage"]["total_tokens"]), (&json!(1), &json!(7)));

    let stream = start_stream(session, "langchain", "invoke", &parameters);
    let texts: Vec<Json> = chunks(&stream).iter().map(|chunk| chunk["text"].clone()).collect();
    assert_eq!(texts, ["you ", "said ", "a ", "b"]);
    let streamed = outcome(&stream).unwrap().to_document().unwrap();
    assert_eq!(streamed, result);
    assert_eq!(seen.lock().iter().filter(|asked| asked["stream"] == true).count(), 1);

    let inputs: Vec<Json> = (0..40).map(|number| json!({"question": number})).collect();
    let batch = json!({"pipeline": say(), "inputs": inputs, "lm": lm(), "max_concurrency": 8});
    let result = run(session, "langchain", "batch", batch).unwrap();
    let expected: Vec<Json> =
        (0..40).map(|number| json!({"output": format!("you said {number}")})).collect();
    assert_eq!((&result["results"], &result["failed"]), (&json!(expected), &json!(0)));

    let stored = RegisterVariable {
        name: "say".to_owned(),
        type_name: "program".to_owned(),
        initial: Value::from_document(&say()),
        constraints: None,
        metadata: None,
    };
    session.register_variable(stored).unwrap();
    let stored = json!({"pipeline": "say", "input": "x", "lm": lm()});
    let result = run(session, "langchain", "invoke", stored).unwrap();
    assert_eq!(result["pipeline"], json!({"variable": "say", "version": 1}));
}

fn events_in_the_order_in_which_things_happen((platform, session): &Room) {
    model(platform, session, rules);
    let parameters = json!({"pipeline": say(), "input": {"question": "a"}, "lm": lm()});
    let stream = start_stream(session, "langchain", "events", &parameters);
    let mut names: Vec<String> = Vec::new();
    for chunk in chunks(&stream) {
        let name = format!("{} {}", chunk["event"].as_str().unwrap(), chunk["name"]);
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    let place = |event: &str| names.iter().position(|name| name.starts_with(event)).unwrap();
    assert_eq!(names.first().unwrap(), "on_chain_start \"RunnableSequence\"");
    assert_eq!(names.last().unwrap(), "on_chain_end \"RunnableSequence\"");
    let order = [
        place("on_prompt_start"),
        place("on_prompt_end"),
        place("on_chat_model_start"),
        place("on_chat_model_stream"),
        place("on_chat_model_end"),
        place("on_parser_end"),
    ];
    assert!(order.is_sorted(), "{order:?} of {names:?}");
    let result = outcome(&stream).unwrap().to_document().unwrap();
    assert_eq!(result["output"], "you said a");
}

fn tools_forms_and_failures((platform, session): &Room) {
    let seen = model(platform, session, rules);
    weather(platform, session);
    let agent = json!({"tools": ["weather"], "system_prompt": "Be brief."});
    let parameters = json!({"agent": agent, "input": "Bern", "lm": lm()});
    let stream = start_stream(session, "langchain", "agent", &parameters);
    let shown = chunks(&stream);
    let nodes: Vec<&Json> =
        shown.iter().filter(|chunk| chunk["type"] == "update").map(|each| &each["node"]).collect();
    assert_eq!(nodes, ["model", "tools", "model"]);
    let tokens: String = shown
        .iter()
        .filter(|chunk| chunk["type"] == "token")
        .map(|each| each["text"].as_str().unwrap())
        .collect();
    let result = outcome(&stream).unwrap().to_document().unwrap();
    assert_eq!(result["output"], r#"it says {"sky":"clear"}"#);
    assert_eq!(tokens, result["output"].as_str().unwrap());
    let asked = seen.lock().first().cloned().unwrap();
    assert_eq!(asked["messages"][0]["content"], "Be brief.");
    assert_eq!(asked["tools"][0]["function"]["parameters"]["required"], json!(["city"]));

    let elsewhere = json!({"agent": agent, "input": "Rome", "lm": lm()});
    let result = run(session, "langchain", "agent", elsewhere).unwrap();
    assert_eq!(result["output"], "it says TOOL_FAILED: no such city");

    let schema = json!({"type": "object", "properties": {"sky": {"type": "string"}},
                        "required": ["sky"], "additionalProperties": false});
    let formed = json!({"tools": ["weather"], "response_schema": schema});
    let parameters = json!({"agent": formed, "input": "Bern", "lm": lm()});
    let result = run(session, "langchain", "agent", parameters).unwrap();
    assert_eq!(result["structured"], json!({"sky": "clear"}));
}

#[test]
fn a_thread_goes_on_in_another_worker_after_the_first_was_killed() {
    let platform = open(2);
    let session = session(&platform);
    let seen = model(&platform, &session, rules);
    let notes = notes(&platform, &session);
    let killed = Arc::new(Mutex::new(None::<i64>));
    let first = killed.clone();
    answers(&platform, &session, "doom", json!({"type": "object"}), move |arguments| {
        let pid = arguments["pid"].as_i64().unwrap();
        let mut killed = first.lock();
        if killed.is_none() {
            *killed = Some(pid);
            kill(pid);
        }
        Ok(json!("spared"))
    });
    let begin = json!({"graph": "doomed", "thread": "t 1", "input": {"question": "sky"}});
    let error = run(&session, "langchain", "graph_invoke", begin).unwrap_err();
    assert_eq!(error.status(), Status::WorkerLost, "{error}");

    let at = json!({"graph": "doomed", "thread": "t 1"});
    let state = run(&session, "langchain", "graph_state", at).unwrap();
    assert_eq!(state["next"], json!(["doom"]));
    let on = json!({"graph": "doomed", "thread": "t 1", "input": null});
    let result = run(&session, "langchain", "graph_invoke", on).unwrap();
    let output = &result["output"];
    assert_eq!(output["steps"], json!(["begin", "doom"]));
    assert_eq!(output["place"], json!({"name": "Bern"}));
    let pids: Vec<i64> =
        output["pids"].as_array().unwrap().iter().map(|pid| pid.as_i64().unwrap()).collect();
    assert_eq!(Some(*pids.first().unwrap()), *killed.lock());
    assert_ne!(pids.first(), pids.last());
    assert_eq!(*notes.lock(), 1, "what was done before is not done again");

    // An agent of a module's own, too: the worker is killed while the agent uses a tool.
    *killed.lock() = None;
    let messages = json!({"messages": [{"role": "user", "content": "where?"}]});
    let chat = |input: Json| json!({"graph": "chat", "thread": "chat", "input": input});
    let error = run(&session, "langchain", "graph_invoke", chat(messages)).unwrap_err();
    assert_eq!(error.status(), Status::WorkerLost, "{error}");
    let result = run(&session, "langchain", "graph_invoke", chat(Json::Null)).unwrap();
    let messages = result["output"]["messages"].as_array().unwrap();
    let roles: Vec<&Json> = messages.iter().map(|each| &each["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    assert_eq!(messages.last().unwrap()["content"], "it says spared");
    assert_eq!(seen.lock().len(), 2, "the model is not asked again for what it has answered");
    close(&platform);
}

#[test]
fn a_graph_waits_for_an_answer_and_its_thread_can_be_read_and_deleted() {
    let platform = open(2);
    let session = session(&platform);
    model(&platform, &session, rules);
    notes(&platform, &session);
    let at = json!({"graph": "survey", "thread": "t"});
    let mut begin = at.clone();
    begin["input"] = json!({"question": "sky"});
    let first = run(&session, "langchain", "graph_invoke", begin).unwrap();
    assert_eq!(first["interrupts"][0]["value"], json!({"ask": "which sky?"}));
    let mut answer = at.clone();
    answer["value"] = json!("the blue");
    answer["modes"] = json!(["messages"]);
    let stream = start_stream(&session, "langchain", "graph_resume", &answer);
    let texts: Vec<Json> = chunks(&stream).iter().map(|chunk| chunk["text"].clone()).collect();
    assert_eq!(texts, ["you ", "said ", "Bern: ", "the ", "blue"]);
    let result = outcome(&stream).unwrap().to_document().unwrap();
    assert_eq!(result["output"]["answer"], "you said Bern: the blue");

    let history = run(&session, "langchain", "graph_history", at.clone()).unwrap();
    let next: Vec<&Json> =
        history["states"].as_array().unwrap().iter().map(|state| &state["next"]).collect();
    assert_eq!(json!(next), json!([[], ["answer"], ["ask"], ["begin"], ["__start__"]]));
    let mut again = at;
    again["value"] = json!("more");
    let error = run(&session, "langchain", "graph_resume", again).unwrap_err();
    assert_eq!(error.status(), Status::State, "{error}");

    let threads = run(&session, "langchain", "threads", json!({})).unwrap();
    assert_eq!(threads["threads"][0]["checkpoints"], 5);
    run(&session, "langchain", "delete_thread", json!({"thread": "t"})).unwrap();
    let threads = run(&session, "langchain", "threads", json!({})).unwrap();
    assert_eq!(threads, json!({"threads": []}));
    close(&platform);
}

/// Plain nodes block their threads while they wait for the host; none is short of one.
fn many_plain_nodes_wait_at_once((platform, session): &Room) {
    const CALLS: usize = 40;
    let waiting = Arc::new(Mutex::new(Vec::<Arc<Invocation>>::new()));
    let held = waiting.clone();
    let spec = ToolSpec { name: "note".to_owned(), ..ToolSpec::default() };
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        held.lock().push(invocation.clone());
        None
    });
    platform.register_tool(Some(session), spec, Arc::new(sink)).unwrap();
    answers(platform, session, "doom", json!({"type": "object"}), |_| Ok(json!("spared")));
    let parameters = json!({"graph": "doomed", "input": {"question": "x"}});
    let operations: Vec<_> = (0..CALLS)
        .map(|_| {
            let request = request("langchain", "graph_invoke", &parameters);
            let operation = session.prepare(request).unwrap();
            operation.start(None);
            operation
        })
        .collect();
    eventually("all wait at once", || waiting.lock().len() == CALLS);
    for invocation in waiting.lock().drain(..) {
        invocation.complete(Value::from_document(&json!(null))).unwrap();
    }
    for operation in operations {
        let result = outcome(&operation).unwrap().to_document().unwrap();
        assert_eq!(result["output"]["steps"], json!(["begin", "doom"]));
    }
}

fn what_goes_wrong_is_typed_and_the_worker_goes_on((platform, session): &Room) {
    let silent = Arc::new(Mutex::new(Vec::<Arc<Invocation>>::new()));
    model(platform, session, rules);
    weather(platform, session);
    let held = silent.clone();
    let spec = ToolSpec { name: "silent".to_owned(), ..ToolSpec::default() };
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        held.lock().push(invocation.clone());
        None
    });
    platform.register_tool(Some(session), spec, Arc::new(sink)).unwrap();

    let steps = json!([{"kind": "prompt", "template": "{a}"}, {"kind": "modl"}]);
    let bad = json!({"pipeline": {"kind": "sequence", "steps": steps}, "input": {}, "lm": lm()});
    let error = run(session, "langchain", "invoke", bad).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.message().starts_with("pipeline.steps[1].kind 'modl', expected"), "{error}");

    let tool = |name: &str| json!({"kind": "tool", "tool": name, "timeout_ms": 100});
    let failing = json!({"pipeline": tool("weather"), "input": {"city": "Rome"}});
    let error = run(session, "langchain", "invoke", failing).unwrap_err();
    assert_eq!((error.status(), error.message()), (Status::ToolFailed, "no such city"));

    let never = json!({"pipeline": tool("silent"), "input": {}});
    let error = run(session, "langchain", "invoke", never).unwrap_err();
    assert_eq!(error.status(), Status::Deadline);
    eventually("the tool is told", || silent.lock().iter().all(|each| each.is_cancelled()));

    // The deadline of the whole call ends an agent that waits for the tool; it is not told of it.
    let agent = json!({"agent": {"tools": ["silent"]}, "input": "x", "lm": lm()});
    let late = ExecuteRequest {
        timeout: Timeout::After(Duration::from_millis(1500)),
        ..request("langchain", "agent", &agent)
    };
    let error = finish(session.prepare(late).unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::Deadline);
    eventually("the tool is told", || silent.lock().iter().all(|each| each.is_cancelled()));
    assert_eq!(silent.lock().len(), 2);

    let parameters = json!({"pipeline": say(), "input": {"question": "a b"}, "lm": lm()});
    let result = run(session, "langchain", "invoke", parameters).unwrap();
    assert_eq!(result["output"], "you said a b");
}

fn an_abandoned_stream_ends_its_model((platform, session): &Room) {
    let asked = Arc::new(Mutex::new(None::<Arc<Invocation>>));
    let keep = asked.clone();
    let spec = ToolSpec { name: "lm".to_owned(), ..ToolSpec::default() };
    let endless = Tool(move |invocation: &Arc<Invocation>| {
        *keep.lock() = Some(invocation.clone());
        invocation.emit(Value::from_document(&json!("first "))).unwrap();
        None
    });
    platform.register_tool(Some(session), spec, Arc::new(endless)).unwrap();
    for (operation, parameters) in [
        ("invoke", json!({"pipeline": say(), "input": "x", "lm": lm()})),
        ("agent", json!({"agent": {}, "input": "x", "lm": lm(), "thread": "t"})),
    ] {
        let stream = start_stream(session, "langchain", operation, &parameters);
        let ChunkOutcome::Chunk(chunk) = stream.next_chunk(Some(LONG)) else {
            panic!("{operation} shows nothing")
        };
        assert_eq!(chunk.to_document().unwrap()["text"], "first ", "{operation}");
        stream.cancel();
        assert_eq!(outcome(&stream).unwrap_err().status(), Status::Cancelled, "{operation}");
        let model = asked.lock().take().unwrap();
        eventually("the model is told", || model.is_cancelled());
    }
    let quick = json!({"pipeline": {"kind": "constant", "value": 1}, "input": null});
    assert_eq!(run(session, "langchain", "invoke", quick).unwrap()["output"], 1);
}

/// A platform, and a session with tools of its own, so that one worker serves several rooms.
type Room = (Arc<Platform>, Session);

fn room(platform: &Arc<Platform>) -> Room {
    (platform.clone(), session(platform))
}

/// Workers that serve LangChain with the graphs of `spb_graphs`, forked from a template that has
/// imported it once.
fn open(workers: usize) -> Arc<Platform> {
    let graphs = json!({
        "survey": "spb_graphs:survey",
        "doomed": "spb_graphs:DOOMED",
        "chat": "spb_graphs:CHAT",
    });
    let mut config = config(workers, &json!({"langchain": {"graphs": graphs}}));
    config["pools"]["default"]["backend"] = json!({"kind": "forkserver"});
    super::support::open(&config)
}

fn lm() -> Json {
    json!({"kind": "host_tool", "tool": "lm"})
}

fn say() -> Json {
    let prompt = json!({"kind": "prompt", "messages": [{"role": "user", "content": "{question}"}]});
    json!({"kind": "sequence", "steps": [prompt, {"kind": "model"}, {"kind": "parser"}]})
}

/// Registers a chat model as tool `lm`; it streams when it is asked to, in pieces that end at
/// blanks. What it was asked is kept.
fn model<F>(platform: &Arc<Platform>, session: &Session, rule: F) -> Arc<Mutex<Vec<Json>>>
where
    F: Fn(&Json) -> Json + Clone + Send + Sync + 'static,
{
    let seen: Arc<Mutex<Vec<Json>>> = Arc::default();
    let log = seen.clone();
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        let request = invocation.arguments().to_document().unwrap();
        log.lock().push(request.clone());
        let mut answer = rule(&request);
        if request["stream"] == true {
            for piece in answer["content"].as_str().unwrap_or_default().split_inclusive(' ') {
                // Whoever asked may be gone by now.
                if invocation.emit(Value::from_document(&json!({"content": piece}))).is_err() {
                    return None;
                }
            }
        }
        answer["usage"] = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7});
        Some(Ok(Value::from_document(&answer)))
    });
    let spec = ToolSpec { name: "lm".to_owned(), ..ToolSpec::default() };
    platform.register_tool(Some(session), spec, Arc::new(sink)).unwrap();
    seen
}

/// Says what it heard; calls a tool that it has and has not called yet; and answers in the form it
/// is asked for, where one of its tools is that form.
fn rules(request: &Json) -> Json {
    let messages = request["messages"].as_array().unwrap();
    let last = messages.last().unwrap();
    let heard = last["content"].as_str().unwrap_or_default();
    let tools = request["tools"].as_array().cloned().unwrap_or_default();
    let named = |name: &str| tools.iter().any(|tool| tool["function"]["name"] == name);
    let call = |name: &str, arguments: &Json| {
        let function = json!({"name": name, "arguments": arguments.to_string()});
        json!({"content": null, "tool_calls": [{"id": "c", "function": function}]})
    };
    match (last["role"] == "tool", tools.first()) {
        (true, _) if named("answer") => call("answer", &serde_json::from_str(heard).unwrap()),
        (true, _) => json!({"content": format!("it says {heard}")}),
        (false, Some(tool)) => {
            call(tool["function"]["name"].as_str().unwrap(), &json!({"city": heard}))
        }
        (false, None) => json!({"content": format!("you said {heard}")}),
    }
}

fn weather(platform: &Arc<Platform>, session: &Session) {
    let schema = json!({"type": "object", "required": ["city"],
                        "properties": {"city": {"type": "string"}}});
    answers(platform, session, "weather", schema, |arguments| match arguments["city"].as_str() {
        Some("Bern") => Ok(json!({"sky": "clear"})),
        _ => Err(Error::new(Status::ToolFailed, "no such city")),
    });
}

/// The tool `note`, and how often it was called.
fn notes(platform: &Arc<Platform>, session: &Session) -> Arc<Mutex<usize>> {
    let count: Arc<Mutex<usize>> = Arc::default();
    let counted = count.clone();
    answers(platform, session, "note", json!({"type": "object"}), move |_| {
        *counted.lock() += 1;
        Ok(json!(null))
    });
    count
}

/// Registers a tool of the session whose answer is a function of its arguments.
fn answers<F>(platform: &Arc<Platform>, session: &Session, name: &str, schema: Json, answer: F)
where
    F: Fn(&Json) -> Result<Json, Error> + Clone + Send + Sync + 'static,
{
    let spec =
        ToolSpec { name: name.to_owned(), input_schema: Some(schema), ..ToolSpec::default() };
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        let arguments = invocation.arguments().to_document().unwrap();
        Some(answer(&arguments).map(|answer| Value::from_document(&answer)))
    });
    platform.register_tool(Some(session), spec, Arc::new(sink)).unwrap();
}

fn kill(pid: i64) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}
