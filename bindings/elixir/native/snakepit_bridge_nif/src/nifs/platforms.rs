//! Platforms and their pools.

use rustler::{Binary, Env, LocalPid, ResourceArc, Term};

use crate::codec::{ValueResource, answer, decode, done};
use crate::ffi::{Outcome, Pool, Value};
use crate::options::{consume, text_of, time_ms};
use crate::resources::PlatformResource;
use crate::submission::submit;

#[rustler::nif(schedule = "DirtyIo")]
fn platform_open<'a>(env: Env<'a>, config_json: Binary<'a>) -> Term<'a> {
    answer(env, PlatformResource::open(config_json.as_slice()).map(ResourceArc::new))
}

#[rustler::nif]
fn platform_shutdown<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    grace: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let submitted = time_ms(grace, "grace").and_then(|grace_ms| {
        submit(env, &platform, (pid, reference), |queue, tag| {
            platform.handle.shutdown(grace_ms, queue, tag)
        })
    });
    answer(env, submitted)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn platform_health(env: Env, platform: ResourceArc<PlatformResource>) -> Term {
    answer(env, term_of(env, platform.handle.health()))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn platform_metrics(env: Env, platform: ResourceArc<PlatformResource>) -> Term {
    answer(env, platform.handle.metrics())
}

#[rustler::nif(schedule = "DirtyCpu")]
fn platform_schema<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    framework: Term<'a>,
) -> Term<'a> {
    let schema = text_of(framework, "framework").and_then(|name| platform.handle.schema(name));
    answer(env, term_of(env, schema))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn platform_describe(env: Env, platform: ResourceArc<PlatformResource>) -> Term {
    answer(env, term_of(env, platform.handle.describe()))
}

#[rustler::nif]
fn pool_await_ready<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    pool: Term<'a>,
    count: u32,
    timeout: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let submitted = time_ms(timeout, "timeout").and_then(|timeout_ms| {
        let pool = named(&platform, pool)?;
        submit(env, &platform, (pid, reference), |queue, tag| {
            pool.await_ready(count, timeout_ms, queue, tag)
        })
    });
    answer(env, submitted)
}

#[rustler::nif]
fn pool_drain<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    pool: Term<'a>,
    grace: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let submitted = time_ms(grace, "grace").and_then(|grace_ms| {
        let pool = named(&platform, pool)?;
        submit(env, &platform, (pid, reference), |queue, tag| pool.drain(grace_ms, queue, tag))
    });
    answer(env, submitted)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn pool_stats<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    pool: Term<'a>,
) -> Term<'a> {
    answer(env, term_of(env, named(&platform, pool).and_then(|pool| pool.stats())))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn pool_schema<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    pool: Term<'a>,
    framework: Term<'a>,
) -> Term<'a> {
    let schema =
        named(&platform, pool).and_then(|pool| pool.schema(text_of(framework, "framework")?));
    answer(env, term_of(env, schema))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn pool_resize<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    pool: Term<'a>,
    workers_min: u32,
    workers_max: u32,
) -> Term<'a> {
    done(env, named(&platform, pool).and_then(|pool| pool.resize(workers_min, workers_max)))
}

fn named(platform: &PlatformResource, name: Term) -> Outcome<Pool> {
    Pool::get(&platform.handle, text_of(name, "pool")?)
}

/// The whole term, on a dirty scheduler.
pub fn term_of<'a>(env: Env<'a>, value: Outcome<Value>) -> Outcome<Term<'a>> {
    decode(env, &ResourceArc::new(ValueResource(value?)))
}
