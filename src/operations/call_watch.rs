//! A watch that a call's handler has begun: changes go to its worker for as long as there is
//! credit, and it ends with the call. What changes mean is not known here.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::core::limits::WATCHES_PER_CALL_MAX;
use crate::core::{Error, Status};
use crate::state::{
    ChangeKind, Watch, WatchEvent, WatchObserver, WatchOptions, WatchPatterns, WatchQueue, Watcher,
};
use crate::transport::{ChangeRow, StateReplier, ToolPeer, WatchAsk};

use super::call::Call;

/// One watch of one call, seen from its worker and from the hub.
pub struct CallWatch {
    replier: StateReplier,
    flow: Mutex<Flow>,
    /// None before it has begun and after its end.
    watch: Mutex<Option<Watch>>,
}

struct Flow {
    credit: u32,
    sequence: u64,
    is_over: bool,
}

/// Starts a watch. What fails is the answer, as is the end of one that works.
pub(super) async fn begin(call: &Arc<Call>, ask: WatchAsk, replier: StateReplier) {
    let flow = Flow { credit: ask.credit, sequence: 0, is_over: false };
    let watch = Arc::new(CallWatch { replier, flow: Mutex::new(flow), watch: Mutex::new(None) });
    let patterns = match WatchPatterns::new(ask.patterns.iter().map(String::as_str)) {
        Ok(patterns) => patterns,
        Err(error) => return watch.fail(error),
    };
    if !call.keep_watch(&watch) {
        let message = format!("the call watches {WATCHES_PER_CALL_MAX} times, which is the limit");
        return watch.fail(Error::new(Status::ResourceExhausted, message));
    }
    watch.replier.keep(watch.clone());
    let options =
        WatchOptions { coalesce: ask.coalesce, queue_max: ask.queue_max, initial: ask.initial };
    let (services, session) = (&call.services, call.request.session.key());
    let begun = services.watches.watch(&services.store, session, patterns, options, watch.clone());
    match begun.resolve().await {
        Ok(begun) => watch.begun(begun),
        Err(error) => watch.fail(error),
    }
    if call.live_operation().is_none() {
        // It ended while the watch was being begun.
        watch.cancel();
    }
}

impl CallWatch {
    fn begun(&self, begun: Watch) {
        let watcher = begun.watcher().clone();
        if !self.flow.lock().is_over {
            *self.watch.lock() = Some(begun);
        }
        // Credit may have come before there was anything to give it to.
        watcher.with_events(|events| self.pump(events));
    }

    fn fail(&self, error: Error) {
        if !std::mem::replace(&mut self.flow.lock().is_over, true) {
            self.replier.answer(Err(error));
        }
    }

    /// Sends what there is credit for. The lock keeps the frames in order.
    fn pump(&self, events: &mut WatchQueue) {
        let mut flow = self.flow.lock();
        while flow.credit > 0 && !flow.is_over {
            match events.pop() {
                None => return,
                Some(WatchEvent::End(end)) => {
                    flow.is_over = true;
                    self.replier.answer(Err(end.error()));
                }
                Some(event) => {
                    self.replier.change(flow.sequence, change_row(event));
                    flow.sequence += 1;
                    flow.credit -= 1;
                }
            }
        }
    }
}

impl WatchObserver for CallWatch {
    fn ready(&self, _: &Arc<Watcher>, events: &mut WatchQueue) {
        self.pump(events);
    }
}

impl ToolPeer for CallWatch {
    fn cancel(&self) {
        self.fail(Error::new(Status::Cancelled, "the watch was stopped"));
        // Dropped without a lock of this watch: its end goes through the hub.
        let watch = self.watch.lock().take();
        drop(watch);
    }

    fn credit(&self, changes: u32) {
        let watcher = self.watch.lock().as_ref().map(|watch| watch.watcher().clone());
        {
            let mut flow = self.flow.lock();
            flow.credit = flow.credit.saturating_add(changes);
        }
        if let Some(watcher) = watcher {
            watcher.with_events(|events| self.pump(events));
        }
    }
}

fn change_row(event: WatchEvent) -> ChangeRow {
    match event {
        WatchEvent::Initial(held) => ChangeRow {
            kind: "initial",
            name: held.name().as_ref().to_owned(),
            id: held.definition.id,
            version: held.version,
            value: Some(held.value),
            ..ChangeRow::default()
        },
        WatchEvent::Change(change) => ChangeRow {
            kind: change.kind.name(),
            owner: match &change.kind {
                ChangeKind::Locked { owner } => owner.as_ref().to_owned(),
                _ => String::new(),
            },
            name: change.name.as_ref().to_owned(),
            id: change.id,
            version: change.version,
            revision: change.revision,
            value: change.value,
            ..ChangeRow::default()
        },
        WatchEvent::Missed(missed) => ChangeRow {
            kind: "missed",
            revision: missed.to_revision,
            missed_count: missed.count,
            missed_from: missed.from_revision,
            ..ChangeRow::default()
        },
        WatchEvent::End(_) => ChangeRow::default(),
    }
}
