//! Content comes as it went, in both directions, and where it should lie.

use std::time::Duration;

use serde_json::json;
use snakepit_bridge::core::{Attachment, Value};
use snakepit_bridge::shared_memory;

use crate::support::{config, root};
use crate::world::{MIB, World, content, is_in_host_region, stats, tensor, tensors};

#[test]
fn sixty_four_mib_go_both_ways_bit_by_bit() {
    let world = World::open();
    let sent = tensor(64 * MIB, 3);
    let back = world.call("echo", &sent, json!({})).unwrap();
    assert!(back.attachments() == sent.attachments(), "another content, dtype or shape");
    assert_ne!(content(&back).as_ptr(), content(&sent).as_ptr());
    let regions = world.regions();
    assert_eq!((&regions["borrowed"], &regions["own"]), (&json!(1), &json!(1)));
    drop((sent, back));
    world.close();
}

#[test]
fn python_cannot_write_to_what_it_got() {
    let world = World::open();
    let facts = world.call("facts", &tensor(MIB, 0), json!({})).unwrap();
    let facts = facts.to_document().unwrap();
    assert_eq!(facts["dtype"], "float32");
    assert_eq!(facts["shape"], json!([2, MIB / 8]));
    assert_eq!(facts["writeable"], false);
    assert_eq!(facts["can_be_made_writeable"], false);
    world.close();
}

#[test]
fn blobs_go_the_same_way() {
    let world = World::open();
    let bytes: Vec<u8> = (0..251).cycle().take(251 * 8000).collect();
    let sent = Value::new(
        r#"{"$spb":{"attachment":0}}"#,
        vec![Attachment::Blob(shared_memory::bytes_of(&bytes))],
    );
    let sent = sent.unwrap();
    let back = world.call("echo", &sent, json!({})).unwrap();
    assert!(back.attachments() == sent.attachments());
    let made = world.ask("blob", json!({"bytes_count": 251 * 8000})).unwrap();
    assert!(content(&made) == &bytes);
    drop((sent, back, made));
    world.close();
}

#[test]
fn few_bytes_stay_in_their_message() {
    let world = World::open();
    let back = world.call("echo", &tensor(128 * 1024, 1), json!({})).unwrap();
    assert!(back.attachments() == tensor(128 * 1024, 1).attachments());
    assert_eq!(stats().regions, 0);
    let regions = world.regions();
    assert_eq!((&regions["borrowed"], &regions["own"]), (&json!(0), &json!(0)));
    world.close();
}

#[test]
fn bytes_from_elsewhere_are_placed_and_do_not_differ() {
    let world = World::open();
    let made = tensor(3 * MIB, 9);
    let elsewhere = bytes::Bytes::copy_from_slice(content(&made));
    let value = Value::new("null", vec![Attachment::Blob(elsewhere)]).unwrap();
    let back = world.call("echo", &value, json!({})).unwrap();
    assert!(content(&back) == content(&made));
    assert_eq!(stats().regions, 2, "the one it was made in, and the one it was placed in");
    drop((made, value, back));
    world.close();
}

#[test]
fn the_same_value_is_placed_once_however_often_it_goes() {
    let world = World::open();
    let sent = tensor(8 * MIB, 5);
    assert!(is_in_host_region(&sent));
    for _ in 0..20 {
        world.call("touch", &sent, json!({})).unwrap();
    }
    assert_eq!(stats().regions, 1);
    assert_eq!(world.regions()["borrowed"], 1);
    drop(sent);
    world.close();
}

#[test]
fn where_no_region_is_left_everything_travels_in_messages() {
    let world = World::open();
    // Address space only: nobody writes to it.
    let pool = shared_memory::pool();
    let all: Vec<_> = (0..4).map(|_| pool.blank(256 * MIB).unwrap()).collect();
    let sent = tensor(2 * MIB, 7);
    assert!(!is_in_host_region(&sent));
    let back = world.call("echo", &sent, json!({})).unwrap();
    assert!(back.attachments() == sent.attachments());
    assert_eq!(world.regions()["borrowed"], 0);
    drop((all, back));
    let back = world.call("echo", &sent, json!({})).unwrap();
    assert!(back.attachments() == sent.attachments());
    assert_eq!(world.regions()["borrowed"], 1, "as soon as there is room again");
    drop(back);
    world.close();
}

#[test]
fn the_largest_value_counts_what_lies_in_regions() {
    let mut config = tensors();
    config["values"] = json!({"bytes_max": 4 * MIB});
    let world = World::with(config);
    let refused = world.call("echo", &tensor(5 * MIB, 0), json!({})).unwrap_err();
    assert_eq!(refused.status(), snakepit_bridge::core::Status::ResourceExhausted);
    let refused = world.ask("make", json!({"mib": 5})).unwrap_err();
    assert_eq!(refused.status(), snakepit_bridge::core::Status::ResourceExhausted);
    assert!(world.ask("make", json!({"mib": 3})).is_ok());
    world.close();
}

#[test]
fn forked_workers_share_as_others_do() {
    let directory = tempfile::tempdir().unwrap();
    let module = root().join("tests/python/spb_tensormod.py");
    std::fs::copy(module, directory.path().join("spb_tensormod.py")).unwrap();
    let mut config = config(2, 8);
    let pool = &mut config["pools"]["default"];
    pool["backend"] = json!({"kind": "forkserver"});
    pool["python_path"] = json!([directory.path()]);
    pool["frameworks"] = json!({"python": {"modules": ["spb_tensormod"]}});
    let world = World::with(config);
    let sent = tensor(2 * MIB, 1);
    for _ in 0..8 {
        let back = world.call("echo", &sent, json!({})).unwrap();
        assert!(back.attachments() == sent.attachments());
    }
    assert_eq!(world.regions()["borrowed"], 1);
    drop(sent);
    world.close();
}

#[test]
fn memory_that_is_not_used_is_given_back_to_the_machine() {
    let world = World::open();
    drop(world.call("echo", &tensor(4 * MIB, 1), json!({})).unwrap());
    world.await_all_back();
    assert_ne!(stats().bytes, 0);
    shared_memory::pool().trim(Duration::ZERO);
    assert_eq!(stats().bytes, 0);
    crate::support::eventually("the worker has let go, too", || world.regions()["borrowed"] == 0);
    world.close();
}
