//! DSPy programs as data: kept in variables, run by name and version in any worker, with this host
//! as their model and tools.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{Access, Operation, RegisterVariable, Session};
use snakepit_bridge::core::{Status, Value};

use super::model::{lm, model};
use super::support::{
    answering, chunks, close, eventually, outcome, platform, request, run, session, start_stream,
};

#[test]
fn one_module_speaks_each_of_the_three_formats() {
    let platform = platform(1, &json!({"dspy": {}}));
    let session = session(&platform);
    let seen = model(&platform, "lm", |prompt, field| match field {
        "reasoning" => Some("Peru's capital is known.".to_owned()),
        "score" => Some("0.5".to_owned()),
        _ => prompt.has("Peru").then(|| "Lima".to_owned()),
    });
    for adapter in ["chat", "json", "xml"] {
        let parameters = json!({
            "signature": "question -> answer, score: float",
            "inputs": {"question": "What is the capital of Peru?"},
            "lm": lm(),
            "adapter": adapter,
        });
        let result = run(&session, "dspy", "chain_of_thought", parameters).unwrap();
        let expected =
            json!({"reasoning": "Peru's capital is known.", "answer": "Lima", "score": 0.5});
        assert_eq!(result["outputs"], expected, "{adapter}");
    }
    assert_eq!(seen.lock().len(), 3);
    close(&platform);
}

#[test]
fn a_program_runs_by_name_in_each_worker_and_a_dead_worker_takes_nothing_along() {
    let frameworks = json!({"dspy": {"modules": ["spb_programs"]}});
    let platform = platform(2, &frameworks);
    let session = session(&platform);
    let waiting = Arc::new(AtomicUsize::new(0));
    let inside = waiting.clone();
    model(&platform, "lm", move |prompt, field| {
        if prompt.has("both workers") && field == "answer" {
            // Two at once, so that neither worker can serve both one after the other.
            inside.fetch_add(1, Ordering::SeqCst);
            eventually("both calls ask the model", || inside.load(Ordering::SeqCst) >= 2);
        }
        prompt.has("Peru").then(|| "Lima".to_owned())
    });
    let document = json!({
        "module": "sequence",
        "lm": lm(),
        "programs": {
            "stamped": {"module": "python", "options": {"name": "Stamped"}},
            "backwards": {"module": "python", "options": {"name": "backwards"}},
        },
        "options": {
            "steps": [
                {"program": "stamped", "inputs": {"question": "question"}},
                {"program": "backwards", "inputs": {"text": "stamped.answer"}},
            ],
            "outputs": {"answer": "backwards.text", "pid": "stamped.pid"},
        },
    });
    store(&session, "qa", &document);

    let inputs = json!({"question": "Peru, in both workers?"});
    let asked = json!({"program": "qa", "inputs": inputs});
    let calls = [start(&session, &asked), start(&session, &asked)];
    let pids = calls.map(|call| {
        let result = outcome(&call).unwrap().to_document().unwrap();
        assert_eq!(result["outputs"]["answer"], "amiL");
        assert_eq!(result["program"], json!({"variable": "qa", "version": 1}));
        result["outputs"]["pid"].as_i64().unwrap()
    });
    assert_ne!(pids[0], pids[1], "each worker served one");

    kill(pids[0]);
    kill(pids[1]);
    eventually("both have been replaced", || {
        let stats = platform.pool("").unwrap().stats();
        stats["losses"] == 2 && stats["ready"] == 2
    });
    let parameters = json!({"program": "qa", "inputs": {"question": "Peru?"}});
    let result = run(&session, "dspy", "run", parameters).unwrap();
    assert_eq!(result["outputs"]["answer"], "amiL");
    assert!(!pids.contains(&result["outputs"]["pid"].as_i64().unwrap()));
    close(&platform);
}

