//! DSPy's optimizers in real workers, with this host as the model that they work with and, for
//! some, as the metric, the trainer and the embedder.
//!
//! The model writes a word backwards once its prompt shows how, by a demonstration or by an
//! instruction that says so. So a program gets better exactly when an optimizer works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{
    ExecuteRequest, Operation, Platform, RegisterVariable, Session, Timeout, ToolSpec,
};
use snakepit_bridge::core::{Error, Status, Value};

use super::model::{Prompt, lm, model};
use super::support::{
    Tool, answering, chunks, close, config, eventually, finish, open, outcome, request, run,
    session, start_stream,
};

const HINT: &str = "Write the word backwards.";
const WORDS: [&str; 12] = [
    "amber", "bridge", "candle", "dragon", "ember", "forest", "garden", "harbor", "island",
    "jungle", "kettle", "ladder",
];

fn backwards(word: &str) -> String {
    word.chars().rev().collect()
}

fn rows() -> Json {
    WORDS.iter().map(|word| json!({"word": word, "answer": backwards(word)})).collect()
}

fn program() -> Json {
    json!({"module": "predict", "signature": "word -> answer"})
}

/// What the model answers: the task's field by its prompt, any other field with the hint.
fn pupil(prompt: &Prompt, field: &str, luck: &AtomicUsize) -> Option<String> {
    if field == "answer" {
        let (_, word) = prompt.user.rsplit_once("[[ ## word ## ]]")?;
        let word = word.split_whitespace().next()?;
        let messages = prompt.request["messages"].as_array()?;
        let shown = messages.iter().any(|message| message["role"] == "assistant");
        let told = prompt.system.contains(HINT) || prompt.request["model"] == "tuned";
        // Untaught, it is right now and then where it may be: some optimizers look for that.
        let lucky = prompt.request["model"] == "fickle"
            && prompt.request["temperature"].as_f64() > Some(0.0)
            && luck.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
        return (shown || told || lucky).then(|| backwards(word));
    }
    Some(match field {
        "" => format!("```\n{HINT}\n```"),
        "module_advice" => json!({"self": HINT}).to_string(),
        _ => HINT.to_owned(),
    })
}

/// One worker, the model, and a metric of the host's that knows why.
fn platform() -> (Arc<Platform>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let frameworks = json!({"dspy": {}, "python": {"modules": ["spb_optimizers"]}});
    let mut config = config(1, &frameworks);
    config["pools"]["default"]["cwd"] = json!(directory.path());
    let platform = open(&config);
    let luck = AtomicUsize::new(1);
    model(&platform, "lm", move |prompt, field| pupil(prompt, field, &luck));
    answering(&platform, "judge", json!({"type": "object"}), |asked| {
        let right = asked["prediction"]["answer"] == asked["example"]["answer"];
        Ok(json!({"score": f64::from(u8::from(right)), "feedback": HINT}))
    });
    (platform, directory)
}

/// A new variable with the program of these tests.
fn store(session: &Session, name: &str) {
    let register = RegisterVariable {
        name: name.to_owned(),
        type_name: "program".to_owned(),
        initial: Value::from_document(&program()),
        constraints: None,
        metadata: None,
    };
    session.register_variable(register).unwrap();
}

fn parameters(name: &str, optimizer: &str, options: Json) -> Json {
    json!({
        "program": name,
        "optimizer": optimizer,
        "options": options,
        "lm": lm(),
        "data": {"train": rows()},
        "metric": {"kind": "host_tool", "tool": "judge"},
    })
}

/// What the stored program answers, and which version did.
fn asked(session: &Session, name: &str, word: &str) -> (Json, Json) {
    let parameters = json!({"program": name, "inputs": {"word": word}, "lm": lm()});
    let result = run(session, "dspy", "run", parameters).unwrap();
    (result["outputs"]["answer"].clone(), result["program"]["version"].clone())
}

fn version(session: &Session, name: &str) -> u64 {
    session.get_variable(name).unwrap().1
}

