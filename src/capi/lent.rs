//! Memory that the host lends: read where it lies, and given back once, by the function that came
//! with it, when the last value over it is gone.
//!
//! Giving back runs host code, and values end anywhere, under locks and on I/O threads too. So it
//! happens on one thread of its own, which starts with the first loan and sleeps otherwise. It
//! knows neither DLPack nor Arrow.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use crate::core::limits::{LOANS_MAX, TENSOR_DIMS_MAX, VALUE_BYTES_MAX};
use crate::core::{Attachment, DType, Error, Result, Status, Tensor, Value};
use crate::snakepit::os::{arm_fork_marker, block_signals_on_this_thread, is_forked_child};

use super::callback_pool::mark_callback_thread;

/// Gives one loan back to the host.
pub type GiveBack = Box<dyn FnOnce() + Send>;

/// A value that is one tensor over lent memory, without a copy. When this fails, nothing is given
/// back and the memory is still the host's.
///
/// # Safety
/// The bytes that dtype and shape ask for are readable at `data` and unchanged until `give_back`
/// has run, which may happen on another thread.
pub unsafe fn value_over(
    dtype: DType,
    shape: Vec<i64>,
    data: *const u8,
    give_back: GiveBack,
) -> Result<Value> {
    let len = checked_bytes(dtype, &shape)?;
    let loan = Arc::new(Mutex::new(None));
    GIVING_BACK.enter()?;
    let data = Bytes::from_owner(Lent { data, len, give_back: loan.clone() });
    let value = Value::from_attachment(Attachment::Tensor(Tensor::new(dtype, shape, data)?))?;
    // Only now: whatever failed before would have given back what the host still owns.
    *loan.lock() = Some(give_back);
    Ok(value)
}

/// How many bytes the tensor has; what no value could hold is refused before memory is touched.
pub fn checked_bytes(dtype: DType, shape: &[i64]) -> Result<usize> {
    let fault = |what: &str| {
        let name = dtype.name();
        Error::invalid(format!("tensor of {name} {what} {shape:?}")).with("shape", shape.to_vec())
    };
    if shape.len() > TENSOR_DIMS_MAX {
        let given = shape.len();
        let message = format!("tensor has {given} dimensions, the limit is {TENSOR_DIMS_MAX}");
        return Err(Error::invalid(message));
    }
    let sides = shape.iter().map(|side| usize::try_from(*side));
    let sides = sides.collect::<Result<Vec<_>, _>>().map_err(|_| fault("has a side below 0:"))?;
    if sides.contains(&0) {
        return Ok(0);
    }
    let bytes = sides.iter().fold(dtype.bytes(), |bytes, side| bytes.saturating_mul(*side));
    if bytes <= VALUE_BYTES_MAX {
        return Ok(bytes);
    }
    let message = format!(
        "tensor of {} and shape {shape:?} has more bytes than the limit of {VALUE_BYTES_MAX}",
        dtype.name()
    );
    let error = Error::new(Status::ResourceExhausted, message).retryable(false);
    Err(error.with("limit", VALUE_BYTES_MAX))
}

struct Lent {
    data: *const u8,
    len: usize,
    /// None until the loan is agreed.
    give_back: Arc<Mutex<Option<GiveBack>>>,
}

// SAFETY: whoever lent the memory promised that it is readable on any thread and unchanged.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 || self.data.is_null() {
            return &[];
        }
        // SAFETY: lent for as long as `self` lives; `checked_bytes` keeps the length possible.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // In a forked child the thread is missing, and its lock may be held for ever.
        if !is_forked_child() {
            GIVING_BACK.leave(self.give_back.lock().take());
        }
    }
}

/// The loans that are over, and the thread that gives them back.
struct GivingBack {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    over: VecDeque<GiveBack>,
    /// Loans that have not been given back; none waits in `over` that is not counted here.
    loans: usize,
    has_thread: bool,
}

impl GivingBack {
    /// Makes room for a loan, and certain that there is a thread to give it back.
    fn enter(&'static self) -> Result<()> {
        let mut state = self.state.lock();
        if state.loans >= LOANS_MAX {
            let message = format!("{LOANS_MAX} arrays are lent already, which is the limit");
            return Err(Error::new(Status::ResourceExhausted, message).with("limit", LOANS_MAX));
        }
        if !state.has_thread {
            self.spawn()?;
            state.has_thread = true;
        }
        state.loans += 1;
        Ok(())
    }

    fn leave(&self, give_back: Option<GiveBack>) {
        let mut state = self.state.lock();
        match give_back {
            Some(give_back) => state.over.push_back(give_back),
            None => state.loans -= 1,
        }
        drop(state);
        self.work.notify_one();
    }

    fn spawn(&'static self) -> Result<()> {
        let failed = |what: std::io::Error| {
            Error::new(Status::ResourceExhausted, format!("no thread to give memory back: {what}"))
        };
        arm_fork_marker().map_err(failed)?;
        let thread = std::thread::Builder::new().name("spb-give-back".to_owned());
        thread.spawn(|| self.run()).map_err(failed)?;
        Ok(())
    }

    fn run(&self) {
        block_signals_on_this_thread();
        mark_callback_thread();
        loop {
            let mut state = self.state.lock();
            while state.over.is_empty() {
                self.work.wait(&mut state);
            }
            let over = state.over.pop_front();
            drop(state);
            if let Some(give_back) = over {
                give_back();
            }
            self.state.lock().loans -= 1;
        }
    }
}

static GIVING_BACK: GivingBack = GivingBack {
    state: Mutex::new(State { over: VecDeque::new(), loans: 0, has_thread: false }),
    work: Condvar::new(),
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    fn lend(data: &'static [u8], shape: Vec<i64>) -> (Result<Value>, mpsc::Receiver<ThreadId>) {
        let (sender, receiver) = mpsc::sync_channel(2);
        let give_back = Box::new(move || sender.send(thread::current().id()).unwrap());
        // SAFETY: the bytes are static, and as many as the shapes of the tests say.
        (unsafe { value_over(DType::UInt8, shape, data.as_ptr(), give_back) }, receiver)
    }

    #[test]
    fn the_last_owner_ends_the_loan_once_and_elsewhere() {
        static DATA: [u8; 4] = [1, 2, 3, 4];
        let (value, ended) = lend(&DATA, vec![2, 2]);
        let value = value.unwrap();
        assert_eq!(value.attachments()[0].bytes().as_ptr(), DATA.as_ptr(), "it was copied");
        let part = value.attachments()[0].bytes().slice(1..);
        drop(value);
        assert_eq!(part.as_ref(), [2, 3, 4]);
        assert!(ended.try_recv().is_err(), "a part is still there");
        drop(part);
        let where_it_ended = ended.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_ne!(where_it_ended, thread::current().id());
        assert!(ended.recv_timeout(Duration::from_secs(60)).is_err(), "the sender is gone");
    }

    #[test]
    fn what_is_refused_is_not_given_back() {
        for (shape, status) in [
            (vec![-1], Status::InvalidArgument),
            (vec![1; 65], Status::InvalidArgument),
            (vec![i64::MAX, i64::MAX], Status::ResourceExhausted),
        ] {
            let (value, ended) = lend(&[7], shape);
            assert_eq!(value.unwrap_err().status(), status);
            // The function itself was dropped, uncalled: nothing was sent before the sender went.
            assert_eq!(ended.recv().ok(), None);
        }
    }
}