#[test]
fn what_a_variable_holds_is_what_runs() {
    let platform = platform(1, &json!({"dspy": {}}));
    let session = session(&platform);
    let seen = model(&platform, "lm", |prompt, _| {
        let text = if prompt.has("in Spanish") { "Lima, claro" } else { "Lima, of course" };
        Some(text.to_owned())
    });
    versions_and_rollback(&session);
    bound_settings(&session, &seen);
    states(&session);
    nested_streams(&session);
    // The same worker has served all of it, and kept what it built.
    assert_eq!(platform.pool("").unwrap().stats()["losses"], 0);
    close(&platform);
}

fn versions_and_rollback(session: &Session) {
    let english = json!({"module": "predict", "signature": "question -> answer", "lm": lm()});
    let mut spanish = english.clone();
    spanish["instructions"] = json!("Answer in Spanish.");
    store(session, "ask", &english);
    session.set_variable("ask", Value::from_document(&spanish), None).unwrap();
    let answer = |program: Json| {
        let parameters = json!({"program": program, "inputs": {"question": "Peru?"}});
        let result = run(session, "dspy", "run", parameters).unwrap();
        (
            result["outputs"]["answer"].as_str().unwrap().to_owned(),
            result["program"]["version"].clone(),
        )
    };
    assert_eq!(answer(json!("ask")), ("Lima, claro".to_owned(), json!(2)));
    let pinned = json!({"variable": "ask", "version": 1});
    assert_eq!(answer(pinned), ("Lima, of course".to_owned(), json!(1)));
    session.roll_back_variable("ask", 1, Access::default()).unwrap();
    assert_eq!(answer(json!("ask")), ("Lima, of course".to_owned(), json!(3)));

    let gone = json!({"program": {"variable": "ask", "version": 9}, "inputs": {"question": "?"}});
    let error = run(session, "dspy", "run", gone).unwrap_err();
    assert_eq!(error.status(), Status::NotFound, "{error}");
    assert!(error.message().contains("has no version 9, kept are 1, 2, 3"), "{error}");
}

fn bound_settings(session: &Session, seen: &super::model::Seen) {
    add(session, "heat", "float", &json!(0.25));
    let mut settings = lm();
    settings["temperature"] = json!({"variable": "heat"});
    let document = json!({"module": "predict", "signature": "question -> answer", "lm": settings});
    store(session, "bound", &document);
    let parameters = json!({"program": "bound", "inputs": {"question": "Peru?"}});
    for heat in [0.25, 0.75] {
        session.set_variable("heat", Value::from_document(&json!(heat)), None).unwrap();
        run(session, "dspy", "run", parameters.clone()).unwrap();
        assert_eq!(seen.lock().last().unwrap()["temperature"], heat);
    }
    session.set_variable("heat", Value::from_document(&json!(7.0)), None).unwrap();
    let error = run(session, "dspy", "run", parameters).unwrap_err();
    assert_eq!(error.status(), Status::TypeMismatch, "{error}");
    let place = "program.lm.temperature (variable `heat`)";
    assert!(error.message().starts_with(place), "{error}");
}

/// DSPy's own JSON goes into a program and comes out the same.
fn states(session: &Session) {
    let document =
        json!({"module": "chain_of_thought", "signature": "question -> answer", "lm": lm()});
    store(session, "taught", &document);
    let empty = run(session, "dspy", "save_state", json!({"program": "taught"})).unwrap();
    let mut state = empty["state"].clone();
    let demo = json!({"question": "Japan?", "reasoning": "Known.", "answer": "Tokyo"});
    state["predict"]["demos"] = json!([demo]);
    state["predict"]["signature"]["instructions"] = json!("Answer in Spanish.");
    let parameters = json!({"program": "taught", "state": state});
    let loaded = run(session, "dspy", "load_state", parameters).unwrap();
    assert_eq!(loaded["program"], json!({"variable": "taught", "version": 2}));
    let saved = run(session, "dspy", "save_state", json!({"program": "taught"})).unwrap();
    assert_eq!(saved["state"], state);
    let parameters = json!({"program": "taught", "inputs": {"question": "Peru?"}});
    let result = run(session, "dspy", "run", parameters).unwrap();
    assert_eq!(result["outputs"]["answer"], "Lima, claro");
    let told = run(session, "dspy", "describe_program", json!({"program": "taught"})).unwrap();
    assert_eq!(told["learned"], true);
    assert_eq!(told["predictors"][0]["demos"], 1);

    // Someone else's optimizer has the variable: nothing is written.
    let held = std::time::Duration::from_secs(60);
    session.lock_variable("taught", "optimizing", held).unwrap();
    let parameters = json!({"program": "taught", "state": state});
    let error = run(session, "dspy", "load_state", parameters).unwrap_err();
    assert_eq!(error.status(), Status::Busy, "{error}");
    session.unlock_variable("taught", "optimizing").unwrap();
}

