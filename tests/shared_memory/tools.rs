//! Large content in what is not a call's parameter or result: chunks, tool calls, tool answers.

use serde_json::json;
use snakepit_bridge::api::{ChunkOutcome, ExecuteRequest};

use crate::support::{LONG, outcome, request, tool};
use crate::world::{MIB, World, content, tensor};

#[test]
fn tools_get_and_give_large_content() {
    let world = World::open();
    tool(&world.platform, None, "twice", |invocation| {
        // What a tool gives back may lie in the worker's own memory.
        Some(Ok(invocation.arguments().clone()))
    });
    let sent = tensor(2 * MIB, 8);
    let back = world.call("through_tool", &sent, json!({"name": "twice"})).unwrap();
    assert!(back.attachments() == sent.attachments());
    drop((sent, back));
    world.close();
}

#[test]
fn each_chunk_keeps_its_own_content() {
    let world = World::open();
    let parameters = json!({"mib": 1, "count": 40});
    let stream = ExecuteRequest { stream: true, ..request("chunks", &parameters) };
    let operation = world.session.prepare(stream).unwrap();
    operation.start(None);
    let mut kept = Vec::new();
    while let ChunkOutcome::Chunk(value) = operation.next_chunk(Some(LONG)) {
        kept.push(value);
    }
    outcome(&operation).unwrap();
    assert_eq!(kept.len(), 40);
    for (number, value) in (0..).zip(&kept) {
        assert!(content(value).iter().all(|&byte| byte == number), "chunk {number}");
    }
    drop(kept);
    world.close();
}
