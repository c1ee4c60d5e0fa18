//! The lending side of a connection: which regions the other process has the descriptor of, and
//! which of them it still looks at.
//!
//! While the other side looks at a region its lease is held here, so that nobody writes it. When
//! the connection is gone, so are all its looks. Knows nothing of messages: who owns the connection
//! passes the other side's words on.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use super::lane::{Lane, Record};
use super::notes::Notes;
use super::pool::Pool;
use super::region::{Knower, Lease};

/// Lends regions of one pool over one connection.
pub struct Lender {
    pool: Arc<Pool>,
    lane: Arc<Lane>,
    notes: Arc<dyn Notes>,
    lent: Mutex<Lent>,
}

/// Where bytes lie, in words that the other side understands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    pub region: u64,
    pub offset_bytes: u64,
}

#[derive(Default)]
struct Lent {
    is_over: bool,
    regions: HashMap<u64, Account>,
}

/// One region that the other side was told of.
#[derive(Default)]
struct Account {
    /// Whether its descriptor was sent, and has not got lost as far as we know.
    was_sent: bool,
    looks: u64,
    lease: Option<Arc<Lease>>,
}

impl Lender {
    pub fn new(pool: Arc<Pool>, lane: Arc<Lane>, notes: Arc<dyn Notes>) -> Arc<Self> {
        Arc::new(Lender { pool, lane, notes, lent: Mutex::default() })
    }

    /// Lends `bytes`, if they lie in a region of the pool and the other side can be told. Counts as
    /// one look, until `returned`.
    pub fn lend(self: &Arc<Self>, bytes: &Bytes) -> Option<Place> {
        let (lease, offset_bytes) = self.pool.find(bytes)?;
        let region = lease.region()?;
        let number = region.number;
        let mut lent = self.lent.lock();
        if lent.is_over {
            return None;
        }
        if !lent.regions.get(&number).is_some_and(|account| account.was_sent) {
            let bytes = u64::try_from(region.capacity()).ok()?;
            // Before anything can name the region, and never waiting: a lane that is full or gone
            // costs a copy and nothing else.
            self.lane.send(Record { region: number, bytes }, region.memory.file()).ok()?;
            region.known_by(Arc::downgrade(self) as Weak<dyn Knower>);
        }
        let account = lent.regions.entry(number).or_default();
        account.was_sent = true;
        account.looks = account.looks.saturating_add(1);
        account.lease.get_or_insert(lease);
        Some(Place { region: number, offset_bytes })
    }

    /// The other side no longer looks at one thing in `region`.
    pub fn returned(&self, region: u64) {
        self.end_look(region, |_| {});
    }

    /// The other side could not look, because it has not got `region`: its descriptor is sent again
    /// with the next use.
    pub fn missing(&self, region: u64) {
        self.end_look(region, |account| account.was_sent = false);
    }

    /// The other side is gone, with all that it looked at.
    pub fn end(&self) {
        let mut lent = self.lent.lock();
        lent.is_over = true;
        let regions = std::mem::take(&mut lent.regions);
        drop(lent);
        drop(regions);
    }

    fn end_look(&self, region: u64, note: impl FnOnce(&mut Account)) {
        let mut lent = self.lent.lock();
        let Some(account) = lent.regions.get_mut(&region) else { return };
        note(account);
        account.looks = account.looks.saturating_sub(1);
        let ended = if account.looks == 0 { account.lease.take() } else { None };
        // The end of a lease takes the pool's lock, and may come back here.
        drop(lent);
        drop(ended);
    }
}

impl Knower for Lender {
    fn forget(&self, region: u64) {
        let was_known = self.lent.lock().regions.remove(&region).is_some();
        if was_known {
            self.notes.forgotten(region);
        }
    }
}
