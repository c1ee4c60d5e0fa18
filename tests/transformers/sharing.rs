//! What forked workers share of the models that their template loaded.

use serde_json::json;

use super::Test;
use super::world::{World, call};

pub const TESTS: &[Test] =
    &[("sharing::workers_share_the_weights_of_preloaded_models", weights_are_shared)];

fn weights_are_shared(world: &World) {
    let session = world.session();
    // Reading weights does not copy them.
    for _ in 0..4 {
        let prompt = json!({"model": "large", "prompt": "The quick", "max_new_tokens": 2});
        assert_eq!(call(&session, "generate", prompt).unwrap()["finish_reason"], "length");
    }
    for told in world.workers() {
        let models = told["models"].as_array().unwrap();
        let large = models.iter().find(|each| each["name"] == "large").unwrap();
        assert_eq!(large["loaded"], true);
        let bytes = large["bytes"].as_u64().unwrap();
        let private = told["process"]["private_bytes"].as_u64().unwrap();
        assert!(bytes > 200_000_000, "{large}");
        assert!(private < bytes, "{private} private bytes in a worker, {bytes} of the model");
    }
}
