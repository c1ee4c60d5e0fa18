//! Listening to Redis: changes of the sessions that are followed, and sessions that were closed.
//!
//! One task has the connection. When it is lost, changes may have been missed: it subscribes anew,
//! says so for each session that is followed, and looks which sessions are still there. Nothing
//! here writes.

use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use redis::Msg;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::core::{Error, Result};
use crate::state::change::SessionLoss;

use super::failure::{store_closed, unavailable};
use super::link::Rests;
use super::message;
use super::sessions::look;
use super::store::Store;

/// A session is to be followed from now on, or no longer.
pub struct Follow {
    pub incarnation: u64,
    pub on: bool,
    /// Answered when the server has confirmed it.
    pub done: oneshot::Sender<Result<()>>,
}

/// Listens until the store is gone.
pub async fn listen(store: Weak<Store>, mut asked: mpsc::Receiver<Follow>) {
    let mut followed = FxHashMap::default();
    let mut is_first = true;
    while let Some(pubsub) = connected(&store, &mut asked).await {
        let (sink, stream) = pubsub.split();
        let mut listener = Listener { store: store.clone(), followed: &mut followed, sink };
        if listener.resume(is_first).await.is_some() {
            is_first = false;
            if listener.run(stream, &mut asked).await.is_none() {
                return;
            }
        }
        followed.values_mut().for_each(|last| *last = None);
    }
}

/// A connection, or nothing when the store is gone. Requests are refused meanwhile, once their
/// time is up.
async fn connected(store: &Weak<Store>, asked: &mut mpsc::Receiver<Follow>) -> Option<PubSub> {
    let mut rests = Rests::default();
    loop {
        let cause = match store.upgrade()?.link.listener().await {
            Ok(pubsub) => return Some(pubsub),
            Err(failure) => failure.cause().to_owned(),
        };
        let end = rests.next_end();
        let refusing = async {
            while let Some(follow) = asked.recv().await {
                // Nobody waits when the receiver is gone.
                let _gone = follow.done.send(Err(unavailable(&cause)));
            }
        };
        tokio::select! {
            () = sleep_until(end) => {}
            // No one can ask any more: the store is gone.
            () = refusing => return None,
        }
    }
}

/// One connection's life.
struct Listener<'a> {
    store: Weak<Store>,
    /// The revision that was told last, by incarnation.
    followed: &'a mut FxHashMap<u64, Option<u64>>,
    sink: PubSubSink,
}

impl Listener<'_> {
    /// Subscribes to all that is to be heard. None when the connection is lost again.
    async fn resume(&mut self, is_first: bool) -> Option<()> {
        let store = self.store.upgrade()?;
        let mut channels = vec![store.keys.closings()];
        channels.extend(self.followed.keys().map(|incarnation| store.keys.changes(*incarnation)));
        self.subscribe(channels).await.ok()?;
        if is_first {
            return Some(());
        }
        self.followed.keys().for_each(|incarnation| store.members.sink.gap(*incarnation));
        let looks = store.members.all().into_iter().map(|session| {
            let store = store.clone();
            // An end is told on the way; what fails now is found by the next command.
            async move { look(&store, &session, store.until()).await.is_ok() }
        });
        futures_util::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).count().await;
        Some(())
    }

    /// Until the connection is lost, or (none) the store is gone.
    async fn run(
        &mut self,
        mut stream: PubSubStream,
        asked: &mut mpsc::Receiver<Follow>,
    ) -> Option<()> {
        let mut next_ping = Instant::now() + PING_INTERVAL;
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) => {
                        if let Some(ended) = self.hear(&message)? {
                            self.forget(ended).await;
                        }
                    }
                    None => return Some(()),
                },
                follow = asked.recv() => self.follow(follow?).await,
                () = sleep_until(next_ping) => {
                    self.store.upgrade()?;
                    next_ping = Instant::now() + PING_INTERVAL;
                    let ping = timeout(PING_TIMEOUT, self.sink.ping::<redis::Value>());
                    if !matches!(ping.await, Ok(Ok(_))) {
                        return Some(());
                    }
                }
            }
        }
    }

    async fn follow(&mut self, follow: Follow) {
        let Follow { incarnation, on, done } = follow;
        let Some(store) = self.store.upgrade() else {
            let _gone = done.send(Err(store_closed()));
            return;
        };
        let channel = store.keys.changes(incarnation);
        let outcome = if on {
            self.followed.entry(incarnation).or_insert(None);
            self.subscribe(vec![channel]).await
        } else {
            self.followed.remove(&incarnation);
            self.unsubscribe(channel).await
        };
        // Nobody waits when the receiver is gone; the subscription is as harmless as before.
        let _gone = done.send(outcome);
    }

    async fn subscribe(&mut self, channels: Vec<String>) -> Result<()> {
        let outcome = timeout(PING_TIMEOUT, self.sink.subscribe(channels)).await;
        confirmed(outcome.is_ok_and(|outcome| outcome.is_ok()))
    }

    async fn unsubscribe(&mut self, channel: String) -> Result<()> {
        let outcome = timeout(PING_TIMEOUT, self.sink.unsubscribe(channel)).await;
        confirmed(outcome.is_ok_and(|outcome| outcome.is_ok()))
    }

    /// Of a session that was closed there is nothing more to hear.
    async fn forget(&mut self, incarnation: u64) {
        let Some(store) = self.store.upgrade() else { return };
        if self.followed.remove(&incarnation).is_some() {
            // If it does not work, the connection is about to be noticed as lost.
            let _done = self.unsubscribe(store.keys.changes(incarnation)).await;
        }
    }

    /// The session that was closed, if it says so. None when the store is gone.
    fn hear(&mut self, message: &Msg) -> Option<Option<u64>> {
        let store = self.store.upgrade()?;
        let channel = message.get_channel_name();
        let payload = Bytes::copy_from_slice(message.get_payload_bytes());
        if channel == store.keys.closings() {
            let incarnation = std::str::from_utf8(&payload).ok().and_then(|text| text.parse().ok());
            if let Some(incarnation) = incarnation {
                store.members.lost(incarnation, SessionLoss::Ended);
            }
            return Some(incarnation);
        }
        let start = store.keys.changes_start();
        let incarnation = channel.strip_prefix(&start).and_then(|rest| rest.parse().ok());
        if let Some(incarnation) = incarnation {
            self.tell(&store, incarnation, payload);
        }
        Some(None)
    }

    /// A revision that was left out, or a message that cannot be read, is a gap.
    fn tell(&mut self, store: &Store, incarnation: u64, payload: Bytes) {
        let Some(last) = self.followed.get_mut(&incarnation) else { return };
        let sink = &store.members.sink;
        let Some(change) = message::read(payload) else {
            *last = None;
            return sink.gap(incarnation);
        };
        match *last {
            Some(known) if change.revision <= known => return,
            Some(known) if change.revision > known + 1 => sink.gap(incarnation),
            _ => {}
        }
        *last = Some(change.revision);
        if sink.wants(incarnation) {
            sink.changed(incarnation, change);
        }
    }
}

fn confirmed(is_confirmed: bool) -> Result<(), Error> {
    if is_confirmed { Ok(()) } else { Err(unavailable("subscription not confirmed")) }
}

/// A server that is gone without a word is noticed after this and the time-out.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
const LOOKS_AT_ONCE: usize = 64;
