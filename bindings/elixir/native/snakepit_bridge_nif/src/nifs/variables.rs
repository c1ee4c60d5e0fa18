//! Variables, each verb on a normal scheduler for the memory store, and on a dirty one for stores
//! that wait for a disk or a server.

use rustler::{Encoder, Env, ResourceArc, Term};

use crate::codec::{SMALL_BYTES_MAX, ValueResource, atoms, done, failed, payload};
use crate::ffi::{Failure, Outcome, VariableOptions, Write, WriteOptions};
use crate::options::{Options, text_of};
use crate::resources::SessionResource;

type Session = ResourceArc<SessionResource>;
type Value = ResourceArc<ValueResource>;

/// Two NIFs of one body. Token by token, because the attribute does not look into groups, and
/// without an environment, which it would take for another: every verb has a term that has one.
macro_rules! verb {
    ($nif:ident, $io:ident, ($($arguments:tt)*) $body:tt) => {
        #[rustler::nif]
        fn $nif<'a>($($arguments)*) -> Term<'a> $body

        #[rustler::nif(schedule = "DirtyIo")]
        fn $io<'a>($($arguments)*) -> Term<'a> $body
    };
}

verb!(variable_register, variable_register_io,
    (session: Session, options: Term<'a>, value: Value) {
        answered(options.get_env(), variable_options(options)
            .and_then(|options| session.handle.register(&options, &value.0)))
    }
);

verb!(variable_get, variable_get_io,
    (session: Session, name: Term<'a>) {
        valued(name.get_env(), text_of(name, "name").and_then(|name| session.handle.get(name)))
    }
);

verb!(variable_set, variable_set_io,
    (session: Session, name: Term<'a>, value: Value, options: Term<'a>) {
        answered(name.get_env(), named(name, options)
            .and_then(|(name, options)| session.handle.set(name, &value.0, &options)))
    }
);

verb!(variable_update, variable_update_io,
    (session: Session, name: Term<'a>, update: Value, options: Term<'a>) {
        valued(name.get_env(), named(name, options)
            .and_then(|(name, options)| session.handle.update(name, &update.0, &options)))
    }
);

verb!(variable_rollback, variable_rollback_io,
    (session: Session, name: Term<'a>, version: u64, options: Term<'a>) {
        answered(name.get_env(), named(name, options)
            .and_then(|(name, options)| session.handle.rollback(name, version, &options)))
    }
);

verb!(variable_history, variable_history_io,
    (session: Session, name: Term<'a>) {
        paid(name.get_env(), text_of(name, "name").and_then(|name| session.handle.history(name)))
    }
);

verb!(variable_lock, variable_lock_io,
    (session: Session, name: Term<'a>, owner: Term<'a>, ttl_ms: u64) {
        done(name.get_env(), text_of(name, "name").and_then(|name| {
            session.handle.lock(name, text_of(owner, "owner")?, ttl_ms)
        }))
    }
);

verb!(variable_unlock, variable_unlock_io,
    (session: Session, name: Term<'a>, owner: Term<'a>) {
        done(name.get_env(), text_of(name, "name")
            .and_then(|name| session.handle.unlock(name, text_of(owner, "owner")?)))
    }
);

verb!(variable_delete, variable_delete_io,
    (session: Session, name: Term<'a>, options: Term<'a>) {
        done(name.get_env(), named(name, options)
            .and_then(|(name, options)| session.handle.delete(name, &options)))
    }
);

verb!(variable_list, variable_list_io,
    (session: Session, options: Term<'a>) {
        paid(options.get_env(), Options::new(options).and_then(|options| {
            let pattern = options.text("pattern")?.unwrap_or_default();
            let after = options.text("after")?.unwrap_or_default();
            session.handle.list_page(pattern, after, options.number("limit")?)
        }))
    }
);

verb!(variable_get_many, variable_get_many_io,
    (session: Session, names: Term<'a>) {
        let texts = texts_of(names);
        paid(names.get_env(), texts.and_then(|names| session.handle.get_many(&names)))
    }
);

verb!(variable_set_many, variable_set_many_io,
    (session: Session, writes: Vec<(Term<'a>, Value, u64)>, owner: Term<'a>) {
        let writes: Outcome<Vec<Write>> = writes.iter().map(|(name, value, expected_version)| {
            let name = text_of(*name, "name")?;
            Ok(Write { name, value: &value.0, expected_version: *expected_version })
        }).collect();
        paid(owner.get_env(), writes.and_then(|writes| {
            session.handle.set_many(&writes, text_of(owner, "owner")?)
        }))
    }
);

fn variable_options<'a>(options: Term<'a>) -> Outcome<VariableOptions<'a>> {
    let options = Options::new(options)?;
    Ok(VariableOptions {
        name: options.required("name")?,
        kind: options.required("type")?,
        constraints_json: options.text("constraints")?,
        metadata_json: options.text("metadata")?,
    })
}

fn named<'a>(name: Term<'a>, options: Term<'a>) -> Outcome<(&'a str, WriteOptions<'a>)> {
    let options = Options::new(options)?;
    let expected_version = options.number("expected_version")?;
    let options = WriteOptions { expected_version, owner: options.text("owner")? };
    Ok((text_of(name, "name")?, options))
}

fn texts_of<'a>(names: Term<'a>) -> Outcome<Vec<&'a str>> {
    let names = names.decode::<Vec<Term>>().map_err(|_| Failure::invalid("names is no list"))?;
    names.into_iter().map(|name| text_of(name, "name")).collect()
}

/// `{:ok, version}`.
fn answered(env: Env, version: Outcome<u64>) -> Term {
    crate::codec::answer(env, version)
}

/// `{:ok, payload}`.
fn paid(env: Env, value: Outcome<crate::ffi::Value>) -> Term {
    let payload = value.and_then(|value| payload(env, value, SMALL_BYTES_MAX));
    crate::codec::answer(env, payload)
}

/// `{:ok, payload, version}`.
fn valued(env: Env, value: Outcome<(crate::ffi::Value, u64)>) -> Term {
    let read = value.and_then(|(value, version)| {
        Ok::<_, Failure>((payload(env, value, SMALL_BYTES_MAX)?, version))
    });
    match read {
        Ok((payload, version)) => (atoms::ok(), payload, version).encode(env),
        Err(failure) => failed(env, &failure),
    }
}
