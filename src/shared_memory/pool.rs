//! The regions of one process: which are in use, which are free, and how much there may be.
//!
//! A fresh region costs ten times what filling it costs, so those that nobody uses any more are
//! kept for a while and used again. Knows neither who fills them nor who reads them.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::snakepit::os::{OwnedRegion, arm_fork_marker, is_forked_child};

use super::pieces::in_pieces;
use super::region::{Blank, Lease, Region};

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// All regions together, those in use and those that are free.
    pub bytes_max: usize,
    /// The free ones.
    pub free_bytes_max: usize,
    /// Regions, each with a descriptor.
    pub regions_max: usize,
}

/// Regions that are filled, shared and used again.
pub struct Pool {
    limits: PoolLimits,
    last_number: AtomicU64,
    state: Mutex<State>,
}

/// Readers that may see each other's content: the workers of one pool of processes. While several
/// parties live, a region that anyone was lent is never filled again, because whoever mapped it
/// could go on reading.
pub struct Party {
    pool: Arc<Pool>,
}

/// What a pool holds at the moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PoolStats {
    pub regions: usize,
    pub bytes: usize,
    pub free_bytes: usize,
}

#[derive(Default)]
struct State {
    /// The longest unused first.
    free: Vec<(Instant, Region)>,
    /// By the address that a region begins at; with the one it ends before.
    used: BTreeMap<usize, (usize, Weak<Lease>)>,
    parties: usize,
    stats: PoolStats,
}

impl Pool {
    pub fn new(limits: PoolLimits) -> Arc<Self> {
        let last_number = AtomicU64::new(0);
        Arc::new(Pool { limits, last_number, state: Mutex::default() })
    }

    /// Another party may be lent regions, for as long as the result lives.
    pub fn join(self: &Arc<Self>) -> Party {
        let mut state = self.state.lock();
        state.parties += 1;
        let gone = if state.parties > 1 { state.discard_lent() } else { Vec::new() };
        drop(state);
        drop(gone);
        Party { pool: self.clone() }
    }

    /// A region that is to be filled with `bytes`. Fails where the limits or the kernel say so.
    pub fn blank(self: &Arc<Self>, bytes: usize) -> io::Result<Blank> {
        let capacity = capacity_for(bytes);
        if is_forked_child() {
            return Err(io::Error::other("the regions belong to the parent process"));
        }
        let region = match self.recycled(bytes, capacity)? {
            Some(region) => region,
            None => self.fresh(capacity)?,
        };
        Ok(Blank::new(region, self.clone(), bytes))
    }

