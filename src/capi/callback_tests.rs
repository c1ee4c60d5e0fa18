//! Callback threads: order within a sink, parallel sinks, and data destroyed once, after the last
//! callback.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::capi::event::spb_event;
use crate::capi::item::{Entry, Item};
use crate::core::Value;
use crate::telemetry::LogDispatch;
use crate::transport::Wires;

use super::*;

/// What the callbacks of one sink saw.
#[derive(Default)]
struct Seen {
    tags: Mutex<Vec<u64>>,
    destroyed: AtomicUsize,
    running: AtomicUsize,
    overlaps: AtomicUsize,
    refused: AtomicUsize,
    changed: Condvar,
}

impl Seen {
    fn wait(&self, until: impl Fn(&[u64], usize) -> bool) {
        let deadline = std::time::Duration::from_secs(30);
        let mut tags = self.tags.lock();
        while !until(&tags, self.destroyed.load(Ordering::SeqCst)) {
            assert!(!self.changed.wait_for(&mut tags, deadline).timed_out(), "nothing came");
        }
    }
}

unsafe extern "C" fn record(user_data: *mut c_void, event: *mut spb_event) {
    // SAFETY: the tests pass a `Seen` that outlives the sink, and the event is this call's own.
    let (seen, event) = unsafe { (&*user_data.cast::<Seen>(), &*event) };
    if seen.running.fetch_add(1, Ordering::SeqCst) != 0 {
        seen.overlaps.fetch_add(1, Ordering::SeqCst);
    }
    if refuse_blocking().is_err() {
        seen.refused.fetch_add(1, Ordering::SeqCst);
    }
    assert_eq!(seen.destroyed.load(Ordering::SeqCst), 0);
    seen.running.fetch_sub(1, Ordering::SeqCst);
    seen.tags.lock().push(event.tag);
    seen.changed.notify_all();
}

unsafe extern "C" fn destroy(user_data: *mut c_void) {
    // SAFETY: as above.
    let seen = unsafe { &*user_data.cast::<Seen>() };
    let tags = seen.tags.lock();
    seen.destroyed.fetch_add(1, Ordering::SeqCst);
    drop(tags);
    seen.changed.notify_all();
}

fn sink(pool: &Arc<CallbackPool>, seen: &Arc<Seen>) -> Arc<CallbackSink> {
    let pointer = Arc::as_ptr(seen).cast_mut().cast();
    CallbackSink::new(pool, record, UserData::new(pointer, Some(destroy))).unwrap()
}

fn event(tag: u64) -> Entry {
    Entry { tag, item: Item::Done { operation: 0, outcome: Ok(Value::null()), chunks: 0 } }
}

#[test]
fn one_sinks_callbacks_run_in_order_one_at_a_time_and_may_not_wait() {
    let pool = CallbackPool::new(4, None);
    let seen = Arc::new(Seen::default());
    let sink = sink(&pool, &seen);
    for tag in 0..1000 {
        sink.push(event(tag));
    }
    assert!(sink.wait_drained(Some(Duration::from_secs(30))));
    assert_eq!(*seen.tags.lock(), (0..1000).collect::<Vec<_>>());
    assert_eq!(seen.overlaps.load(Ordering::SeqCst), 0);
    assert_eq!(seen.refused.load(Ordering::SeqCst), 1000);
    assert!(refuse_blocking().is_ok());
    drop(sink);
    seen.wait(|_, destroyed| destroyed == 1);
    pool.stop();
    pool.wait_ended(Duration::from_secs(30));
    assert_eq!(pool.state.lock().threads, 0);
}

#[test]
fn data_is_destroyed_once_after_the_events_that_still_waited() {
    let pool = CallbackPool::new(2, None);
    let seen = Arc::new(Seen::default());
    let sink = sink(&pool, &seen);
    for tag in 0..200 {
        sink.push(event(tag));
    }
    pool.stop();
    drop(sink);
    seen.wait(|_, destroyed| destroyed == 1);
    assert_eq!(seen.tags.lock().len(), 200);
    pool.wait_ended(Duration::from_secs(30));
    assert_eq!(pool.state.lock().threads, 0);
    // A sink that comes after the end, such as that of a second shutdown, finds a thread again.
    let late = Arc::new(Seen::default());
    let sink = self::sink(&pool, &late);
    sink.push(event(1));
    drop(sink);
    late.wait(|tags, destroyed| tags == [1] && destroyed == 1);
}

#[test]
fn a_turn_comes_after_the_callbacks_before_it() {
    let pool = CallbackPool::new(4, None);
    let seen = Arc::new(Seen::default());
    let sink = sink(&pool, &seen);
    let count = Arc::new(Mutex::new(None));
    for tag in 0..100 {
        sink.push(event(tag));
    }
    let turn = {
        let (seen, count) = (seen.clone(), count.clone());
        move || *count.lock() = Some(seen.tags.lock().len())
    };
    sink.push(Entry { tag: 0, item: Item::Turn(Box::new(turn)) });
    assert!(sink.wait_drained(None));
    assert_eq!(*count.lock(), Some(100));
    drop(sink);
    seen.wait(|_, destroyed| destroyed == 1);
}

/// The thread on which it is called.
unsafe extern "C" fn tell_thread(user_data: *mut c_void, _: *mut spb_event) {
    // SAFETY: the test passes a `Sender` that outlives the sink.
    let says = unsafe { &*user_data.cast::<Sender<ThreadId>>() };
    says.send(std::thread::current().id()).unwrap();
}

#[test]
fn a_thread_without_work_reads_what_brings_it_some() {
    let wires = Wires::start(1, Duration::ZERO, LogDispatch::default(), || {}).unwrap();
    let pool = CallbackPool::new(1, Some(wires.seats().clone()));
    let (says, called_on) = channel();
    let user = UserData::new((&raw const says).cast_mut().cast(), None);
    let sink = CallbackSink::new(&pool, tell_thread, user).unwrap();
    let (runtime, wire) = wires.each().next().unwrap();
    let (says_read, read_on) = channel();
    // The wire's own thread drives until a message has come that somebody waited for.
    loop {
        let (sink, wire, says_read) = (sink.clone(), wire.clone(), says_read.clone());
        runtime.spawn(async move {
            wire.note_message(1, 1, true);
            says_read.send(std::thread::current().id()).unwrap();
            sink.push(event(1));
        });
        if read_on.recv().unwrap() == called_on.recv().unwrap() {
            break;
        }
    }
    pool.stop();
    drop(sink);
    pool.wait_ended(Duration::from_secs(30));
    assert_eq!(pool.state.lock().threads, 0);
}
