//! `spb_platform`: opening, closing and looking at an embedded platform.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use crate::core::limits::CALLBACKS_GRACE;
use crate::core::{Error, Result, Status};
use crate::snakepit::os::arm_fork_marker;

use super::callback_pool::refuse_blocking;
use super::error::spb_error;
use super::guard::{Out, guard, guard_or, guard_out};
use super::handle_table;
use super::handles::{spb_operation, spb_platform};
use super::home::Home;
use super::operation::submit;
use super::sink::{Sink, spb_sink};
use super::status::spb_status;
use super::text::spb_text;
use super::text_view::spb_str;
use super::times::long_limit_ms;
use super::value::spb_value;

/// What a platform handle stands for.
pub struct PlatformObject {
    home: Arc<Home>,
}

/// The platform behind a handle.
pub fn home(platform: spb_platform) -> Result<Arc<Home>> {
    handle_table::get(platform).map(|object| object.home.clone())
}

/// Opens a platform as `config_json` says; empty text and "{}" mean all defaults (see
/// spb_config_schema). Its threads run when this returns, its Python workers start in the
/// background: see spb_pool_await_ready.
///
/// Ownership: copies `config_json`; the caller frees `*out` with spb_platform_free.
/// Threads: nonblocking, callback-safe. The process must not fork afterwards and go on in the
/// child.
/// Errors: INVALID_ARGUMENT with the faulty key, UTF8, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_platform_open(
    config_json: spb_str,
    out: Option<&mut MaybeUninit<spb_platform>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let config = config_json.optional_text("config_json")?.unwrap_or("{}");
        arm_fork_marker().map_err(|error| {
            Error::new(Status::ResourceExhausted, format!("no page for the fork mark: {error}"))
        })?;
        let home = Home::open(config.as_bytes())?;
        handle_table::insert(Arc::new(PlatformObject { home }))
    })
}

/// Starts closing: calls under way may end within `grace_ms` (0: as configured, SPB_NO_TIMEOUT: all
/// the time they need), then the rest is cancelled and every worker process is gone. Later calls
/// share the first one's end.
///
/// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spb_platform_shutdown(
    platform: spb_platform,
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
        let home = home(platform)?;
        let grace = grace(grace_ms)?;
        let target = sink.open(&home)?;
        submit(home.platform().shutdown(grace), target, None, out)
    })
}

/// Closes and waits for it: spb_platform_shutdown in one call. The handle stays valid, for health
/// and metrics, until spb_platform_free.
///
/// Ownership: none.
/// Threads: blocking; WOULD_DEADLOCK in a callback.
/// Errors: HANDLE, INVALID_ARGUMENT, WOULD_DEADLOCK, RESOURCE_EXHAUSTED, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_platform_close(
    platform: spb_platform,
    grace_ms: i64,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard(err, || {
        let home = home(platform)?;
        let grace = grace(grace_ms)?;
        refuse_blocking()?;
        let operation = home.platform().shutdown(grace);
        operation.start(None);
        operation.wait(None);
        super::operation::take_outcome(&operation)?;
        home.callbacks().wait_ended(CALLBACKS_GRACE);
        Ok(())
    })
}

/// Frees the handle; 0 and stale handles are allowed. A platform that was not closed starts closing
/// in the background, and what was made from it goes on until then.
///
/// Ownership: takes the handle.
/// Threads: nonblocking, callback-safe.
/// Errors: none.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_platform_free(platform: spb_platform) {
    guard_or((), || {
        if let Some(object) = handle_table::remove(platform) {
            object.home.platform().shutdown(None).start(None);
        }
    });
}

/// Reports how the platform is: live, ready, and the reasons why not, with one entry per pool.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_platform_health(
    platform: spb_platform,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || Ok(spb_value::from_document(&home(platform)?.platform().health())))
}

/// Renders all metrics in Prometheus's text format.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_platform_metrics(
    platform: spb_platform,
    out: Option<&mut MaybeUninit<*mut spb_text>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || Ok(spb_text::into_raw(&home(platform)?.platform().metrics_text())))
}

/// Describes what a framework's operations take and give, as JSON Schema; all frameworks for an
/// empty name. Known once the first worker is ready.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NOT_FOUND, UTF8, NULL_ARGUMENT, UNAVAILABLE, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_platform_schema(
    platform: spb_platform,
    framework: spb_str,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || {
        let framework = framework.optional_text("framework")?;
        Ok(spb_value::from_document(&home(platform)?.platform().schema(framework)?))
    })
}

/// Describes everything that a client can be generated from: frameworks pool by pool, tools,
/// statuses, variable types and limits. A pool's frameworks are known once its first worker is
/// ready.
///
/// Ownership: the caller frees `*out`.
/// Threads: nonblocking, callback-safe.
/// Errors: HANDLE, NULL_ARGUMENT, FORKED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn spb_platform_describe(
    platform: spb_platform,
    out: Option<&mut MaybeUninit<*mut spb_value>>,
    err: Option<&mut MaybeUninit<*mut spb_error>>,
) -> spb_status {
    guard_out(out, err, || Ok(spb_value::from_document(&home(platform)?.platform().description())))
}

/// A grace that the platform can add to the time it is.
fn grace(grace_ms: i64) -> Result<Option<Duration>> {
    Ok(long_limit_ms(grace_ms, "grace_ms")?.map(|grace| grace.min(GRACE_MAX)))
}

/// Longer than any process lives.
const GRACE_MAX: Duration = Duration::from_secs(60 * 60 * 24 * 365);
