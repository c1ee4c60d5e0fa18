//! What every call needs from the platform around it, handed down once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::runtime::Handle;

use crate::core::{CallId, Error, Result, Status, Timers};
use crate::state::{Backend, Variables, Watches};
use crate::telemetry::{LogHub, Metrics};
use crate::tools::ToolRegistry;
use crate::transport::WireSeats;

/// The platform's parts that a running call uses.
pub struct Services {
    pub runtime: Handle,
    pub timers: Arc<Timers>,
    pub tools: Arc<ToolRegistry>,
    pub store: Arc<dyn Backend>,
    pub variables: Variables,
    pub watches: Arc<Watches>,
    pub logs: Arc<LogHub>,
    pub metrics: Arc<Metrics>,
    pub in_flight: Arc<InFlight>,
    pub nesting_depth_max: u32,
    pub stream_window: u32,
    /// Where a thread of the host that waits for a call can do the reading meanwhile.
    pub seats: Arc<WireSeats>,
    next_call: AtomicU64,
}

impl Services {
    #[expect(clippy::too_many_arguments, reason = "one place puts the parts together")]
    pub fn new(
        runtime: Handle,
        timers: Arc<Timers>,
        tools: Arc<ToolRegistry>,
        store: Arc<dyn Backend>,
        watches: Arc<Watches>,
        logs: Arc<LogHub>,
        metrics: Arc<Metrics>,
        in_flight: Arc<InFlight>,
        nesting_depth_max: u32,
        stream_window: u32,
        seats: Arc<WireSeats>,
    ) -> Arc<Self> {
        Arc::new(Services {
            runtime,
            timers,
            tools,
            variables: Variables::new(store.clone()),
            store,
            watches,
            logs,
            metrics,
            in_flight,
            nesting_depth_max,
            stream_window,
            seats,
            next_call: AtomicU64::new(1),
        })
    }

    /// A number that no other call of this platform has.
    pub fn next_call(&self) -> CallId {
        CallId(self.next_call.fetch_add(1, Ordering::Relaxed))
    }
}

/// How many operations have not ended, and how many may.
pub struct InFlight {
    now: AtomicUsize,
    max: usize,
}

/// A place among the operations in flight; dropping it gives the place back.
pub struct InFlightPlace {
    places: Arc<InFlight>,
}

impl InFlight {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(InFlight { now: AtomicUsize::new(0), max })
    }

    pub fn count(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// A place for one more, or `ResourceExhausted`.
    pub fn enter(self: &Arc<Self>) -> Result<InFlightPlace> {
        let before = self.now.fetch_add(1, Ordering::Relaxed);
        let place = InFlightPlace { places: self.clone() };
        if before < self.max {
            return Ok(place);
        }
        let message = format!("{before} operations are in flight, the limit is {}", self.max);
        Err(Error::new(Status::ResourceExhausted, message))
    }
}

impl Drop for InFlightPlace {
    fn drop(&mut self) {
        self.places.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let places = InFlight::new(1);
        let first = places.enter().unwrap();
        let error = places.enter().map(drop).unwrap_err();
        assert_eq!(error.status(), Status::ResourceExhausted);
        drop(first);
        assert_eq!(places.count(), 0);
        places.enter().map(drop).unwrap();
    }
}
