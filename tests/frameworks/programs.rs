//! DSPy programs with this host as their model.

use serde_json::json;

use super::model::{lm, model};
use super::support::{close, platform, run, session};

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
