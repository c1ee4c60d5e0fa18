//! DSPy operations around programs: evaluation, batches, direct questions, vectors, what streams
//! and results tell, and how failures end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ChunkOutcome, Invocation, Platform, Session, ToolSpec};
use snakepit_bridge::core::{Attachment, Error, Status, Value};
use snakepit_bridge::state::RegisterVariable;

use super::model::{Prompt, Seen, completion, lm, model};
use super::support::{
    LONG, Tool, answering, chunks, close, finish, outcome, platform, request, run, session,
    start_stream,
};

const CAPITALS: [(&str, &str); 4] =
    [("Peru", "Lima"), ("Japan", "Tokyo"), ("Norway", "Oslo"), ("Kenya", "Nairobi")];

/// The capital of the country in the inputs.
fn capital(prompt: &Prompt, field: &str) -> Option<String> {
    let known = CAPITALS.iter().find(|(country, _)| prompt.user.contains(country));
    match field {
        "reasoning" => Some("It is known.".to_owned()),
        _ => known.map(|(_, city)| (*city).to_owned()),
    }
}

fn question(country: &str) -> Json {
    json!({"question": format!("What is the capital of {country}?")})
}

fn rows() -> Json {
    CAPITALS
        .iter()
        .map(|(country, city)| {
            json!({"question": format!("What is the capital of {country}?"), "answer": city})
        })
        .collect()
}

fn program() -> Json {
    json!({"module": "predict", "signature": "question -> answer", "lm": lm()})
}

fn evaluation(metric: Json) -> Json {
    json!({"program": program(), "data": rows(), "metric": metric})
}

#[test]
fn a_program_is_evaluated_by_each_kind_of_metric() {
    let platform = platform(1, &json!({"dspy": {"modules": ["spb_dspymod"]}}));
    let session = session(&platform);
    let seen = model(&platform, "lm", capital);
    let judged = Arc::new(Mutex::new(Vec::new()));
    let log = judged.clone();
    answering(&platform, "judge", json!({"type": "object"}), move |asked| {
        log.lock().push(asked.clone());
        let long = asked["prediction"]["answer"].as_str().unwrap_or_default().len() > 4;
        Ok(json!({"score": if long { 1.0 } else { 0.5 }, "feedback": asked["example"]["answer"]}))
    });
    answering(&platform, "referee", json!({"type": "object"}), |asked| {
        Ok(json!(asked["answer"] == asked["truth"] && asked["truth"] != "Oslo"))
    });

    let operation =
        start_stream(&session, "dspy", "evaluate", &evaluation(json!({"kind": "exact_match"})));
    let shown = chunks(&operation);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    assert_eq!((&result["score"], &result["count"]), (&json!(100.0), &json!(4)));
    assert_eq!(result["results"][3]["prediction"], json!({"answer": "Nairobi"}));
    assert_eq!(result["usage_by_model"]["lm"]["total_tokens"], 48);
    let done: Vec<&Json> = shown.iter().map(|chunk| &chunk["done"]).collect();
    assert_eq!(done, [1, 2, 3, 4], "{shown:?}");

    let host = json!({"kind": "host_tool", "tool": "judge", "timeout_ms": 30_000});
    let result = run(&session, "dspy", "evaluate", evaluation(host)).unwrap();
    assert_eq!(result["score"], 75.0);
    assert_eq!(result["results"][1]["feedback"], "Tokyo");
    let asked = judged.lock().iter().find(|asked| asked["example"]["answer"] == "Lima").cloned();
    let expected = json!({
        "example": {"question": "What is the capital of Peru?", "answer": "Lima"},
        "prediction": {"answer": "Lima"}, "trace": false, "predictor": null,
    });
    assert_eq!(asked.unwrap(), expected);

    let python = |name: &str| evaluation(json!({"kind": "python", "name": name}));
    let result = run(&session, "dspy", "evaluate", python("shouted")).unwrap();
    assert_eq!(result["score"], 0.0);
    let result = run(&session, "dspy", "evaluate", python("asks_the_host")).unwrap();
    assert_eq!(result["score"], 75.0);
    let error = run(&session, "dspy", "evaluate", python("broken")).unwrap_err();
    assert_eq!(error.status(), Status::PythonException, "{error}");
    assert!(error.message().contains("raised LookupError: no ruling on"), "{error}");

    rows_come_from_a_variable(&session, &seen);
    close(&platform);
}

