//! What forked workers share of the models that their template loaded.

use serde_json::json;

use super::Test;
use super::world::{WORKERS, World};

pub const TESTS: &[Test] =
    &[("sharing::workers_share_the_weights_of_preloaded_models", weights_are_shared)];

fn weights_are_shared(world: &World) {
    assert_eq!(world.at_first.len(), WORKERS);
    for told in &world.at_first {
        let models = told["models"].as_array().unwrap();
        let large = models.iter().find(|each| each["name"] == "large").unwrap();
        assert_eq!((&large["loaded"], &large["device"]), (&json!(true), &json!("cpu")), "{large}");
        let bytes = large["bytes"].as_u64().unwrap();
        let private = told["process"]["private_bytes"].as_u64().unwrap();
        assert!(bytes > 200_000_000, "{large}");
        assert!(private < bytes / 2, "{private} private bytes in a worker, {bytes} of the model");
    }
}
