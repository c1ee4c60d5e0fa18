//! How long content stays what it is, and that its memory comes back in every way that it can end.

use serde_json::json;
use snakepit_bridge::core::Status;

use crate::support::{begin, eventually, outcome};
use crate::world::{MIB, World, content, descriptors, is_in_host_region, stats, tensor};

#[test]
fn a_view_outlives_its_call_and_its_region_comes_back_with_it() {
    let world = World::open();
    let sent = tensor(2 * MIB, 1);
    let digest = world.call("keep", &sent, json!({"name": "a"})).unwrap().to_document().unwrap();
    drop(sent);
    for seed in 2..10 {
        drop(world.call("echo", &tensor(2 * MIB, seed), json!({})).unwrap());
    }
    assert_eq!(world.facts("kept", json!({"name": "a"})), digest);
    assert!(stats().free_bytes < stats().bytes, "Python still looks at one");
    world.ask("forget", json!({"name": "a"})).unwrap();
    world.await_all_back();
    let before = stats().regions;
    drop(world.call("echo", &tensor(2 * MIB, 99), json!({})).unwrap());
    assert_eq!(stats().regions, before, "it is used again");
    world.close();
}

#[test]
fn a_result_outlives_its_worker() {
    let world = World::open();
    let first = world.ask("make", json!({"mib": 2})).unwrap();
    let second = world.ask("make", json!({"mib": 2})).unwrap();
    assert_eq!((content(&first)[0], content(&second)[0]), (1, 2), "each has memory of its own");
    let died = world.ask("die", json!({})).unwrap_err();
    assert_eq!(died.status(), Status::WorkerLost);
    assert_eq!(content(&first)[..4], [1, 1, 2, 3]);
    assert_eq!(content(&second)[..4], [2, 1, 2, 3]);
    drop((first, second));
    world.close();
}

#[test]
fn a_killed_worker_looks_at_nothing_any_more() {
    let world = World::open();
    for name in ["a", "b", "c"] {
        world.call("keep", &tensor(2 * MIB, 1), json!({"name": name})).unwrap();
    }
    assert_eq!(stats().regions, 3);
    assert_eq!(stats().free_bytes, 0);
    let died = world.call("die", &tensor(2 * MIB, 1), json!({})).unwrap_err();
    assert_eq!(died.status(), Status::WorkerLost);
    world.await_all_back();
    assert!(world.call("touch", &tensor(2 * MIB, 1), json!({})).is_ok(), "the next one serves");
    world.close();
}

#[test]
fn two_hundred_rounds_leave_no_descriptor_and_no_memory_behind() {
    let world = World::open();
    let round = |seed: u8| {
        let sent = tensor(MIB, seed);
        let back = world.call("echo", &sent, json!({})).unwrap();
        assert!(back.attachments() == sent.attachments());
    };
    (0..10).for_each(round);
    world.await_all_back();
    let (before, regions, of_worker) = (descriptors(), stats().regions, world.regions());
    (10..210).for_each(round);
    world.await_all_back();
    assert!(stats().regions <= regions + 2, "{} regions, before {regions}", stats().regions);
    assert!(descriptors() <= before + 2, "{} descriptors, before {before}", descriptors());
    let now = world.regions();
    for what in ["own", "borrowed", "descriptors"] {
        let (now, before) = (now[what].as_u64().unwrap(), of_worker[what].as_u64().unwrap());
        assert!(now <= before + 2, "{what}: {now}, before {before}");
    }
    world.close();
}

#[test]
fn a_result_that_nobody_waits_for_is_given_back() {
    let world = World::open();
    for _ in 0..20 {
        let operation = begin(&world.session, "make", json!({"mib": 8}));
        operation.cancel();
        let _ = outcome(&operation);
    }
    eventually("nothing runs", || world.platform.pool("").unwrap().stats()["running"] == 0);
    // Far fewer regions than calls: each was used again.
    let own = world.regions()["own"].as_u64().unwrap();
    assert!(own <= 10, "{own} regions of the worker's own");
    let last = world.ask("make", json!({"mib": 8})).unwrap();
    assert_eq!(content(&last).len(), 8 * MIB);
    drop(last);
    world.close();
}

#[test]
fn a_variable_is_placed_when_it_is_written_and_only_looked_at_from_then_on() {
    let world = World::open();
    world.ask("store", json!({"name": "weights", "mib": 4})).unwrap();
    let stored = world.session.get_variable("weights").unwrap().0;
    assert!(is_in_host_region(&stored), "no memory of a worker's");
    let first = world.facts("read", json!({"name": "weights"}));
    for _ in 0..20 {
        assert_eq!(world.facts("read", json!({"name": "weights"})), first, "the same address");
    }
    assert_eq!(stats().regions, 1);
    let died = world.ask("die", json!({})).unwrap_err();
    assert_eq!(died.status(), Status::WorkerLost);
    assert_eq!(world.facts("read", json!({"name": "weights"}))[0], first[0]);
    drop(stored);
    world.close();
}

#[test]
fn a_forked_child_of_the_worker_reads_and_disturbs_nobody() {
    let world = World::open();
    let sent = tensor(2 * MIB, 4);
    let digest = world.call("keep", &sent, json!({"name": "a"})).unwrap();
    for _ in 0..5 {
        let seen = world.call("read_in_child", &sent, json!({})).unwrap();
        assert_eq!(seen, digest);
    }
    drop(sent);
    drop(world.call("echo", &tensor(2 * MIB, 77), json!({})).unwrap());
    assert_eq!(world.facts("kept", json!({"name": "a"})), digest.to_document().unwrap());
    world.close();
}
