//! Models at work: text in pieces and in order, labels, vectors, refusals, and what ends a
//! generation.

use serde_json::{Value as Json, json};
use snakepit_bridge::api::{ChunkOutcome, ExecuteRequest};
use snakepit_bridge::core::{Attachment, DType, Status};

use super::Test;
use super::support::{LONG, chunks, finish, outcome, request, start_stream};
use super::world::{World, call};

pub const TESTS: &[Test] = &[
    ("serving::text_comes_in_order_and_joined_it_is_the_result", text_comes_in_order),
    ("serving::a_seed_decides_what_is_drawn", seeds),
    ("serving::a_cancel_ends_a_generation_and_the_model_serves_on", cancelled),
    ("serving::a_generation_that_raises_is_told_as_what_it_is", raising),
    ("serving::what_must_not_be_loaded_is_refused", refusals),
    ("serving::embeddings_are_a_tensor_in_the_host", embeddings),
    ("serving::every_text_gets_its_labels", labels),
];

fn text_comes_in_order(world: &World) {
    let session = world.session();
    let parameters = json!({"model": "gpt", "prompt": "What does", "max_new_tokens": 24});
    let operation = start_stream(&session, "transformers", "generate", &parameters);
    let all = chunks(&operation);
    let result = outcome(&operation).unwrap().to_document().unwrap();
    let text: String = all.iter().map(|chunk| chunk["text"].as_str().unwrap()).collect();
    assert!(all.len() > 1 && all.iter().all(|chunk| chunk["type"] == "token"), "{all:?}");
    assert_eq!(result["text"], text);
    assert_eq!(result["model"], "gpt");
    let usage = &result["usage"];
    let count = |key: &str| usage[key].as_u64().unwrap();
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));
    assert_eq!(result["finish_reason"], "length");
    assert_eq!(count("completion_tokens"), 24);
    assert_eq!(call(&session, "generate", parameters).unwrap(), result);

    let stop: String = text.chars().skip(4).take(3).collect();
    let parameters =
        json!({"model": "gpt", "prompt": "What does", "max_new_tokens": 24, "stop": [stop]});
    let stopped = call(&session, "generate", parameters).unwrap();
    assert_eq!(stopped["finish_reason"], "stop");
    assert_eq!(stopped["text"], text.split(&stop).next().unwrap());
}