    /// A copy of `bytes` in a region.
    pub fn copy(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Bytes> {
        let mut blank = self.blank(bytes.len())?;
        let mut rest = bytes;
        in_pieces(blank.bytes_mut(), |piece| {
            let (now, later) = rest.split_at(piece.len());
            piece.copy_from_slice(now);
            rest = later;
        });
        Ok(blank.filled())
    }

    /// The region that `bytes` lie in, and where in it they begin.
    pub fn find(&self, bytes: &Bytes) -> Option<(Arc<Lease>, u64)> {
        let start = bytes.as_ptr().addr();
        let state = self.state.lock();
        let (begin, (end, lease)) = state.used.range(..=start).next_back()?;
        let is_inside = start.checked_add(bytes.len()).is_some_and(|last| last <= *end);
        let offset = u64::try_from(start - begin).ok()?;
        let lease = lease.upgrade().filter(|_| is_inside)?;
        Some((lease, offset))
    }

    /// Gives the memory of regions back that nobody has used for `idle`.
    pub fn trim(&self, idle: Duration) {
        let mut state = self.state.lock();
        let due = state.free.partition_point(|(since, _)| since.elapsed() >= idle);
        let gone = state.discard(due);
        drop(state);
        // Whoever hears of their end may take locks of its own.
        drop(gone);
    }

    pub fn stats(&self) -> PoolStats {
        self.state.lock().stats
    }

    pub(super) fn enter(&self, lease: &Arc<Lease>) {
        let Some(region) = lease.region() else { return };
        let (start, capacity) = (region.start(), region.capacity());
        self.state.lock().used.insert(start, (start + capacity, Arc::downgrade(lease)));
    }

    pub(super) fn give_back(&self, region: Region) {
        let mut state = self.state.lock();
        state.used.remove(&region.start());
        state.stats.free_bytes += region.capacity();
        state.free.push((Instant::now(), region));
        let mut gone = if state.parties > 1 { state.discard_lent() } else { Vec::new() };
        while state.stats.free_bytes > self.limits.free_bytes_max {
            gone.extend(state.discard(1));
        }
        drop(state);
        drop(gone);
    }

    /// The smallest free region that will do and wastes no more than it holds; the warmest of them.
    /// Makes room for a fresh one if there is none.
    fn recycled(&self, bytes: usize, capacity: usize) -> io::Result<Option<Region>> {
        let mut state = self.state.lock();
        let fits = |region: &Region| (bytes..=capacity * 2).contains(&region.capacity());
        let fitting = state.free.iter().enumerate().filter(|(_, (_, region))| fits(region));
        let best = fitting.rev().min_by_key(|(_, (_, region))| region.capacity());
        if let Some(index) = best.map(|(index, _)| index) {
            let (_, region) = state.free.remove(index);
            state.stats.free_bytes -= region.capacity();
            return Ok(Some(region));
        }
        let mut gone = Vec::new();
        while self.is_over(&state.stats, capacity) && !state.free.is_empty() {
            gone.extend(state.discard(1));
        }
        let is_over = self.is_over(&state.stats, capacity);
        if !is_over {
            state.stats.bytes += capacity;
            state.stats.regions += 1;
        }
        drop(state);
        drop(gone);
        match is_over {
            true => Err(io::Error::new(io::ErrorKind::QuotaExceeded, "shared memory is used up")),
            false => Ok(None),
        }
    }

    fn is_over(&self, stats: &PoolStats, more_bytes: usize) -> bool {
        stats.bytes.saturating_add(more_bytes) > self.limits.bytes_max
            || stats.regions >= self.limits.regions_max
    }

    /// `recycled` has counted it already.
    fn fresh(&self, capacity: usize) -> io::Result<Region> {
        let created = arm_fork_marker().and_then(|()| OwnedRegion::create(capacity));
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        created.map(|memory| Region::new(number, memory)).inspect_err(|_| {
            let stats = &mut self.state.lock().stats;
            stats.bytes -= capacity;
            stats.regions -= 1;
        })
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.pool.state.lock().parties -= 1;
    }
}

impl State {
    /// Takes the first `count` free regions out; the caller drops them outside the lock.
    fn discard(&mut self, count: usize) -> Vec<(Instant, Region)> {
        let gone = self.free.drain(..count.min(self.free.len())).collect();
        self.discounted(gone)
    }

    /// As `discard`, for those that somebody may have mapped.
    fn discard_lent(&mut self) -> Vec<(Instant, Region)> {
        let gone = self.free.extract_if(.., |(_, region)| region.was_lent()).collect();
        self.discounted(gone)
    }

    fn discounted(&mut self, gone: Vec<(Instant, Region)>) -> Vec<(Instant, Region)> {
        let bytes: usize = gone.iter().map(|(_, region)| region.capacity()).sum();
        self.stats.free_bytes -= bytes;
        self.stats.bytes -= bytes;
        self.stats.regions -= gone.len();
        gone
    }
}

/// Whole pages, in steps of a quarter of the next lower power of two, so that values of about the
/// same size share regions.
fn capacity_for(bytes: usize) -> usize {
    let floor = bytes.max(1).ilog2();
    let step = ((1_usize << floor) / 4).max(PAGE_BYTES);
    bytes.max(1).div_ceil(step).saturating_mul(step)
}

/// A multiple of every page size that there is.
const PAGE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::super::region::Knower;
    use super::*;

    const KIB: usize = 1024;
    const LIMITS: PoolLimits =
        PoolLimits { bytes_max: 1024 * KIB, free_bytes_max: 512 * KIB, regions_max: 4 };

    fn number(pool: &Arc<Pool>, bytes: &Bytes) -> u64 {
        pool.find(bytes).unwrap().0.region().unwrap().number
    }

    #[test]
    fn a_region_is_used_again_when_the_last_bytes_are_gone_and_not_before() {
        let pool = Pool::new(LIMITS);
        let first = pool.copy(&[1; 100 * KIB]).unwrap();
        let slice = first.slice(KIB..2 * KIB);
        let number_first = number(&pool, &first);
        drop(first);
        let second = pool.copy(&[2; 100 * KIB]).unwrap();
        assert_ne!(number(&pool, &second), number_first);
        assert_eq!(slice, [1; KIB].as_slice());
        assert_eq!(pool.find(&slice).map(|(_, offset)| offset), Some(1024));
        drop(slice);
        let third = pool.copy(&[3; 90 * KIB]).unwrap();
        assert_eq!(number(&pool, &third), number_first);
        assert_eq!(third, [3; 90 * KIB].as_slice());
        assert_eq!(second, [2; 100 * KIB].as_slice());
        assert_eq!(pool.stats(), PoolStats { regions: 2, bytes: 256 * KIB, free_bytes: 0 });
    }