fn nested_streams(session: &Session) {
    let ask = json!({"module": "predict", "signature": "question -> answer"});
    let polish = json!({"module": "predict", "signature": "draft -> final"});
    let document = json!({
        "module": "sequence",
        "programs": {"ask": ask, "polish": polish},
        "options": {"steps": [
            {"program": "ask", "inputs": {"question": "question"}},
            {"program": "polish", "inputs": {"draft": "ask.answer"}},
        ]},
    });
    let parameters = json!({"program": document, "inputs": {"question": "Peru?"}, "lm": lm()});
    let operation = start_stream(session, "dspy", "run", &parameters);
    let told = chunks(&operation);
    let text = |field: &str| -> String {
        let tokens = told.iter().filter(|chunk| chunk["type"] == "token");
        tokens.filter(|chunk| chunk["field"] == field).filter_map(|c| c["text"].as_str()).collect()
    };
    assert_eq!(
        (text("answer").as_str(), text("final").as_str()),
        ("Lima, of course", "Lima, of course")
    );
    let result = outcome(&operation).unwrap().to_document().unwrap();
    assert_eq!(result["outputs"], json!({"final": "Lima, of course"}));
}

#[test]
fn what_is_wrong_with_a_program_is_told_with_its_place_and_the_worker_goes_on() {
    let platform = platform(1, &json!({"dspy": {"modules": ["spb_programs"]}}));
    let session = session(&platform);
    let seen = model(&platform, "lm", |_, _| Some("Lima".to_owned()));
    answering(&platform, "judge", json!({"type": "object"}), |_| Ok(json!("excellent")));
    for (document, place, message) in wrong_documents() {
        let parameters = json!({"program": document, "inputs": {"q": "?"}, "lm": lm()});
        let error = run(&session, "dspy", "run", parameters).unwrap_err();
        let code = document["module"] == "program_of_thought";
        let status = if code { Status::Unsupported } else { Status::InvalidArgument };
        assert_eq!(error.status(), status, "{error}");
        assert_eq!(error.details()["place"], place, "{error}");
        assert!(error.message().contains(message), "{error}");
        let asked = json!({"program": document});
        let verdict = run(&session, "dspy", "check_program", asked).unwrap();
        assert_eq!((&verdict["valid"], &verdict["place"]), (&json!(false), &json!(place)));
    }
    assert!(seen.lock().is_empty(), "nothing was run");

    let ask = json!({"module": "predict", "signature": "question -> answer"});
    let judged = json!({
        "module": "best_of_n",
        "programs": {"module": ask},
        "options": {"n": 3, "reward": {"kind": "host_tool", "tool": "judge"}},
    });
    let parameters = json!({"program": judged, "inputs": {"question": "Peru?"}, "lm": lm()});
    let error = run(&session, "dspy", "run", parameters).unwrap_err();
    assert_eq!(error.status(), Status::ToolFailed, "{error}");
    assert!(error.message().contains("`judge` answered"), "{error}");
    assert_eq!(seen.lock().len(), 1, "a reward that nobody can read ends the run");

    let parameters = json!({"program": ask, "inputs": {"question": "Peru?"}, "lm": lm()});
    let result = run(&session, "dspy", "run", parameters).unwrap();
    assert_eq!(result["outputs"]["answer"], "Lima");
    assert_eq!(platform.pool("").unwrap().stats()["losses"], 0);
    close(&platform);
}