#[test]
fn each_optimizer_makes_a_stored_program_better() {
    let (platform, _directory) = platform();
    let session = session(&platform);
    let cases = [
        ("LabeledFewShot", json!({"k": 3})),
        ("BootstrapFewShot", json!({"max_bootstrapped_demos": 2, "max_labeled_demos": 2})),
        ("BootstrapFewShotWithRandomSearch", json!({"num_candidate_programs": 1})),
        ("BootstrapFewShotWithOptuna", json!({"max_demos": 2, "num_candidate_programs": 2})),
        ("COPRO", json!({"breadth": 2, "depth": 1})),
        (
            "MIPROv2",
            json!({"auto": null, "num_candidates": 2, "num_trials": 2, "minibatch": false}),
        ),
        ("GEPA", json!({"max_metric_calls": 60})),
        ("InferRules", json!({"num_candidates": 1, "num_rules": 2})),
    ];
    for (optimizer, options) in &cases {
        store(&session, optimizer);
        let given = parameters(optimizer, optimizer, options.clone());
        let result = run(&session, "dspy", "optimize", given).unwrap();
        assert_eq!(result["before"], 0.0, "{optimizer}: {result}");
        assert_eq!(result["after"], 100.0, "{optimizer}: {result}");
        assert_eq!(result["program"], json!({"variable": optimizer, "version": 2}));
        assert!(result["lm_calls"].as_u64() >= Some(24), "{optimizer}: {result}");
        assert!(result["metric_calls"].as_u64() >= Some(24), "{optimizer}: {result}");
        assert!(result["usage"]["total_tokens"].as_u64() >= Some(24 * 12));
        let tries = result["trials"].as_array().unwrap();
        let plain = ["LabeledFewShot", "BootstrapFewShot"].contains(optimizer);
        assert_eq!(tries.is_empty(), plain, "{optimizer}: {tries:?}");
    }
    assert_eq!(run(&session, "python", "files", json!({})).unwrap(), json!([]));
    assert_eq!(run(&session, "python", "threads", json!({})).unwrap(), json!([]));
    // What was learned is in the variables: a worker that has never seen an optimizer has it, too.
    kill_worker(&session);
    for (optimizer, _) in &cases {
        assert_eq!(asked(&session, optimizer, "window"), (json!("wodniw"), json!(2)));
    }
    close(&platform);
}

#[test]
fn optimizers_that_need_more_get_it_from_the_host() {
    let (platform, _directory) = platform();
    let session = session(&platform);
    ["simba", "knn", "vote", "tuned", "both"].iter().for_each(|name| store(&session, name));
    let optimized = |given: Json| run(&session, "dspy", "optimize", given).unwrap();
    let scores =
        |result: &Json| (result["before"].as_f64().unwrap(), result["after"].as_f64().unwrap());

    let mut simba =
        parameters("simba", "SIMBA", json!({"bsize": 4, "num_candidates": 3, "max_steps": 2}));
    simba["lm"] = json!({"kind": "host_tool", "tool": "lm", "model": "fickle"});
    simba["threads"] = json!(1);
    let (before, after) = scores(&optimized(simba));
    assert!(before < after, "{before} {after}");

    answering(&platform, "embed", json!({"type": "object"}), |asked| {
        let texts = asked["texts"].as_array().unwrap();
        Ok(texts.iter().map(|text| json!([text.as_str().unwrap().len(), 1])).collect())
    });
    let embedder = json!({"kind": "host_tool", "tool": "embed"});
    let knn = parameters("knn", "KNNFewShot", json!({"k": 2, "embedder": embedder}));
    assert_eq!(scores(&optimized(knn)), (0.0, 100.0));
    assert_eq!(asked(&session, "knn", "window").0, "wodniw");

    let taught = json!({"module": "predict", "signature": "word -> answer", "instructions": HINT});
    let programs = json!({"programs": [taught, {"variable": "knn", "version": 2}, "vote"]});
    assert_eq!(scores(&optimized(parameters("vote", "Ensemble", programs))), (0.0, 100.0));
    assert_eq!(asked(&session, "vote", "window").0, "wodniw");

    let trained = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let seen = trained.clone();
    answering(&platform, "train", json!({"type": "object"}), move |asked| {
        seen.lock().push(asked.clone());
        Ok(json!("tuned"))
    });
    let finetune = json!({"kind": "host_tool", "tool": "train"});
    let mut weights =
        parameters("tuned", "BootstrapFinetune", json!({"train_kwargs": {"epochs": 2}}));
    weights["finetune"] = finetune.clone();
    weights["teacher"] = json!({"module": "predict", "signature": "word -> answer",
        "demos": [{"word": "ab", "answer": "ba"}]});
    assert_eq!(scores(&optimized(weights)), (0.0, 100.0));
    assert_eq!(trained.lock()[0]["rows"].as_array().unwrap().len(), WORDS.len());
    assert_eq!(trained.lock()[0]["options"], json!({"epochs": 2}));
    let stored = session.get_variable("tuned").unwrap().0.to_document().unwrap();
    assert_eq!(stored["lm"], json!({"kind": "host_tool", "tool": "lm", "model": "tuned"}));

    let members = json!({
        "p": {"optimizer": "COPRO", "options": {"breadth": 2, "depth": 1}},
        "w": {"optimizer": "BootstrapFinetune"},
    });
    let options = json!({"optimizers": members, "strategy": "p -> w -> p", "valset_ratio": 0.25});
    let mut both = parameters("both", "BetterTogether", options);
    both["finetune"] = finetune;
    assert_eq!(scores(&optimized(both)), (0.0, 100.0));
    assert_eq!(run(&session, "python", "files", json!({})).unwrap(), json!([]));
    close(&platform);
}

