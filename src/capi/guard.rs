//! The boundary that every exported function's body runs in: no panic crosses it, a forked child is
//! turned away before it can touch a lock, and outputs are zero before anything can fail.
//!
//! It knows nothing of what the bodies do.

use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::core::{Error, Result, Status};
use crate::snakepit::os::is_forked_child;

use super::error::spb_error;
use super::status::spb_status;

/// Where a function's error goes: NULL when the caller wants the status alone.
pub type ErrorOut<'a> = Option<&'a mut MaybeUninit<*mut spb_error>>;

/// Runs `body` and turns its end into a status, and into an owned error where the caller wants one.
pub fn guard(err: ErrorOut<'_>, body: impl FnOnce() -> Result<()>) -> spb_status {
    let err = Out::zeroed(err);
    let outcome = match is_forked_child() {
        true => Err(forked()),
        false => catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(panicked(panic))),
    };
    match outcome {
        Ok(()) => Status::Ok.code(),
        Err(error) => {
            let status = error.status();
            err.put_if_wanted(|| spb_error::into_raw(error));
            status.code()
        }
    }
}

/// For functions with one output: refuses a NULL one before `body` runs, and hands out what it
/// made.
pub fn guard_out<T>(
    out: Option<&mut MaybeUninit<T>>,
    err: ErrorOut<'_>,
    body: impl FnOnce() -> Result<T>,
) -> spb_status {
    let out = Out::zeroed(out);
    guard(err, || {
        out.required("out")?.put(body()?);
        Ok(())
    })
}

/// For functions without a status: `fallback` stands for a panic and for a forked child.
pub fn guard_or<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    if is_forked_child() { fallback } else { guard_memory(fallback, body) }
}

/// For functions that touch memory of their argument only, and no lock: a forked child may call
/// them, to read the error that turned it away.
pub fn guard_memory<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// An output of an exported function, zero from the start.
pub struct Out<'a, T> {
    slot: Option<&'a mut MaybeUninit<T>>,
}

/// An output that is certain to exist.
pub struct RequiredOut<'a, T> {
    slot: &'a mut MaybeUninit<T>,
}

impl<'a, T> Out<'a, T> {
    /// Sets every byte of the output to zero: no handle, no object, no number.
    pub fn zeroed(mut slot: Option<&'a mut MaybeUninit<T>>) -> Self {
        if let Some(slot) = &mut slot {
            **slot = MaybeUninit::zeroed();
        }
        Out { slot }
    }

    /// Refuses a NULL output before anything is done.
    pub fn required(self, argument: &str) -> Result<RequiredOut<'a, T>> {
        match self.slot {
            Some(slot) => Ok(RequiredOut { slot }),
            None => Err(null_argument(argument)),
        }
    }

    /// Sets an optional output.
    pub fn put_if_wanted(self, value: impl FnOnce() -> T) {
        if let Some(slot) = self.slot {
            slot.write(value());
        }
    }
}

impl<T> RequiredOut<'_, T> {
    pub fn put(self, value: T) {
        self.slot.write(value);
    }
}

/// What a NULL pointer gets where something has to be.
pub fn null_argument(argument: &str) -> Error {
    Error::new(Status::NullArgument, format!("{argument} is NULL")).with("argument", argument)
}

fn forked() -> Error {
    let message = "this process was forked from one that has a platform: open one after the fork, \
                   or exec";
    Error::new(Status::Forked, message)
}

fn panicked(panic: Box<dyn Any + Send>) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    // What a panic carries may panic again when it is dropped; it is left alone.
    std::mem::forget(panic);
    Error::new(Status::Panic, format!("the library panicked, which is its defect: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_with_its_message() {
        let mut err = MaybeUninit::uninit();
        let status = guard(Some(&mut err), || panic!("broken {}", 7));
        assert_eq!(status, Status::Panic.code());
        // SAFETY: `guard` writes the output on every path; the pointer is ours to free.
        let error = unsafe { Box::from_raw(err.assume_init()) };
        assert!(error.message().contains("broken 7"));
        assert_eq!(guard(None, || panic!("again")), Status::Panic.code());
        assert_eq!(guard_or(5, || panic!("and again")), 5);
    }

    #[test]
    fn outputs_are_zero_before_anything_fails() {
        let mut out = MaybeUninit::new(9_u64);
        let zeroed = Out::zeroed(Some(&mut out));
        let status = guard(None, || {
            zeroed.required("out")?;
            Err(Error::invalid("no"))
        });
        assert_eq!(status, Status::InvalidArgument.code());
        // SAFETY: written above.
        assert_eq!(unsafe { out.assume_init() }, 0);
    }

    #[test]
    fn a_missing_output_is_named() {
        let missing = Out::<u64>::zeroed(None).required("out_count");
        let Err(error) = missing else { panic!("NULL was taken") };
        assert_eq!(error.status(), Status::NullArgument);
        assert_eq!(error.message(), "out_count is NULL");
    }
}
