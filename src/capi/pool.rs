//! `spb_pool`: a named pool of workers.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::api::PoolRef;

use super::error::spb_error;
use super::guard::{Out, guard, guard_or, guard_out};
use super::handle_table;
use super::handles::{spb_operation, spb_platform, spb_pool};
use super::home::Home;
use super::operation::submit;
use super::platform::home;
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::text_view::spb_str;
use super::times::{limit_ms, long_limit_ms};
use super::value::spb_value;

/// What a pool handle stands for.
pub struct PoolObject {
    pool: PoolRef,
    home: Arc<Home>,
}

/// Finds a pool of the configuration by its name; the empty name is "default".
///
/// Ownership: the caller frees `*out` with spb_pool_free; the pool itself belongs to the platform.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NOT_FOUND, CLOSED, UTF8, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_pool_get(
    platform: spb_platform,
    name: spb_str,
    out: Option<&mut MaybeUninit<spb_pool>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let home = home(platform)?;
        let pool = home.platform().pool(name.text("name")?)?;
        handle_table::insert(Arc::new(PoolObject { pool, home }))
    })
}

/// Waits for workers: an operation that ends when `workers` of them (0: all) are ready, or fails
/// with the story of why they are not. `timeout_ms`: 0 is the configured operation timeout,
/// SPB_NO_TIMEOUT none.
///
/// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED. The
/// operation's own: DEADLINE, UNAVAILABLE, CANCELLED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_pool_await_ready(
    pool: spb_pool,
    workers: u32,
    timeout_ms: i64,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_operation>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(pool)?;
        let timeout = limit_ms(timeout_ms, "timeout_ms")?;
        let target = sink.open(&object.home)?;
        submit(object.pool.await_ready(workers, timeout)?, target, None, out)
    })
}

/// Describes what the operations of a framework of this pool take and give, as JSON Schema; all its
/// frameworks for an empty name. Known once the pool's first worker is ready.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NOT_FOUND, UTF8, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_pool_schema(
    pool: spb_pool,
    framework: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let framework = framework.optional_text("framework")?;
        let object = handle_table::get(pool)?;
        Ok(spb_value::from_document(&object.pool.schema(framework)?))
    })
}

/// Reports the pool's counts, and one row per worker.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_pool_stats(
    pool: spb_pool,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || Ok(spb_value::from_document(&handle_table::get(pool)?.pool.stats())))
}

/// Changes the number of workers: `workers_min` whatever the load, and up to `workers_max` (0: the
/// same, a fixed size) under load. More start at once; fewer leave when their calls have ended. A
/// drained pool takes calls again.
///
/// Ownership: none.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, INVALID_ARGUMENT, CLOSED, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_pool_resize(
    pool: spb_pool,
    workers_min: u32,
    workers_max: u32,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || handle_table::get(pool)?.pool.resize(workers_min, workers_max))
}

/// Empties the pool: an operation that ends when no worker is left. From now on calls are refused,
/// and those that wait for a worker; those that run may end within `grace_ms` (0: as configured,
/// SPB_NO_TIMEOUT: all the time they need), then their workers are ended. Cancelling the operation
/// does not stop the draining; spb_pool_resize does.
///
/// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED. The
/// operation's own: CANCELLED, CLOSED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_pool_drain(
    pool: spb_pool,
    grace_ms: i64,
    sink: *const spb_sink,
    out: Option<&mut MaybeUninit<spb_operation>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    let out = Out::zeroed(out);
    // SAFETY: the caller vouches for the struct.
    let sink = unsafe { Sink::take(sink) };
    guard(err, || {
        let out = out.required("out")?;
        let object = handle_table::get(pool)?;
        let grace = long_limit_ms(grace_ms, "grace_ms")?;
        let target = sink.open(&object.home)?;
        submit(object.pool.drain(grace)?, target, None, out)
    })
}

/// Frees the handle; 0 and stale handles are allowed. The pool goes on.
///
/// Ownership: takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_pool_free(pool: spb_pool) {
    guard_or((), || drop(handle_table::remove(pool)));
}