/// An optimizer that waits for a metric which never answers.
fn stuck(session: &Session, operation: &str, name: &str) -> Arc<Operation> {
    let mut given = parameters(name, "BootstrapFewShot", json!({}));
    given["metric"]["tool"] = json!("never");
    let request = request("dspy", operation, &given);
    let operation = session.prepare(request).unwrap();
    operation.start(None);
    operation
}

/// Runs that end by themselves: a metric that fails, options that there are not or not so.
fn refused_or_failed(platform: &Arc<Platform>, session: &Session) {
    answering(platform, "raises", json!({"type": "object"}), |_| {
        Err(Error::new(Status::Unavailable, "the judge is out"))
    });
    let mut given = parameters("qa", "GEPA", json!({"auto": "light"}));
    given["metric"]["tool"] = json!("raises");
    let failed = run(session, "dspy", "optimize", given).unwrap_err();
    assert_eq!(failed.status(), Status::Unavailable, "{failed:?}");
    let unknown = parameters("qa", "GEPA", json!({"max_metric_cals": 9}));
    let refused = run(session, "dspy", "optimize", unknown).unwrap_err();
    assert_eq!(refused.status(), Status::InvalidArgument);
    assert!(refused.message().contains("did you mean `max_metric_calls`?"), "{refused}");
    let wrong = parameters("qa", "GEPA", json!({"max_metric_calls": "many"}));
    assert_eq!(
        run(session, "dspy", "optimize", wrong).unwrap_err().status(),
        Status::InvalidArgument
    );
}

#[test]
fn what_goes_wrong_is_told_and_leaves_the_old_version_free() {
    let (platform, _directory) = platform();
    let session = session(&platform);
    store(&session, "qa");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let never = Tool(move |_: &Arc<_>| {
        count.fetch_add(1, Ordering::SeqCst);
        None
    });
    let spec = ToolSpec { name: "never".to_owned(), ..ToolSpec::default() };
    platform.register_tool(None, spec, Arc::new(never)).unwrap();
    let write = || session.set_variable("qa", Value::from_document(&program()), None);
    let waits = |count: usize| {
        eventually("it waits for the metric", || asked.load(Ordering::SeqCst) >= count);
    };

    let waiting = stuck(&session, "optimize", "qa");
    waits(1);
    let busy = write().unwrap_err();
    assert_eq!(busy.status(), Status::Busy);
    assert!(busy.details()["owner"].as_str().unwrap().starts_with("optimizing "), "{busy:?}");
    let second = run(&session, "dspy", "optimize", parameters("qa", "COPRO", json!({})));
    assert_eq!(second.unwrap_err().status(), Status::Busy);
    waiting.cancel();
    assert_eq!(outcome(&waiting).unwrap_err().status(), Status::Cancelled);
    assert_eq!(write().unwrap(), 2, "the cancelled run wrote nothing and has given the lock back");
    eventually("its threads are gone", || {
        run(&session, "python", "threads", json!({})).unwrap() == json!([])
    });

    let before = asked.load(Ordering::SeqCst);
    let waiting = stuck(&session, "optimize", "qa");
    waits(before + 1);
    kill_worker(&session);
    let lost = outcome(&waiting).unwrap_err();
    assert_eq!(lost.status(), Status::WorkerLost, "{lost:?}");
    assert_eq!(write().unwrap(), 3, "the lock went with the worker");

    let mut given = parameters("qa", "COPRO", json!({}));
    given["metric"]["tool"] = json!("never");
    let timeout = Timeout::After(Duration::from_millis(400));
    let request = ExecuteRequest { timeout, ..request("dspy", "optimize", &given) };
    let late = finish(session.prepare(request).unwrap()).unwrap_err();
    assert_eq!(late.status(), Status::Deadline, "{late:?}");
    assert_eq!(write().unwrap(), 4, "the lock ended with the call");

    refused_or_failed(&platform, &session);
    assert_eq!(write().unwrap(), 5, "nothing was written, nothing is locked");
    close(&platform);
}