/// The rows may be kept in a variable, many of them.
fn rows_come_from_a_variable(session: &Session, seen: &Seen) {
    let many: Json = (0..50_000)
        .map(|number| json!({"question": format!("{number}: Peru?"), "answer": "Lima"}))
        .collect();
    register(session, "rows", "json", &rows());
    let version = session.set_variable("rows", Value::from_document(&many), None).unwrap();
    let earlier = json!({"variable": "rows", "version": version - 1});
    let by_name = |data: &Json| {
        json!({"program": program(), "data": data, "metric": {"kind": "exact_match"},
            "results": "none"})
    };
    let result = run(session, "dspy", "evaluate", by_name(&earlier)).unwrap();
    assert_eq!((&result["count"], &result["score"]), (&json!(4), &json!(100.0)));
    let bad = json!({"rows": [{"question": "?"}, {"answer": "?"}]});
    let error = run(session, "dspy", "evaluate", by_name(&bad)).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.message().contains("data.rows[1]: field `question` missing"), "{error}");
    let asked = seen.lock().len();
    let error =
        run(session, "dspy", "evaluate", by_name(&json!({"variable": "none"}))).unwrap_err();
    assert_eq!((error.status(), seen.lock().len()), (Status::NotFound, asked));
}

fn register(session: &Session, name: &str, kind: &str, value: &Json) {
    let variable = RegisterVariable {
        name: name.into(),
        type_name: kind.into(),
        initial: Value::from_document(value),
        constraints: None,
        metadata: None,
    };
    session.register_variable(variable).unwrap();
}

#[test]
fn two_hundred_calls_wait_for_the_host_at_once_in_one_worker() {
    const CALLS: usize = 200;
    let platform = platform(1, &json!({"dspy": {}}));
    let session = session(&platform);
    // Answers nobody before all have asked: with fewer at once this would never end.
    let waiting: Arc<Mutex<Vec<Arc<Invocation>>>> = Arc::default();
    let held = waiting.clone();
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        let all = {
            let mut held = held.lock();
            held.push(invocation.clone());
            if held.len() == CALLS { std::mem::take(&mut *held) } else { Vec::new() }
        };
        for invocation in all {
            let prompt = Prompt::of(invocation.arguments().to_document().unwrap());
            invocation
                .complete(Value::from_document(&json!(completion(&prompt, &capital))))
                .unwrap();
        }
        None
    });
    let spec = ToolSpec { name: "lm".into(), max_in_flight: Some(CALLS), ..ToolSpec::default() };
    platform.register_tool(None, spec, Arc::new(sink)).unwrap();
    let parameters = json!({
        "signature": "question -> answer", "inputs": question("Peru"), "lm": lm(),
    });
    let operations: Vec<_> = (0..CALLS)
        .map(|_| {
            let operation = session.prepare(request("dspy", "predict", &parameters)).unwrap();
            operation.start(None);
            operation
        })
        .collect();
    for operation in &operations {
        let result = outcome(operation).unwrap().to_document().unwrap();
        assert_eq!(result["outputs"], json!({"answer": "Lima"}));
        assert_eq!(result["lm_calls"], 1);
    }
    // The same within one call.
    let inputs: Vec<Json> = (0..CALLS).map(|_| question("Japan")).collect();
    let batch = json!({"program": program(), "inputs": inputs, "max_concurrency": CALLS});
    let result = run(&session, "dspy", "batch", batch).unwrap();
    assert_eq!((&result["errors"], &result["lm_calls"]), (&json!(0), &json!(CALLS)));
    assert!(waiting.lock().is_empty());
    close(&platform);
}

#[test]
fn a_batch_keeps_its_order_and_a_model_is_asked_directly() {
    let platform = platform(1, &json!({"dspy": {}}));
    let session = session(&platform);
    model(&platform, "lm", |prompt, field| match field {
        "" => Some(format!("You said: {}", prompt.user)),
        "population" => Some(if prompt.user.contains("Japan") { "many" } else { "5" }.to_owned()),
        _ => capital(prompt, field),
    });
    let program = json!({
        "module": "predict", "signature": "question -> answer, population: int", "lm": lm(),
    });
    let inputs = json!([question("Peru"), question("Japan"), {"q": 1}, question("Kenya")]);
    let parameters = json!({"program": program, "inputs": inputs, "adapter": "json"});
    let operation = start_stream(&session, "dspy", "batch", &parameters);
    let shown = chunks(&operation);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    let results = &result["results"];
    assert_eq!(results[0]["outputs"], json!({"answer": "Lima", "population": 5}));
    assert_eq!(results[1]["error"]["status"], "TOOL_FAILED", "{results}");
    assert_eq!(results[1]["error"]["details"]["reason"], "unreadable_answer");
    assert_eq!(results[2]["error"]["status"], "INVALID_ARGUMENT");
    assert_eq!(results[3]["outputs"]["answer"], "Nairobi");
    assert_eq!((&result["errors"], shown.len()), (&json!(2), 4));

    let lm = json!({"kind": "host_tool", "tool": "lm", "model": "small"});
    let parameters = json!({"lm": lm, "prompt": "one two three", "history": true});
    let operation = start_stream(&session, "dspy", "lm", &parameters);
    let tokens = chunks(&operation);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    let said = "You said: one two three";
    assert_eq!(result["choices"][0]["content"], said);
    let joined: String = tokens.iter().map(|chunk| chunk["text"].as_str().unwrap()).collect();
    assert_eq!((joined.as_str(), tokens.len()), (said, 5));
    assert_eq!(result["history"][0]["messages"][0]["content"], "one two three");
    assert_eq!(result["usage_by_model"], json!({"small": result["usage"]}));
    let result = run(&session, "dspy", "lm", json!({"lm": lm, "prompt": "x", "n": 3})).unwrap();
    assert_eq!(result["choices"].as_array().unwrap().len(), 3);
    close(&platform);
}

