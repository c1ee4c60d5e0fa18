//! Calls of pools. A pool is looked up by name for each: that takes no time, and names do not age.

use super::event::sink;
use super::failure::{Outcome, call};
use super::handles::{Operation, Platform, Pool, Queue};
use super::platform::submitted;
use super::sys::{self, spb_pool};
use super::text::view;
use super::value::{Value, made};

impl Pool {
    pub fn get(platform: &Platform, name: &str) -> Outcome<Pool> {
        let mut out = spb_pool { id: 0 };
        // SAFETY: the view is read during the call, the outputs are ours.
        call(|err| unsafe { sys::spb_pool_get(platform.0, view(name), &raw mut out, err) })?;
        Ok(Pool(out))
    }

    pub fn await_ready(
        &self,
        workers: u32,
        timeout_ms: i64,
        queue: &Queue,
        tag: u64,
    ) -> Outcome<Operation> {
        let sink = sink(queue, tag);
        // SAFETY: the sink is read during the call, the outputs are ours.
        submitted(|out, err| unsafe {
            sys::spb_pool_await_ready(self.0, workers, timeout_ms, &raw const sink, out, err)
        })
    }

    pub fn drain(&self, grace_ms: i64, queue: &Queue, tag: u64) -> Outcome<Operation> {
        let sink = sink(queue, tag);
        // SAFETY: as above.
        submitted(|out, err| unsafe {
            sys::spb_pool_drain(self.0, grace_ms, &raw const sink, out, err)
        })
    }

    pub fn stats(&self) -> Outcome<Value> {
        // SAFETY: the outputs are ours.
        made(|out, err| unsafe { sys::spb_pool_stats(self.0, out, err) })
    }

    pub fn schema(&self, framework: &str) -> Outcome<Value> {
        // SAFETY: the view is read during the call, the outputs are ours.
        made(|out, err| unsafe { sys::spb_pool_schema(self.0, view(framework), out, err) })
    }

    pub fn resize(&self, workers_min: u32, workers_max: u32) -> Outcome<()> {
        // SAFETY: no needs.
        call(|err| unsafe { sys::spb_pool_resize(self.0, workers_min, workers_max, err) })
    }
}