#[test]
fn a_run_that_may_be_repeated_survives_its_worker_and_progress_is_streamed() {
    let (platform, _directory) = platform();
    let session = session(&platform);
    store(&session, "qa");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // The first judgement is never made; when its worker is dead, all others are.
    let slow = Tool(move |invocation: &Arc<snakepit_bridge::api::Invocation>| {
        let asked = invocation.arguments().to_document().unwrap();
        let right = asked["prediction"]["answer"] == asked["example"]["answer"];
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        (!first).then(|| Ok(Value::from_document(&json!(right))))
    });
    // Only a metric that may be asked again lets the run go to a second worker.
    let spec = ToolSpec { name: "never".to_owned(), idempotent: true, ..ToolSpec::default() };
    platform.register_tool(None, spec, Arc::new(slow)).unwrap();
    let running = stuck(&session, "optimize_retried", "qa");
    eventually("it waits for the metric", || asked.load(Ordering::SeqCst) > 0);
    kill_worker(&session);
    let result = outcome(&running).unwrap().to_document().unwrap();
    assert_eq!(result["after"], 100.0, "{result}");
    assert_eq!(version(&session, "qa"), 2);

    let document = json!({"module": "chain_of_thought", "signature": "word -> answer"});
    let mut given = parameters("qa", "COPRO", json!({"breadth": 2, "depth": 1}));
    given["program"] = document;
    given["data"] =
        json!({"train": rows(), "validation": [{"word": "window", "answer": "wodniw"}]});
    let operation = start_stream(&session, "dspy", "optimize", &given);
    let seen = chunks(&operation);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    assert_eq!(result["program"]["module"], "chain_of_thought");
    assert_eq!(result["after"], 100.0, "{result}");
    assert!(seen.iter().all(|chunk| chunk["type"] == "progress"), "{seen:?}");
    let last = seen.last().unwrap();
    assert_eq!((&last["phase"], &last["best"]), (&json!("after"), &json!(100.0)));
    assert_eq!((&last["done"], &last["total"]), (&json!(1), &json!(1)));
    let listed = run(&session, "dspy", "optimizers", json!({})).unwrap();
    let names: Vec<&str> = listed["optimizers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|each| each["name"].as_str())
        .collect();
    assert_eq!(names.len(), 13, "{names:?}");
    let of_gepa =
        listed["optimizers"].as_array().unwrap().iter().find(|each| each["name"] == "GEPA");
    let described = &of_gepa.unwrap()["options"]["properties"]["reflection_minibatch_size"];
    assert_eq!(described["default"], 3);
    close(&platform);
}

fn kill_worker(session: &Session) {
    let process = run(session, "python", "process", json!({})).unwrap().as_i64().unwrap();
    #[expect(unsafe_code, reason = "a kill is a system call")]
    // SAFETY: plain system call; the process is a worker of this test's own platform.
    unsafe {
        libc::kill(i32::try_from(process).unwrap(), libc::SIGKILL);
    }
    eventually("it is gone", || {
        let now = run(session, "python", "process", json!({}));
        now.is_ok_and(|now| now != process)
    });
}
