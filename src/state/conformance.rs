//! The suite that every store passes: the promises of `backend`, one function each, against any
//! `Backend`. A store's own tests call `check`, those of a store that outlives the process `kept`
//! as well, and those of a store that several hosts use `shared`; `model` adds random sequences.
//! Test support; the platform does not use it, and no store is known here.

mod probe;
mod subject;

mod batches;
mod changes;
mod history;
mod listing;
mod locks;
mod names;
mod quotas;
mod races;
mod saving;
mod sessions;
mod values;
mod writes;

pub mod kept;
pub mod shared;

pub use probe::{Probe, about};
pub use races::increment;
pub use subject::{Heard, LIMITS, Scale, Subject, Told};

/// What a promise comes to: nothing, or how it was broken.
pub type Outcome = Result<(), String>;

/// Runs the whole suite in sessions of its own, which it ends again. The store must have been made
/// with `LIMITS`, and with the subject's `told` as its sink. The error says which promise was
/// broken and how.
pub async fn check(subject: &Subject) -> Outcome {
    values::check(subject).await?;
    names::check(subject).await?;
    writes::check(subject).await?;
    history::check(subject).await?;
    locks::check(subject).await?;
    batches::check(subject).await?;
    quotas::check(subject).await?;
    listing::check(subject).await?;
    saving::check(subject).await?;
    sessions::check(subject).await?;
    changes::check(subject).await?;
    races::check(subject).await
}

/// Holds promises, each in a session of its own, which is ended whatever comes out; the first
/// broken one is told by its function's name.
macro_rules! hold {
    ($subject:expr; $($promise:ident),+ $(,)?) => {{
        $(
            let probe = $crate::state::conformance::Probe::new($subject).await?;
            let outcome = $promise(&probe).await;
            probe.close().await?;
            outcome.map_err(|error| format!("{}: {error}", stringify!($promise)))?;
        )+
        Ok(())
    }};
}
use hold;
