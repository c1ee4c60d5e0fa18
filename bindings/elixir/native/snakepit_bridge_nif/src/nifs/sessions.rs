//! Sessions. All but closing may wait for a store.

use rustler::{Env, LocalPid, ResourceArc, Term};

use crate::codec::{ValueResource, answer, done};
use crate::ffi::{Outcome, Session, SessionOptions};
use crate::options::{Options, consume, text_of};
use crate::resources::{PlatformResource, SessionResource};
use crate::submission::submit;

use super::platforms::term_of;

type Platform = ResourceArc<PlatformResource>;
type Opened = ResourceArc<SessionResource>;

#[rustler::nif(schedule = "DirtyIo")]
fn session_open<'a>(env: Env<'a>, platform: Platform, options: Term<'a>) -> Term<'a> {
    let handle = read(options).and_then(|options| Session::open(&platform.handle, &options));
    answer(env, opened(&platform, handle))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_join<'a>(env: Env<'a>, platform: Platform, id: Term<'a>) -> Term<'a> {
    let handle = text_of(id, "id").and_then(|id| Session::join(&platform.handle, id));
    answer(env, opened(&platform, handle))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_list<'a>(env: Env<'a>, platform: Platform, options: Term<'a>) -> Term<'a> {
    let list = Options::new(options).and_then(|options| {
        let after = options.text("after")?.unwrap_or_default();
        Session::list(&platform.handle, after, options.number("limit")?)
    });
    answer(env, term_of(env, list))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_info(env: Env, session: Opened) -> Term {
    answer(env, term_of(env, session.handle.info()))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_touch(env: Env, session: Opened) -> Term {
    done(env, session.handle.touch())
}

#[rustler::nif]
fn session_close<'a>(
    env: Env<'a>,
    session: Opened,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let to = (pid, reference);
    let submitted =
        submit(env, &session.platform, to, |queue, tag| session.handle.close(queue, tag));
    answer(env, submitted)
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_clone<'a>(env: Env<'a>, session: Opened, options: Term<'a>) -> Term<'a> {
    let handle = read(options).and_then(|options| session.handle.clone_with(&options));
    answer(env, opened(&session.platform, handle))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_export<'a>(env: Env<'a>, session: Opened, path: Term<'a>) -> Term<'a> {
    done(env, text_of(path, "path").and_then(|path| session.handle.export(path)))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_import<'a>(
    env: Env<'a>,
    platform: Platform,
    path: Term<'a>,
    options: Term<'a>,
) -> Term<'a> {
    let handle = read(options)
        .and_then(|options| Session::import(&platform.handle, text_of(path, "path")?, &options));
    answer(env, opened(&platform, handle))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_export_value(env: Env, session: Opened) -> Term {
    let archive = session.handle.export_value();
    answer(env, archive.map(|archive| ResourceArc::new(ValueResource(archive))))
}

#[rustler::nif(schedule = "DirtyIo")]
fn session_import_value<'a>(
    env: Env<'a>,
    platform: Platform,
    archive: ResourceArc<ValueResource>,
    options: Term<'a>,
) -> Term<'a> {
    let handle = read(options)
        .and_then(|options| Session::import_value(&platform.handle, &archive.0, &options));
    answer(env, opened(&platform, handle))
}

fn opened(platform: &Platform, handle: Outcome<Session>) -> Outcome<Opened> {
    handle.map(|handle| ResourceArc::new(SessionResource { handle, platform: platform.clone() }))
}

fn read<'a>(options: Term<'a>) -> Outcome<SessionOptions<'a>> {
    let options = Options::new(options)?;
    Ok(SessionOptions {
        id: options.text("id")?,
        metadata_json: options.text("metadata")?,
        ttl_ms: options.time_ms("ttl")?,
        affinity: options.choice("affinity", &AFFINITIES)?,
    })
}

/// SPB_AFFINITY_* by name.
pub const AFFINITIES: [(&str, u32); 5] =
    [("default", 0), ("none", 1), ("hint", 2), ("strict_queue", 3), ("strict_fail_fast", 4)];
