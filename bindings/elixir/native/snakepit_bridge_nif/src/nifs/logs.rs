//! Subscriptions to the log.

use rustler::{Env, LocalPid, ResourceArc, Term};

use crate::codec::answer;
use crate::ffi::{LogOptions, Outcome, Watch};
use crate::home::Entry;
use crate::options::{Options, consume};
use crate::resources::{PlatformResource, Source, StreamResource};

#[rustler::nif]
fn log_subscribe<'a>(
    env: Env<'a>,
    platform: ResourceArc<PlatformResource>,
    options: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    let subscribed = Options::new(options)
        .and_then(|options| subscribe(env, &platform, &options, (pid, reference)));
    answer(env, subscribed)
}

fn subscribe<'a>(
    env: Env<'a>,
    platform: &ResourceArc<PlatformResource>,
    options: &Options<'a>,
    to: (LocalPid, Term<'a>),
) -> Outcome<ResourceArc<StreamResource>> {
    let level: i64 = options.number("level")?;
    let wanted = LogOptions {
        level: i32::try_from(level).unwrap_or(i32::MAX),
        target_prefix: options.text("target_prefix")?,
    };
    let home = &platform.home;
    let log = StreamResource::new(platform, to, None);
    home.enter(log.tag, Entry::Log(log.clone()))?;
    let is_alive = log.watched.begin(&log, env, &to.0);
    match Watch::log(&platform.handle, &wanted, &home.queue, log.tag) {
        Ok(watch) => {
            log.is_begun(Source::Log(watch), is_alive);
            Ok(log)
        }
        Err(failure) => {
            log.watched.end(&log, Some(env));
            drop(home.leave(log.tag));
            Err(failure)
        }
    }
}