fn seeds(world: &World) {
    let session = world.session();
    let draw = |seed: u64| {
        let parameters = json!({
            "model": "gpt", "prompt": "The", "max_new_tokens": 16, "temperature": 1.0,
            "top_p": 0.95, "seed": seed,
        });
        call(&session, "generate", parameters).unwrap()["text"].clone()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

fn cancelled(world: &World) {
    let session = world.session();
    let before = world.workers();
    let parameters = json!({"model": "gpt", "prompt": "A calm sea", "max_new_tokens": 240});
    // The window of one chunk is never given back, so it cannot end before the cancel.
    let stream = ExecuteRequest {
        stream: true,
        stream_window: Some(1),
        ..request("transformers", "generate", &parameters)
    };
    let operation = session.prepare(stream).unwrap();
    operation.start(None);
    let ChunkOutcome::Chunk(held) = operation.next_chunk(Some(LONG)) else { panic!("no chunk") };
    operation.cancel();
    assert_eq!(outcome(&operation).unwrap_err().status(), Status::Cancelled);
    drop(held);
    serves_on(world, &before);
}

fn raising(world: &World) {
    let session = world.session();
    let before = world.workers();
    let parameters = json!({"model": world.model("broken"), "prompt": "The quick brown fox"});
    let operation = start_stream(&session, "transformers", "generate", &parameters);
    assert_eq!(chunks(&operation), Vec::<Json>::new());
    let error = outcome(&operation).unwrap_err();
    assert_eq!(error.status(), Status::PythonException);
    assert!(error.to_string().contains("index out of range"), "{error}");
    serves_on(world, &before);
}

/// The same processes as before, and every one of them generates.
fn serves_on(world: &World, before: &[Json]) {
    let ids = |told: &[Json]| told.iter().map(|each| each["process"]["id"].clone()).collect();
    let session = world.session();
    for _ in 0..4 {
        let parameters = json!({"model": "gpt", "prompt": "The", "max_new_tokens": 2});
        assert_eq!(call(&session, "generate", parameters).unwrap()["model"], "gpt");
    }
    let (before, after): (Vec<Json>, Vec<Json>) = (ids(before), ids(&world.workers()));
    assert_eq!(before, after);
}

fn refusals(world: &World) {
    let session = world.session();
    for (parameters, status, words) in [
        (json!({"model": "/etc", "prompt": "x"}), Status::InvalidArgument, "outside of the"),
        (
            json!({"model": format!("{}/../../..", world.model("gpt")), "prompt": "x"}),
            Status::InvalidArgument,
            "outside of the",
        ),
        (json!({"model": "openai-community/gpt2", "prompt": "x"}), Status::NotFound, "known are"),
        (
            json!({"model": world.model("pickled"), "prompt": "x"}),
            Status::InvalidArgument,
            "no safetensors weights",
        ),
        (json!({"model": "gpt"}), Status::InvalidArgument, "either `prompt` or `messages`"),
        (
            json!({"model": "gpt", "prompt": "x", "max_new_tokens": 1000}),
            Status::InvalidArgument,
            "can look at 256",
        ),
        (json!({"model": "minilm", "prompt": "x"}), Status::InvalidArgument, "configured for"),
        (json!({"model": "gpt", "prompt": "x", "heat": 1}), Status::InvalidArgument, "heat"),
    ] {
        let error = call(&session, "generate", parameters.clone()).unwrap_err();
        assert_eq!(error.status(), status, "{parameters}: {error}");
        assert!(error.to_string().contains(words), "{parameters}: {error}");
    }
}

fn embeddings(world: &World) {
    let session = world.session();
    let texts =
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."];
    let parameters = json!({"model": "minilm", "texts": texts, "batch_size": 2});
    let operation = session.prepare(request("transformers", "embed", &parameters)).unwrap();
    let value = finish(operation).unwrap();
    let [Attachment::Tensor(tensor)] = value.attachments() else { panic!("no tensor: {value:?}") };
    assert_eq!((tensor.dtype(), tensor.shape()), (DType::Float32, [3, 384].as_slice()));
    let numbers: Vec<f32> = tensor
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let rows: Vec<&[f32]> = numbers.chunks_exact(384).collect();
    let cosine = |a: usize, b: usize| {
        rows[a].iter().zip(rows[b]).map(|(x, y)| f64::from(x * y)).sum::<f64>()
    };
    assert!((cosine(0, 0) - 1.0).abs() < 1e-5);
    for (a, b, expected) in COSINES {
        assert!((cosine(a, b) - expected).abs() < 1e-4, "{a} {b}: {}", cosine(a, b));
    }
}

fn labels(world: &World) {
    let session = world.session();
    let parameters = json!({"model": world.model("classifier"), "texts": ["calm", "wild", "sea"]});
    let result = call(&session, "classify", parameters).unwrap();
    let results = result["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for found in results {
        let scores: Vec<f64> =
            found.as_array().unwrap().iter().map(|each| each["score"].as_f64().unwrap()).collect();
        assert!(scores.len() == 2 && scores[0] >= scores[1], "{found}");
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{found}");
    }
    let parameters =
        json!({"model": world.model("mask"), "texts": ["The <|mask|> fox"], "top_k": 3});
    let result = call(&session, "fill_mask", parameters).unwrap();
    assert_eq!(result["results"][0][0].as_array().unwrap().len(), 3);
    let parameters = json!({"model": world.model("tagger"), "texts": ["The fox"]});
    let result = call(&session, "token_classify", parameters).unwrap();
    let entity = &result["results"][0][0];
    assert!(["calm", "wild"].contains(&entity["label"].as_str().unwrap()), "{entity}");
}

/// As sentence-transformers publishes them for this model and these sentences, in four digits.
const COSINES: [(usize, usize, f64); 3] = [(0, 1, 0.6660), (0, 2, 0.1046), (1, 2, 0.1411)];
