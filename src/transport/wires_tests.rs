//! Who runs what when, on wires without connections.

use std::sync::mpsc::{Sender, channel};
use std::thread::ThreadId;

use super::*;
use crate::transport::Sleepers;

fn wires(count: usize) -> Wires {
    Wires::start(count, Duration::ZERO, LogDispatch::default(), || {}).unwrap()
}

/// What runs here says where it ends.
struct Told(Sender<ThreadId>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.send(std::thread::current().id()).unwrap();
    }
}

/// The thread on which the runtime runs a task now.
fn thread_of(runtime: &Handle) -> ThreadId {
    let (here, there) = channel();
    runtime.spawn(async move { here.send(std::thread::current().id()).unwrap() });
    there.recv().unwrap()
}

/// Lets the own thread give the seat up, as a message does that somebody waits for.
fn make_room(wires: &Wires) {
    while wires.seats().sit().is_none() {
        let (runtime, wire) = wires.each().next().unwrap();
        let wire = wire.clone();
        let (done, noted) = channel();
        runtime.spawn(async move {
            wire.note_message(1, 1, true);
            done.send(()).unwrap();
        });
        noted.recv().unwrap();
    }
}

#[test]
fn tasks_stay_on_their_thread_and_end_with_it() {
    let wires = wires(2);
    let (sender, ended) = channel();
    let mut began = Vec::new();
    for (runtime, _) in wires.each() {
        began.push(thread_of(runtime));
        let told = Told(sender.clone());
        runtime.spawn(async move {
            std::future::pending::<()>().await;
            drop(told);
        });
    }
    assert_ne!(began[0], began[1]);
    drop(wires);
    let mut ends: Vec<_> = ended.try_iter().collect();
    ends.sort_by_key(|id| began[0] != *id);
    assert_eq!(ends, began);
}

#[test]
fn a_thread_that_waits_runs_the_tasks_and_the_own_thread_does_once_it_has_left() {
    let wires = wires(1);
    let runtime = wires.each().next().unwrap().0.clone();
    let own = thread_of(&runtime);
    let here = std::thread::current().id();
    let (ran_on, sleepers) = (Arc::new(Mutex::new(None)), Arc::new(Sleepers::default()));
    // The own thread is quicker now and then, when this one comes late to its seat.
    while *ran_on.lock() != Some(here) {
        make_room(&wires);
        let mut guard = ran_on.lock();
        *guard = None;
        runtime.spawn({
            let (ran_on, sleepers) = (ran_on.clone(), sleepers.clone());
            async move {
                *ran_on.lock() = Some(std::thread::current().id());
                sleepers.notify_one();
            }
        });
        while guard.is_none() {
            sleepers.wait(&mut guard, None, Some(wires.seats()));
        }
    }
    assert_eq!(thread_of(&runtime), own);
}

#[test]
fn a_guests_turn_ends_when_another_one_waits_and_a_message_came() {
    let wires = wires(1);
    let turn = loop {
        make_room(&wires);
        if let Some(turn) = wires.seats().sit() {
            break turn;
        }
    };
    let seats = wires.seats().clone();
    std::thread::spawn(move || assert!(seats.sit().is_none())).join().unwrap();
    let (runtime, wire) = wires.each().next().unwrap();
    let wire = wire.clone();
    runtime.spawn(async move { wire.note_message(1, 1, true) });
    assert!(!turn.is_asked());
    turn.drive(None);
    assert!(turn.is_asked());
}

#[test]
fn who_sends_what_becomes_of_what_it_takes_drives_however_much_comes() {
    let wires = wires(1);
    let wire = wires.each().next().unwrap().1.clone();
    assert!(wires.seats().sit().is_none());
    wire.note_message(8, 8, true);
    assert!(!wire.is_free(), "who waits has sent nothing");
    wire.note_sender();
    assert!(wires.seats().sit().is_none());
    wire.note_message(8, 8, false);
    assert!(!wire.is_free(), "it takes its time");
    wire.note_message(8, 8, true);
    assert!(wire.is_free());
}

#[test]
fn the_end_of_the_wires_ends_a_guests_turn() {
    let wires = wires(1);
    let seats = wires.seats().clone();
    let (sits, sat) = channel();
    make_room(&wires);
    let guest = std::thread::spawn(move || {
        let turn = seats.sit();
        sits.send(turn.is_some()).unwrap();
        turn.iter().for_each(|turn| turn.drive(None));
    });
    sat.recv().unwrap();
    drop(wires);
    guest.join().unwrap();
}
