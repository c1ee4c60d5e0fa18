//! The link's rules without a network: what Python does and what the host does, in every order that
//! matters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use snakepit_bridge_proto::host_frame::Kind as Host;
use snakepit_bridge_proto::worker_frame::Kind;
use tokio::time::Instant;

use super::*;
use crate::engine::outbox::Take;
use crate::engine::{Attempt, Item};
use crate::limits::{
    DUE_AFTER, DUE_BYTES, DUE_FRAMES, FRAMES_PER_MESSAGE_MAX, LIGHT_BYTES, MESSAGE_BYTES_SOFT_MAX,
    OUTBOX_FRAMES_MAX, OUTBOX_LOGS_MAX, PASS_ON_EACH, PONGS_MAX, REQUESTS_MAX,
};

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn host(state: &mut State, kinds: impl IntoIterator<Item = Host>) {
    let frames = kinds.into_iter().map(|kind| pb::HostFrame { kind: Some(kind) }).collect();
    state.receive(frames, Instant::now());
}

fn call(call_id: u64, chunk_credit: u32) -> Host {
    Host::Call(pb::Call { call_id, chunk_credit, ..pb::Call::default() })
}

fn with_call(chunk_credit: u32) -> State {
    let mut state = State::default();
    host(&mut state, [call(1, chunk_credit)]);
    assert!(matches!(state.take_batch(10), Attempt::Done(Some(batch)) if batch.len() == 1));
    state
}

fn chunk(state: &mut State, call_id: u64) -> Attempt<Result<(), Refusal>> {
    state.send_chunk(call_id, &mut Some(pb::Payload::default()))
}

fn result(state: &mut State, call_id: u64) -> Attempt<Result<(), Refusal>> {
    let outcome = pb::call_result::Outcome::Payload(pb::Payload::default());
    state.send_result(call_id, &mut Some(outcome))
}

fn ask(state: &mut State, call_id: u64) -> Attempt<Result<u64, Refusal>> {
    let mut frame = Some(|request_id| {
        Kind::ToolRequest(pb::ToolRequest { call_id, request_id, ..pb::ToolRequest::default() })
    });
    state.open_request(call_id, true, &mut frame)
}

fn message(state: &mut State) -> Option<Vec<Kind>> {
    match state.outbox.take(Waker::noop()).0 {
        Take::Message(message) => {
            Some(message.frames.into_iter().filter_map(|frame| frame.kind).collect())
        }
        Take::Nothing | Take::End => None,
    }
}

#[test]
fn a_result_is_not_tried_where_the_call_is_over_or_was_given_up() {
    let mut state = with_call(0);
    host(&mut state, [call(2, 0), call(3, 0)]);
    let payload = pb::Payload::default;
    assert!(state.try_send_result(1, payload()));
    assert!(!state.try_send_result(1, payload()), "it has its result");
    host(&mut state, [Host::Cancel(pb::CallCancel { call_id: 2, reason: 9 })]);
    assert!(!state.try_send_result(2, payload()));
    assert!(matches!(result(&mut state, 2), Attempt::Done(Ok(()))), "that was nothing");
    state.close("over");
    assert!(!state.try_send_result(3, payload()));
}