#[test]
fn a_host_embedder_serves_vectors_retrieval_and_neighbours() {
    let platform = platform(1, &json!({"dspy": {}}));
    let session = session(&platform);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    answering(&platform, "embed", json!({"type": "object"}), move |arguments| {
        let texts = arguments["texts"].as_array().unwrap();
        count.fetch_add(texts.len(), Ordering::Relaxed);
        let letters = |text: &Json| -> Json {
            let text = text.as_str().unwrap().to_lowercase();
            ('a'..='z').map(|letter| json!(text.matches(letter).count())).collect()
        };
        Ok(texts.iter().map(letters).collect())
    });
    let embedder = json!({"kind": "host_tool", "tool": "embed"});
    let embed = json!({"embedder": embedder, "texts": ["abba", "zoo"]});
    let vectors = finish(session.prepare(request("dspy", "embed", &embed)).unwrap()).unwrap();
    let Some(Attachment::Tensor(tensor)) = vectors.attachments().first() else {
        panic!("no tensor")
    };
    assert_eq!(tensor.shape(), [2, 26]);

    let corpus = json!(["a bad cabbage", {"text": "high jig", "source": 7}, "quiet zebras"]);
    register(&session, "corpus", "json", &corpus);
    let parameters = json!({
        "queries": ["jig", "zebra"], "corpus": {"variable": "corpus"}, "embedder": embedder, "k": 1,
    });
    let found = run(&session, "dspy", "retrieve", parameters.clone()).unwrap();
    assert_eq!(found["results"][0]["passages"], json!([{"text": "high jig", "source": 7}]));
    assert_eq!(found["results"][1]["indices"], json!([2]));
    let before = asked.load(Ordering::Relaxed);
    run(&session, "dspy", "retrieve", parameters).unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), before + 2, "the corpus is embedded once");

    let data = json!([{"q": "abab", "label": "x"}, {"q": "jjjj", "label": "y"}]);
    let parameters = json!({"data": data, "inputs": {"q": "jj"}, "embedder": embedder, "k": 1});
    let found = run(&session, "dspy", "knn", parameters).unwrap();
    assert_eq!(found["examples"], json!([{"q": "jjjj", "label": "y"}]));
    close(&platform);
}

#[test]
fn streams_tell_tokens_and_statuses_and_may_be_abandoned() {
    let platform = platform(1, &json!({"dspy": {}}));
    let session = session(&platform);
    model(&platform, "lm", |prompt, field| match field {
        "draft" => Some("a rough draft of it all".to_owned()),
        "poem" => Some(["verse after verse "; 4000].concat()),
        _ => capital(prompt, field),
    });
    let sequence = json!({
        "module": "sequence",
        "lm": lm(),
        "programs": {
            "first": {"module": "predict", "signature": "question -> draft"},
            "second": {"module": "chain_of_thought", "signature": "question, draft -> answer"},
        },
        "options": {"steps": [
            {"program": "first", "inputs": {"question": "question"}},
            {"program": "second", "inputs": {"question": "question", "draft": "first.draft"}},
        ]},
    });
    for adapter in ["chat", "json", "xml"] {
        let parameters = json!({
            "program": sequence, "inputs": question("Peru"), "adapter": adapter,
            "status": ["lm", "module"],
        });
        let operation = start_stream(&session, "dspy", "run", &parameters);
        let shown = chunks(&operation);
        let result = outcome(&operation).unwrap().to_document().unwrap();
        let told = |predictor: &str, field: &str| -> String {
            let of = |chunk: &&Json| chunk["predictor"] == predictor && chunk["field"] == field;
            shown.iter().filter(of).filter_map(|chunk| chunk["text"].as_str()).collect()
        };
        let first = shown.iter().find_map(|chunk| chunk["predictor"].as_str()).unwrap();
        assert_eq!(told(first, "draft"), "a rough draft of it all", "{adapter}: {shown:?}");
        let last = shown.iter().rev().find_map(|chunk| chunk["predictor"].as_str()).unwrap();
        assert_eq!(told(last, "reasoning"), "It is known.", "{adapter}");
        assert_eq!(json!(told(last, "answer")), result["outputs"]["answer"], "{adapter}");
        let statuses: Vec<&str> =
            shown.iter().filter_map(|chunk| chunk["message"].as_str()).collect();
        assert_eq!(statuses.iter().filter(|message| **message == "asking lm").count(), 2);
        assert_eq!(statuses[0], "running Sequence", "{statuses:?}");
    }

    let endless = json!({
        "signature": "question -> poem", "inputs": question("Peru"), "lm": lm(),
    });
    let operation = start_stream(&session, "dspy", "predict", &endless);
    assert!(matches!(operation.next_chunk(Some(LONG)), ChunkOutcome::Chunk(_)));
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    let parameters = json!({"program": program(), "inputs": question("Norway")});
    let result = run(&session, "dspy", "run", parameters).unwrap();
    assert_eq!(result["outputs"]["answer"], "Oslo", "the same worker goes on");
    close(&platform);
}

