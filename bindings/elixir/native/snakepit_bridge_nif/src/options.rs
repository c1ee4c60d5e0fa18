//! Reading options: maps with atom keys, where an absent key and nil are the default.
//!
//! Must not know what an option does. Every failure names the option.

use rustler::types::atom::Atom;
use rustler::{Binary, Decoder, Env, LocalPid, Term};

use crate::ffi::{Failure, Outcome, SPB_NO_TIMEOUT};

#[derive(Clone, Copy)]
pub struct Options<'a>(Term<'a>);

impl<'a> Options<'a> {
    pub fn new(map: Term<'a>) -> Outcome<Self> {
        if map.is_map() { Ok(Options(map)) } else { Err(Failure::invalid("options is no map")) }
    }

    pub fn text(&self, name: &'static str) -> Outcome<Option<&'a str>> {
        self.get(name).map(|term| text_of(term, name)).transpose()
    }

    pub fn required(&self, name: &'static str) -> Outcome<&'a str> {
        self.text(name)?.ok_or_else(|| Failure::invalid(format!("options.{name} is missing")))
    }

    /// Milliseconds; `:infinity` is without a limit, absent 0.
    pub fn time_ms(&self, name: &'static str) -> Outcome<i64> {
        self.get(name).map_or(Ok(0), |term| time_ms(term, name))
    }

    pub fn flag(&self, name: &'static str) -> Outcome<bool> {
        Ok(self.read(name, "true or false")?.unwrap_or(false))
    }

    /// A number that is not below zero; absent 0.
    pub fn number<T: Decoder<'a> + Default>(&self, name: &'static str) -> Outcome<T> {
        Ok(self.read(name, "a number that is not below 0")?.unwrap_or_default())
    }

    pub fn pid(&self, name: &'static str) -> Outcome<Option<LocalPid>> {
        self.read(name, "a pid of this node")
    }

    pub fn resource<T: Decoder<'a>>(&self, name: &'static str) -> Outcome<Option<T>> {
        self.read(name, "a reference of this library")
    }

    /// The number that a table has for an atom; absent 0.
    pub fn choice(&self, name: &'static str, known: &[(&str, u32)]) -> Outcome<u32> {
        let Some(term) = self.get(name) else { return Ok(0) };
        let given = term.atom_to_string().unwrap_or_default();
        let found = known.iter().find(|(choice, _)| *choice == given);
        found.map(|(_, number)| *number).ok_or_else(|| {
            let names: Vec<String> = known.iter().map(|(name, _)| format!(":{name}")).collect();
            wrong(name, term, &format!("one of {}", names.join(", ")))
        })
    }

    pub fn get(&self, name: &'static str) -> Option<Term<'a>> {
        let key = Atom::from_bytes(self.0.get_env(), name.as_bytes()).ok()?;
        let term = self.0.map_get(key).ok()?;
        (!is_nil(term)).then_some(term)
    }

    fn read<T: Decoder<'a>>(&self, name: &'static str, expected: &str) -> Outcome<Option<T>> {
        let Some(term) = self.get(name) else { return Ok(None) };
        term.decode().map(Some).map_err(|_| wrong(name, term, expected))
    }
}

/// The text of an argument.
pub fn text_of<'a>(term: Term<'a>, name: &str) -> Outcome<&'a str> {
    let binary = Binary::from_term(term).map_err(|_| wrong(name, term, "a string"))?;
    std::str::from_utf8(binary.as_slice()).map_err(|_| wrong(name, term, "UTF-8"))
}

/// The milliseconds of an argument.
pub fn time_ms(term: Term, name: &str) -> Outcome<i64> {
    if term.atom_to_string().is_ok_and(|atom| atom == "infinity") {
        return Ok(SPB_NO_TIMEOUT);
    }
    let time = term.decode::<i64>().ok().filter(|time| *time >= 0);
    time.ok_or_else(|| wrong(name, term, "milliseconds or :infinity"))
}

/// Some work was done on a normal scheduler: lets the BEAM count it, in about 10 microseconds.
pub fn consume(env: Env, work: usize) {
    let percent = i32::try_from(work.clamp(1, 100)).unwrap_or(100);
    rustler::schedule::consume_timeslice(env, percent);
}

fn is_nil(term: Term) -> bool {
    Atom::from_term(term).is_ok_and(|atom| atom == rustler::types::atom::nil())
}

fn wrong(name: &str, term: Term, expected: &str) -> Failure {
    let shown: String = format!("{term:?}").chars().take(SHOWN_CHARS_MAX).collect();
    Failure::invalid(format!("{name} is {shown}: expected {expected}"))
}

/// How much of what was given a message repeats.
const SHOWN_CHARS_MAX: usize = 80;