#[test]
fn credit_is_spent_and_numbers_count_on() {
    let mut state = with_call(1);
    assert!(matches!(chunk(&mut state, 1), Attempt::Done(Ok(()))));
    assert!(matches!(chunk(&mut state, 1), Attempt::Wait(_)));
    host(&mut state, [Host::Credit(pb::CallCredit { call_id: 1, chunks: 2 })]);
    assert!(matches!(chunk(&mut state, 1), Attempt::Done(Ok(()))));
    let sent = message(&mut state).unwrap();
    let numbers: Vec<_> = sent
        .iter()
        .map(|kind| match kind {
            Kind::Chunk(chunk) => chunk.sequence,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [0, 1]);
}

#[test]
fn nothing_can_be_done_for_a_call_that_is_over_cancelled_or_unknown() {
    for (end, expected) in [(None, Refusal::ended(1)), (Some(10), Refusal::cancelled(1, 10))] {
        let mut state = with_call(5);
        match end {
            Some(reason) => {
                host(&mut state, [Host::Cancel(pb::CallCancel { call_id: 1, reason })]);
            }
            None => assert!(matches!(result(&mut state, 1), Attempt::Done(Ok(())))),
        }
        assert!(state.is_cancelled(1));
        assert!(matches!(chunk(&mut state, 1), Attempt::Done(Err(found)) if found == expected));
        assert!(matches!(ask(&mut state, 1), Attempt::Done(Err(found)) if found == expected));
        let again = result(&mut state, 1);
        match end {
            Some(_) => assert!(matches!(again, Attempt::Done(Ok(()))), "it still ends once"),
            None => assert!(matches!(again, Attempt::Done(Err(Refusal::NoCall(1))))),
        }
    }
    assert!(State::default().is_cancelled(77));
}

#[test]
fn after_the_close_everything_is_refused_and_what_came_is_handed_out() {
    let mut state = with_call(5);
    host(&mut state, [call(2, 0)]);
    state.close("first");
    state.close("second");
    let closed = Refusal::Closed("first".into());
    assert_eq!(state.closed(), Some(&closed));
    assert!(matches!(chunk(&mut state, 1), Attempt::Done(Err(found)) if found == closed));
    assert!(matches!(result(&mut state, 1), Attempt::Done(Err(found)) if found == closed));
    assert!(matches!(ask(&mut state, 1), Attempt::Done(Err(found)) if found == closed));
    assert_eq!(state.send_drained(), Err(closed));
    assert!(matches!(state.take_batch(10), Attempt::Done(Some(batch)) if batch.len() == 1));
    assert!(matches!(state.take_batch(10), Attempt::Done(None)));
    assert!(matches!(state.outbox.take(Waker::noop()).0, Take::End));
}

#[test]
fn a_message_is_bounded_by_frames_and_by_bytes() {
    let mut state = with_call(100_000);
    for _ in 0..FRAMES_PER_MESSAGE_MAX + 1 {
        assert!(matches!(chunk(&mut state, 1), Attempt::Done(Ok(()))));
    }
    assert_eq!(message(&mut state).unwrap().len(), FRAMES_PER_MESSAGE_MAX);
    assert_eq!(message(&mut state).unwrap().len(), 1);
    for bytes in [MESSAGE_BYTES_SOFT_MAX * 4, MESSAGE_BYTES_SOFT_MAX / 2, 10, 10] {
        let payload = pb::Payload { json: vec![b' '; bytes].into(), ..pb::Payload::default() };
        assert!(matches!(state.send_chunk(1, &mut Some(payload)), Attempt::Done(Ok(()))));
    }
    assert_eq!(message(&mut state).unwrap().len(), 1, "a large frame travels alone");
    assert_eq!(message(&mut state).unwrap().len(), 3);
    assert!(message(&mut state).is_none());
}

#[test]
fn a_full_queue_makes_wait_and_announces_room_once_at_half() {
    let mut state = with_call(u32::MAX);
    host(&mut state, [call(2, 1)]);
    for _ in 0..OUTBOX_FRAMES_MAX {
        assert!(matches!(chunk(&mut state, 1), Attempt::Done(Ok(()))));
    }
    assert!(matches!(chunk(&mut state, 1), Attempt::Wait(_)));
    assert!(matches!(result(&mut state, 1), Attempt::Wait(_)));
    assert!(matches!(ask(&mut state, 1), Attempt::Wait(_)));
    assert!(!state.is_cancelled(1), "the waiting result has not ended the call");
    let mut announced_at = Vec::new();
    let mut left = OUTBOX_FRAMES_MAX;
    while left > 0 {
        let (take, is_room) = state.outbox.take(Waker::noop());
        assert!(matches!(take, Take::Message(_)));
        left -= FRAMES_PER_MESSAGE_MAX;
        announced_at.extend(is_room.then_some(left));
    }
    assert_eq!(announced_at, [OUTBOX_FRAMES_MAX / 2]);
}

#[test]
fn the_writer_is_woken_once_for_many_frames() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut state = with_call(10);
    let drive = Drive::default();
    let _driver = drive.begin();
    assert!(matches!(state.outbox.take(&waker).0, Take::Nothing));
    for _ in 0..3 {
        assert!(matches!(chunk(&mut state, 1), Attempt::Done(Ok(()))));
        state.take_wakes().fire(&drive);
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

/// Many results wait, and the calling thread has queued them.
fn with_results_of_its_own(count: usize) -> State {
    let mut state = State::default();
    state.seat.give_up();
    host(&mut state, (1..=count as u64).map(|call_id| call(call_id, 0)));
    assert!(matches!(state.take_batch(count), Attempt::Done(Some(batch)) if batch.len() == count));
    for call_id in 1..=count as u64 {
        assert!(matches!(result(&mut state, call_id), Attempt::Done(Ok(()))));
    }
    state
}

#[test]
fn a_listener_sends_what_it_has_queued_when_that_is_much_and_nobody_drives() {
    let mut state = with_results_of_its_own(DUE_FRAMES);
    assert!(state.is_due());
    assert!(state.seat.sit(Guest::Passing));
    assert!(!state.is_due(), "who drives does it");
    state.rise();
    std::thread::scope(|threads| {
        threads.spawn(|| assert!(!state.is_due(), "another thread has not taken them"));
    });
    state.pass_on();
    assert!(!state.is_due(), "it listens no more");
}

/// Whether the link's thread leaves the seat to a listener that has come back, `pause` after it
/// took a frame, when two more come.
fn is_left_to_a_listener(pause: Duration, json: &'static [u8]) -> bool {
    let mut state = with_call(0);
    let until = Instant::now() + pause;
    while Instant::now() <= until {}
    let Attempt::Wait(arrived) = state.take_batch(1) else { panic!("nothing has come") };
    assert!(!state.sit(&arrived), "the link's thread drives");
    let parameters = Some(pb::Payload { json: json.into(), ..pb::Payload::default() });
    let calls = (2..=3).map(|call_id| {
        Host::Call(pb::Call { call_id, parameters: parameters.clone(), ..pb::Call::default() })
    });
    host(&mut state, calls);
    state.note_message(2)
}

#[test]
fn a_listener_that_is_quick_drives_for_what_is_light() {
    let tries = || (0..100).map(|_| is_left_to_a_listener(Duration::ZERO, b"{}"));
    assert!(tries().any(|is_left| is_left), "at least while the machine lets it");
    assert!(!is_left_to_a_listener(PASS_ON_EACH, b"{}"), "others' results would wait for it");
    assert!(!is_left_to_a_listener(Duration::ZERO, &[b' '; LIGHT_BYTES + 1]));
}

#[test]
fn what_waits_is_due_by_frames_by_bytes_and_by_time() {
    let now = Instant::now();
    let mut outbox = Outbox::default();
    assert!(!outbox.is_due(now + DUE_AFTER), "there is nothing");
    outbox.push(Kind::Drained(pb::Drained {}));
    assert!(!outbox.is_due(now) && outbox.is_due(Instant::now() + DUE_AFTER));
    assert!(matches!(outbox.take(Waker::noop()).0, Take::Message(_)));
    assert!(!outbox.is_due(Instant::now() + DUE_AFTER), "it was sent");
    for _ in 0..DUE_FRAMES {
        assert!(!outbox.is_due(now));
        outbox.push(Kind::Drained(pb::Drained {}));
    }
    assert!(outbox.is_due(now));
    assert!(matches!(outbox.take(Waker::noop()).0, Take::Message(_)));
    let payload = Some(pb::Payload { json: vec![b' '; DUE_BYTES].into(), ..Default::default() });
    outbox.push(Kind::Chunk(pb::CallChunk { payload, ..pb::CallChunk::default() }));
    assert!(outbox.is_due(now));
}

#[test]
fn heartbeats_go_first_and_are_bounded() {
    let mut state = with_call(1);
    assert!(matches!(chunk(&mut state, 1), Attempt::Done(Ok(()))));
    let pings = (0..1000).map(|number| Host::Ping(pb::Ping { number }));
    host(&mut state, pings);
    let sent = message(&mut state).unwrap();
    assert_eq!(sent.len(), PONGS_MAX + 1);
    assert!(matches!(sent.first(), Some(Kind::Pong(pb::Pong { number: 0 }))));
    assert!(matches!(sent.last(), Some(Kind::Chunk(_))));
}

#[test]
fn log_records_beyond_the_bound_are_counted_in_the_next() {
    let mut state = State::default();
    for _ in 0..OUTBOX_LOGS_MAX + 7 {
        state.outbox.push_log(pb::LogRecord::default());
    }
    let mut sent = 0;
    while let Some(kinds) = message(&mut state) {
        sent += kinds.len();
    }
    assert_eq!(sent, OUTBOX_LOGS_MAX);
    state.outbox.push_log(pb::LogRecord::default());
    let last = message(&mut state).unwrap();
    assert!(matches!(last.as_slice(), [Kind::Log(record)] if record.dropped == 7));
}

#[test]
fn a_host_that_floods_the_inbox_is_cut_off() {
    let mut state = State::default();
    host(&mut state, (0..=INBOX_FRAMES_MAX).map(|_| Host::Drain(pb::Drain {})));
    assert!(matches!(state.closed(), Some(Refusal::Closed(_))));
}

#[test]
fn requests_end_with_their_objects_and_are_bounded() {
    let mut state = with_call(0);
    for number in 1..=REQUESTS_MAX {
        // The frames are taken meanwhile, or the queue would be full first.
        while message(&mut state).is_some() {}
        assert!(matches!(ask(&mut state, 1), Attempt::Done(Ok(id)) if id == number as u64));
    }
    assert!(matches!(ask(&mut state, 1), Attempt::Done(Err(Refusal::RequestsFull))));
    for id in 1..=REQUESTS_MAX as u64 {
        state.forget_request(id);
    }
    assert!(state.requests.is_empty() && state.calls[&1].requests.is_empty());
    assert!(matches!(state.take_item(1), Attempt::Done(Ok(Item::End))));
}