#[test]
fn each_failure_has_its_status_and_the_worker_goes_on() {
    let platform = platform(1, &json!({"dspy": {"modules": ["spb_dspymod"]}}));
    let session = session(&platform);
    model(&platform, "lm", capital);
    failing(&platform, "mumbling", None);
    let too_long = Error::new(Status::ToolFailed, "4097 tokens").with("reason", "context_window");
    failing(&platform, "too_small", Some(too_long));
    let limited = Error::new(Status::ResourceExhausted, "slow down").retryable(true);
    failing(&platform, "limited", Some(limited.with("retry_after_s", 0)));
    let silent: Arc<Mutex<Vec<Arc<Invocation>>>> = Arc::default();
    let kept = silent.clone();
    let sink = Tool(move |invocation: &Arc<Invocation>| {
        kept.lock().push(invocation.clone());
        None
    });
    let spec = ToolSpec { name: "silent".into(), ..ToolSpec::default() };
    platform.register_tool(None, spec, Arc::new(sink)).unwrap();

    let ask = |settings: Json| {
        let parameters = json!({
            "signature": "question -> answer: int", "inputs": question("Peru"), "lm": settings,
        });
        run(&session, "dspy", "predict", parameters).unwrap_err()
    };
    let error = ask(json!({"kind": "host_tool", "tool": "mumbling"}));
    assert_eq!(error.status(), Status::ToolFailed, "{error}");
    assert_eq!(error.details()["reason"], "unreadable_answer");
    assert_eq!(error.details()["completion"], "mumble");
    let error = ask(json!({"kind": "host_tool", "tool": "too_small"}));
    assert_eq!((error.status(), error.message()), (Status::ToolFailed, "4097 tokens"));
    assert_eq!(error.details()["reason"], "context_window");
    let error = ask(json!({"kind": "host_tool", "tool": "limited", "retries": 2}));
    assert_eq!((error.status(), error.is_retryable()), (Status::ResourceExhausted, true));
    let error =
        ask(json!({"kind": "host_tool", "tool": "silent", "timeout_ms": 100, "retries": 0}));
    assert_eq!(error.status(), Status::Deadline, "{error}");
    let error = ask(json!({"kind": "host_tool", "tool": "nobody"}));
    assert_eq!(error.status(), Status::NotFound, "{error}");

    let metric =
        |document: Json| run(&session, "dspy", "evaluate", evaluation(document)).unwrap_err();
    let error = metric(json!({"kind": "host_tool", "tool": "silent", "timeout_ms": 100}));
    assert_eq!(error.status(), Status::Deadline, "{error}");
    let error = metric(json!({"kind": "host_tool", "tool": "mumbling"}));
    assert_eq!(error.status(), Status::ToolFailed);
    assert!(error.message().contains("expected a number, a boolean or an object"), "{error}");
    let error = metric(json!({"kind": "exact_match", "feild": "answer"}));
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.message().contains("metric.feild, expected `field`"), "{error}");

    let parameters = json!({"program": program(), "inputs": question("Norway")});
    let result = run(&session, "dspy", "run", parameters).unwrap();
    assert_eq!(result["outputs"]["answer"], "Oslo");
    close(&platform);
}

/// A tool that answers "mumble", or fails.
fn failing(platform: &Arc<Platform>, name: &str, error: Option<Error>) {
    answering(platform, name, json!({"type": "object"}), move |_| {
        error.clone().map_or(Ok(json!("mumble")), Err)
    });
}
