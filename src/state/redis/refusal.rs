//! What a script refuses, in the words that all stores share.

use crate::core::{Error, Result};
use crate::state::backend::StoreLimits;
use crate::state::fault;

use super::answer::Answer;
use super::failure::not_understood;

/// What is needed to say what was refused.
pub struct Asked<'a> {
    pub limits: &'a StoreLimits,
    /// The variables that the script was asked about, in its order.
    pub names: &'a [&'a str],
    /// The versions that they were to have.
    pub expected: &'a [Option<u64>],
    /// The version to go back to.
    pub wanted: u64,
}

/// The answer, if it is no refusal. `CHANGED` is none: it says how to ask better.
pub fn accepted(mut answer: Answer, asked: &Asked<'_>) -> Result<Answer> {
    match answer.word() {
        "OK" | "CHANGED" => Ok(answer),
        "GONE" => Err(gone(&mut answer, asked)?),
        _ => Err(refused(&mut answer, asked)?),
    }
}

/// An error about one of the variables, whose number stands behind the word.
fn refused(answer: &mut Answer, asked: &Asked<'_>) -> Result<Error> {
    let word = answer.word().to_owned();
    let index = answer.number::<usize>()?.saturating_sub(1);
    let name = asked.names.get(index).copied().unwrap_or_default();
    Ok(match word.as_str() {
        "NOTFOUND" => {
            let mut known = Vec::new();
            while !answer.is_at_end() {
                known.push(answer.text()?);
            }
            fault::not_found(name, known.iter().map(String::as_str))
        }
        "EXISTS" => fault::already_exists(name),
        "FULL" => fault::full(name, asked.limits.variables_max),
        "NOROOM" => fault::no_room(name, answer.number()?, asked.limits.bytes_max),
        "CONFLICT" => {
            let expected = asked.expected.get(index).copied().flatten().unwrap_or_default();
            fault::version_conflict(name, expected, answer.number()?)
        }
        "LOCKED" => {
            let now_ms = answer.number()?;
            match answer.head()?.lock(now_ms) {
                Some(lock) => fault::locked(name, &lock),
                None => not_understood("locked"),
            }
        }
        _ => return answer.not_understood(),
    })
}

fn gone(answer: &mut Answer, asked: &Asked<'_>) -> Result<Error> {
    let name = asked.names.first().copied().unwrap_or_default();
    let current = answer.number()?;
    let mut kept = Vec::new();
    while !answer.is_at_end() {
        kept.push(answer.number()?);
    }
    Ok(fault::version_not_kept(name, asked.wanted, &kept, current))
}
