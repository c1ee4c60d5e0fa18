//! The worker's machine: the whole table, and what must hold for every way through it.

use std::collections::HashSet;

use super::*;

const STATES: [WorkerState; 9] = [
    WorkerState::Starting,
    WorkerState::Ready,
    WorkerState::Draining(Manner::Polite),
    WorkerState::Draining(Manner::Forced),
    WorkerState::Stopping,
    WorkerState::Aborting,
    WorkerState::Killing,
    WorkerState::Abandoning,
    WorkerState::Dead,
];

const EVENTS: [Event; 11] = [
    Event::BecameReady,
    Event::StartFailed,
    Event::LinkLost,
    Event::ProbeFailed,
    Event::MemoryExceeded,
    Event::DrainAsked,
    Event::RecycleAsked,
    Event::LeaveAsked,
    Event::Idle,
    Event::GraceOver,
    Event::ProcessGone,
];

/// One letter per state: S tarting, R eady, P olite drain, F orced drain, T (stopping), B
/// (aborting), K illing, A bandoning, D ead.
fn letter(state: WorkerState) -> char {
    let at = STATES.iter().position(|known| *known == state).unwrap();
    "SRPFTBKAD".chars().nth(at).unwrap()
}

#[test]
fn every_pair_of_state_and_event() {
    // Columns in the order of EVENTS.
    let table = [
        "RKKKKKKKSSD",
        "RRTBKPFTRRD",
        "PPPBKPFTPTD",
        "FFKKKFFKKKD",
        "TTTKKTKTTKD",
        "BBBBKBBKBKD",
        "KKKKKKKKKAD",
        "AAAAAAAAADD",
        "DDDDDDDDDDD",
    ];
    for (state, row) in STATES.into_iter().zip(table) {
        for (event, expected) in EVENTS.into_iter().zip(row.chars()) {
            let next = letter(state.step(event).0);
            assert_eq!(next, expected, "{state:?} + {event:?}");
        }
    }
}

#[test]
fn effects_agree_with_the_states_they_lead_to() {
    for state in STATES {
        for event in EVENTS {
            let (next, effects) = state.step(event);
            let has = |effect: Effect| effects.contains(&effect);
            let what = format!("{state:?} + {event:?} -> {next:?} {effects:?}");
            let changed = next != state;
            assert_eq!(has(Effect::Publish), changed && next == WorkerState::Ready, "{what}");
            assert_eq!(has(Effect::Withdraw), changed && state == WorkerState::Ready, "{what}");
            assert_eq!(has(Effect::Kill), changed && next == WorkerState::Killing, "{what}");
            assert_eq!(has(Effect::Bury), changed && next == WorkerState::Dead, "{what}");
            let aborts = changed && next == WorkerState::Aborting;
            assert_eq!(has(Effect::Abort), aborts, "{what}");
            assert_eq!(has(Effect::GiveUp), aborts || changed && gives_up(state, event), "{what}");
            let waits = matches!(
                next,
                WorkerState::Stopping
                    | WorkerState::Aborting
                    | WorkerState::Killing
                    | WorkerState::Abandoning
            );
            let armed = effects.iter().any(|effect| matches!(effect, Effect::Arm(_)));
            assert!(!(changed && waits) || armed, "nothing ends the wait: {what}");
        }
    }
}

#[test]
fn from_everywhere_grace_alone_leads_to_the_end_once_the_worker_was_told_to_leave() {
    for start in STATES {
        let (mut state, _) = start.step(Event::LeaveAsked);
        let mut seen = HashSet::new();
        while state != WorkerState::Dead {
            assert!(seen.insert(letter(state)), "{start:?} goes in circles at {state:?}");
            state = state.step(Event::GraceOver).0;
        }
    }
}

/// Whether whoever waits for a worker in `state` learns of its coming end by `event`, as the way to
/// KILL: not where they know already, nor where the link or the exit says it better.
fn gives_up(state: WorkerState, event: Event) -> bool {
    let kills = state.step(event).0 == WorkerState::Killing;
    let told = matches!(
        (state, event),
        (WorkerState::Aborting, _) | (WorkerState::Stopping, Event::GraceOver)
    );
    kills && !told
}
