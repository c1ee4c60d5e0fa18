//! Who runs what is ready: the runtime, or whoever wakes it; and that all ends with the runtime.

use std::future::poll_fn;
use std::sync::mpsc::{Sender, channel};
use std::thread::ThreadId;
use std::time::Duration;

use super::*;
use crate::telemetry::LogDispatch;
use crate::transport::Wires;

/// A job that says on which thread it is polled, each time that something has been put in `bell`.
#[derive(Clone, Default)]
struct Bell {
    waker: Arc<AtomicWaker>,
    rung: Arc<Mutex<Vec<Ring>>>,
}

/// What the job does when it is polled.
type Ring = Box<dyn FnOnce() -> Poll<()> + Send>;

impl Bell {
    fn put(&self, ring: impl FnOnce() -> Poll<()> + Send + 'static) {
        self.rung.lock().push(Box::new(ring));
    }

    /// The thread that polls says so.
    fn put_thread(&self, says: &Sender<ThreadId>) {
        let says = says.clone();
        self.put(move || {
            says.send(std::thread::current().id()).unwrap();
            Poll::Pending
        });
    }

    fn job(&self) -> impl Future<Output = ()> + Send + 'static {
        let Bell { waker, rung } = self.clone();
        poll_fn(move |context| {
            waker.register(context.waker());
            let rings = std::mem::take(&mut *rung.lock());
            let ends = rings.into_iter().any(|ring| ring().is_ready());
            if ends { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

/// A strand with one job on a wire of its own, which that wire's thread has polled once.
fn strand(bell: &Bell) -> (Wires, Strand, ThreadId) {
    let wires = Wires::start(1, Duration::ZERO, LogDispatch::default(), || {}).unwrap();
    let (runtime, wire) = wires.each().next().unwrap();
    let (says, said) = channel();
    bell.put_thread(&says);
    let mut started = None;
    Strand::start(runtime, wire.clone(), |strand| {
        started = Some(strand);
        bell.job()
    });
    let own = said.recv().unwrap();
    let strand = started.unwrap();
    until_idle(&strand);
    (wires, strand, own)
}

fn until_idle(strand: &Strand) {
    while strand.0.state.load(Ordering::Acquire) & !OVER != 0 {
        std::thread::yield_now();
    }
}

#[test]
fn the_runtime_runs_what_is_woken_and_who_wakes_by_running_does_it_itself() {
    let bell = Bell::default();
    let (_wires, strand, own) = strand(&bell);
    let (here, said) = (std::thread::current().id(), channel());
    for _ in 0..100 {
        bell.put_thread(&said.0);
        bell.waker.wake();
        assert_eq!(said.1.recv().unwrap(), own);
        until_idle(&strand);
        bell.put_thread(&said.0);
        strand.run_here(|| bell.waker.wake());
        assert_eq!(said.1.try_recv().unwrap(), here, "before it returns");
    }
}

#[test]
fn what_becomes_ready_while_another_thread_is_at_it_is_run_by_that_one() {
    let bell = Bell::default();
    let (_wires, strand, own) = strand(&bell);
    let ((entered, is_inside), (leave, may_leave)) = (channel(), channel::<()>());
    bell.put(move || {
        entered.send(()).unwrap();
        may_leave.recv().unwrap();
        Poll::Pending
    });
    bell.waker.wake();
    is_inside.recv().unwrap();
    let said = channel();
    bell.put_thread(&said.0);
    strand.run_here(|| bell.waker.wake());
    assert!(said.1.try_recv().is_err(), "the runtime's thread is inside of it");
    leave.send(()).unwrap();
    assert_eq!(said.1.recv().unwrap(), own);
}

#[test]
fn what_never_rests_is_left_to_the_runtime() {
    let bell = Bell::default();
    let (_wires, strand, own) = strand(&bell);
    let (says, said) = channel();
    put_again_and_again(&bell, &says, 2 * PASSES_MAX);
    strand.run_here(|| bell.waker.wake());
    let threads: Vec<_> = (0..2 * PASSES_MAX).map(|_| said.recv().unwrap()).collect();
    let here = [std::thread::current().id(); PASSES_MAX];
    assert_eq!(threads, [here, [own; PASSES_MAX]].concat());
}

/// The job says where it is polled, and is ready again at once, so many times.
fn put_again_and_again(bell: &Bell, says: &Sender<ThreadId>, times: usize) {
    let (again, says) = (bell.clone(), says.clone());
    bell.put(move || {
        says.send(std::thread::current().id()).unwrap();
        if times > 1 {
            put_again_and_again(&again, &says, times - 1);
            again.waker.wake();
        }
        Poll::Pending
    });
}

#[test]
fn a_job_that_is_spawned_while_another_runs_is_run_and_all_is_over_with_the_last() {
    let bell = Bell::default();
    let (wires, strand, _) = strand(&bell);
    let (says, said) = channel();
    let spawning = strand.clone();
    bell.put(move || {
        spawning.execute(async move { says.send(()).unwrap() });
        Poll::Ready(())
    });
    strand.run_here(|| bell.waker.wake());
    said.try_recv().unwrap();
    assert!(strand.0.jobs.lock().is_none(), "all has ended");
    strand.run_here(|| bell.waker.wake());
    drop(wires);
}

#[test]
fn jobs_end_with_their_runtime_whoever_holds_the_strand() {
    let bell = Bell::default();
    let (wires, strand, _) = strand(&bell);
    let held = Arc::downgrade(&bell.rung);
    let waker = bell.waker.clone();
    drop(bell);
    assert!(held.upgrade().is_some());
    drop(wires);
    assert!(held.upgrade().is_none(), "the job is gone");
    strand.run_here(|| waker.wake());
}

#[test]
fn a_panic_ends_the_jobs_and_leaves_nobody_waiting() {
    let bell = Bell::default();
    let (_wires, strand, _) = strand(&bell);
    bell.put(|| std::panic::resume_unwind(Box::new("as told")));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        strand.run_here(|| bell.waker.wake());
    }));
    assert!(panicked.is_err());
    assert!(strand.0.jobs.lock().is_none());
    strand.run_here(|| {});
}

#[test]
fn a_panic_of_whoever_runs_them_is_not_theirs() {
    struct Runs<'a>(&'a Strand, &'a Bell);
    impl Drop for Runs<'_> {
        fn drop(&mut self) {
            self.0.run_here(|| self.1.waker.wake());
        }
    }
    let bell = Bell::default();
    let (_wires, strand, _) = strand(&bell);
    let said = channel();
    bell.put_thread(&said.0);
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _runs = Runs(&strand, &bell);
        std::panic::resume_unwind(Box::new("as told"));
    }));
    assert!(unwound.is_err());
    assert_eq!(said.1.try_recv().unwrap(), std::thread::current().id());
    assert!(strand.0.jobs.lock().is_some(), "they go on");
}