    #[test]
    fn bytes_that_lie_elsewhere_are_not_found() {
        let pool = Pool::new(LIMITS);
        let inside = pool.copy(&[1; KIB]).unwrap();
        assert!(pool.find(&Bytes::from(vec![0; KIB])).is_none());
        assert!(Pool::new(LIMITS).find(&inside).is_none());
        assert!(pool.find(&inside).is_some());
    }

    #[test]
    fn over_the_limits_nothing_is_had_until_something_is_free() {
        let pool = Pool::new(LIMITS);
        let large = pool.copy(&[1; 900 * KIB]).unwrap();
        assert_eq!(pool.blank(200 * KIB).err().unwrap().kind(), io::ErrorKind::QuotaExceeded);
        drop(large);
        assert_eq!(pool.stats(), PoolStats::default(), "more than may be kept free");
        let four: Vec<_> = (0..4).map(|_| pool.copy(&[1; KIB]).unwrap()).collect();
        assert!(pool.blank(1).is_err(), "a fifth region");
        drop(four);
        assert_eq!(pool.stats().regions, 4);
        assert!(pool.blank(900 * KIB).is_ok(), "free regions make room");
        assert!(pool.blank(usize::MAX / 4).is_err());
    }

    #[test]
    fn what_nobody_uses_is_given_back() {
        let pool = Pool::new(LIMITS);
        let kept = pool.copy(&[1; KIB]).unwrap();
        drop(pool.copy(&[1; KIB]).unwrap());
        pool.trim(Duration::from_secs(3600));
        assert_eq!(pool.stats().regions, 2);
        pool.trim(Duration::ZERO);
        assert_eq!(pool.stats(), PoolStats { regions: 1, bytes: 64 * KIB, free_bytes: 0 });
        assert_eq!(kept, [1; KIB].as_slice());
    }

    #[test]
    fn between_parties_no_region_is_filled_again_that_anyone_was_lent() {
        struct Reader;
        impl Knower for Reader {
            fn forget(&self, _: u64) {}
        }
        let reader: Arc<dyn Knower> = Arc::new(Reader);
        let lend = |pool: &Arc<Pool>, bytes: &Bytes| {
            let (lease, _) = pool.find(bytes).unwrap();
            lease.region().unwrap().known_by(Arc::downgrade(&reader));
        };
        let pool = Pool::new(LIMITS);
        let one = pool.join();
        for _ in 0..3 {
            lend(&pool, &pool.copy(&[1; KIB]).unwrap());
            assert_eq!(pool.stats().regions, 1, "one party may see its own content");
        }
        let other = pool.join();
        assert_eq!(pool.stats().regions, 0);
        let shown = pool.copy(&[1; KIB]).unwrap();
        lend(&pool, &shown);
        drop(shown);
        assert_eq!(pool.stats().regions, 0);
        drop(pool.copy(&[1; KIB]).unwrap());
        assert_eq!(pool.stats().regions, 1, "nobody has seen it");
        drop(one);
        lend(&pool, &pool.copy(&[1; KIB]).unwrap());
        assert_eq!(pool.stats().regions, 1);
        drop(other);
    }

    #[test]
    fn a_large_region_is_not_spent_on_few_bytes() {
        let pool = Pool::new(LIMITS);
        drop(pool.copy(&[1; 400 * KIB]).unwrap());
        let small = pool.copy(&[1; KIB]).unwrap();
        assert_eq!(pool.stats().regions, 2);
        drop(small);
    }

    #[test]
    fn capacities_waste_at_most_a_quarter_beyond_the_smallest() {
        for bytes in [1, KIB, 64 * KIB, 64 * KIB + 1, 1000 * KIB, 64 * KIB * KIB + 30] {
            let capacity = capacity_for(bytes);
            assert!(capacity >= bytes && capacity.is_multiple_of(PAGE_BYTES));
            assert!(capacity - bytes <= (bytes / 4).max(PAGE_BYTES), "{bytes} {capacity}");
        }
    }
}
