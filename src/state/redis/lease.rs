//! This host's lease: a key in Redis that lives for as long as the host renews it. Every script
//! looks for it, so a host that was away for longer writes nothing any more, whatever it believes.

use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::store::{Store, arg_of_time};

/// The lease that sessions are opened and joined under.
pub struct Lease {
    time: Duration,
    current: Mutex<Option<u64>>,
    /// Held while one is taken, so that only one is.
    pub taking: tokio::sync::Mutex<()>,
}

impl Lease {
    pub fn new(time: Duration) -> Self {
        Lease { time, current: Mutex::default(), taking: tokio::sync::Mutex::default() }
    }

    pub fn current(&self) -> Option<u64> {
        *self.current.lock()
    }

    pub fn taken(&self, epoch: u64) {
        *self.current.lock() = Some(epoch);
    }

    /// Whoever opens or joins a session from now on needs a new one.
    pub fn lost(&self, epoch: u64) {
        let mut current = self.current.lock();
        if *current == Some(epoch) {
            *current = None;
        }
    }

    pub fn time_ms(&self) -> Bytes {
        arg_of_time(self.time)
    }
}

/// Renews the lease for as long as there is a store.
pub async fn keep_renewing(store: Weak<Store>) {
    while let Some(kept) = store.upgrade() {
        let pause = kept.lease.time / RENEWALS_PER_LEASE;
        if let Some(epoch) = kept.lease.current() {
            let outcome = kept.renew_lease(epoch, Instant::now() + pause).await;
            if let Err(error) = outcome {
                tracing::warn!(store = "redis", %error, "lease not renewed");
            }
        }
        drop(kept);
        tokio::time::sleep(pause).await;
    }
}

/// Two may be missed.
const RENEWALS_PER_LEASE: u32 = 3;