/// Documents, each with the place that is wrong and a part of the message.
fn wrong_documents() -> Vec<(Json, &'static str, &'static str)> {
    let ask = json!({"module": "predict", "signature": "question -> answer"});
    vec![
        (json!({"module": "predct", "signature": "q -> a"}), "program.module", "`predict`?"),
        (json!({"module": "predict"}), "program.signature", "needs one"),
        (
            json!({"module": "predict", "signature": "q -> a: subprocess.Popen"}),
            "program.signature",
            "unknown type",
        ),
        (
            json!({"module": "ensemble", "programs": {"draft": {"module": "predict"}}}),
            "program.programs.draft.signature",
            "missing",
        ),
        (
            json!({"module": "best_of_n", "programs": {"module": ask}, "options": {"rewad": {}}}),
            "program.options",
            "did you mean `reward`?",
        ),
        (
            json!({"module": "react", "signature": "q -> a", "tools": ["atlas"]}),
            "program.tools",
            "no host tool `atlas`",
        ),
        (
            json!({"module": "python", "options": {"name": "Stampd"}}),
            "program.options.name",
            "did you mean `Stamped`?",
        ),
        (
            json!({"module": "program_of_thought", "signature": "q -> a"}),
            "program",
            "{\"interpreter\": \"local\"}",
        ),
    ]
}

#[test]
fn code_of_a_model_runs_where_the_configuration_says_so() {
    let options = json!({"interpreter": "local", "interpreter_timeout_ms": 60_000});
    let platform = platform(1, &json!({"dspy": options}));
    let session = session(&platform);
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    model(&platform, "lm", move |prompt, field| match field {
        "generated_code" if prompt.has("for ever") => {
            Some("import time\nping()\ntime.sleep(600)".to_owned())
        }
        "generated_code" if prompt.has("functions:") => Some("print(6 * ping()['n'])".to_owned()),
        "generated_code" => Some("SUBMIT({'answer': 6 * 7})".to_owned()),
        "finished" => Some("True".to_owned()),
        "answer" => prompt.has("42").then(|| "forty-two".to_owned()),
        _ => None,
    });
    answering(&platform, "ping", json!({"type": "object"}), move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        Ok(json!({"n": 7}))
    });
    let parameters = |module: &str, question: &str| {
        let mut program = json!({"module": module, "signature": "question -> answer", "lm": lm()});
        if module == "code_act" {
            program["tools"] = json!(["ping"]);
        }
        json!({"program": program, "inputs": {"question": question}})
    };
    for module in ["program_of_thought", "code_act"] {
        let result = run(&session, "dspy", "run", parameters(module, "6 * 7?")).unwrap();
        assert_eq!(result["outputs"]["answer"], "forty-two", "{module}: {result}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the code has called the host's tool");

    let endless = start(&session, &parameters("code_act", "How long is for ever?"));
    eventually("the code runs", || asked.load(Ordering::SeqCst) == 2);
    endless.cancel();
    assert_eq!(outcome(&endless).unwrap_err().status(), Status::Cancelled);
    let result = run(&session, "dspy", "run", parameters("code_act", "6 * 7?")).unwrap();
    assert_eq!(result["outputs"]["answer"], "forty-two");
    assert_eq!(platform.pool("").unwrap().stats()["losses"], 0);
    close(&platform);
}

fn start(session: &Session, parameters: &Json) -> Arc<Operation> {
    let operation = session.prepare(request("dspy", "run", parameters)).unwrap();
    operation.start(None);
    operation
}

fn store(session: &Session, name: &str, document: &Json) {
    add(session, name, "program", document);
}

fn add(session: &Session, name: &str, type_name: &str, initial: &Json) {
    let register = RegisterVariable {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        initial: Value::from_document(initial),
        constraints: None,
        metadata: None,
    };
    session.register_variable(register).unwrap();
}

#[expect(unsafe_code, reason = "a kill is a system call")]
fn kill(pid: i64) {
    // SAFETY: the process is a worker of this test's own platform.
    unsafe { libc::kill(i32::try_from(pid).unwrap(), libc::SIGKILL) };
}
