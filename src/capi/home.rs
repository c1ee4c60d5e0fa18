//! What everything of one platform shares on this side of the boundary: the platform, its callback
//! threads, and its queues, which have to hear of its end.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::api::Platform;
use crate::core::Result;

use super::callback_pool::CallbackPool;
use super::queue_core::QueueCore;

/// A platform and what C needs of it.
pub struct Home {
    platform: Arc<Platform>,
    callbacks: Arc<CallbackPool>,
    queues: Arc<Queues>,
}

/// The queues of a platform that live.
#[derive(Default)]
struct Queues {
    list: Mutex<QueueList>,
}

#[derive(Default)]
struct QueueList {
    live: Vec<Weak<QueueCore>>,
    is_closed: bool,
}

impl Home {
    pub fn open(config_json: &[u8]) -> Result<Arc<Self>> {
        let platform = Platform::open(config_json)?;
        let seats = platform.seats().clone();
        let callbacks = CallbackPool::new(platform.callback_threads(), Some(seats));
        let queues = Arc::new(Queues::default());
        let (of_hook, queues_of_hook) = (callbacks.clone(), queues.clone());
        platform.on_closed(Box::new(move || {
            queues_of_hook.close();
            of_hook.stop();
        }));
        Ok(Arc::new(Home { platform, callbacks, queues }))
    }

    pub fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    pub fn callbacks(&self) -> &Arc<CallbackPool> {
        &self.callbacks
    }

    /// A queue that hears of the platform's end; one made after it starts with SHUTDOWN.
    pub fn new_queue(&self) -> Arc<QueueCore> {
        let queue = QueueCore::new(Some(self.platform.seats().clone()));
        let mut list = self.queues.list.lock();
        if list.is_closed {
            queue.close();
        } else {
            list.live.retain(|queue| queue.strong_count() > 0);
            list.live.push(Arc::downgrade(&queue));
        }
        queue
    }
}

impl Queues {
    fn close(&self) {
        let mut list = self.list.lock();
        list.is_closed = true;
        let live = std::mem::take(&mut list.live);
        drop(list);
        live.iter().filter_map(Weak::upgrade).for_each(|queue| queue.close());
    }
}
