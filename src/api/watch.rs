//! Watching a session's variables from the host.

use std::sync::Arc;

use crate::core::{Result, Value};
use crate::state::{Watch, WatchEnd, WatchEvent, WatchObserver, WatchOptions, WatchPatterns};
use crate::telemetry::StateVerb;

use super::session::Session;
use super::variable_document;

impl Session {
    /// Tells `observer` of changes of the variables whose names match one of `patterns` (`*`, `?`;
    /// none for all), in the order in which they happen. The watch ends when it is dropped or
    /// stopped, and with the session and the platform; its last event is always `End`. An observer
    /// that takes too little is told how much it missed.
    pub fn watch<'a>(
        &self,
        patterns: impl IntoIterator<Item = &'a str>,
        options: WatchOptions,
        observer: Arc<dyn WatchObserver>,
    ) -> Result<Watch> {
        let patterns = WatchPatterns::new(patterns)?;
        let services = &self.platform.services;
        let watch = self.apply(StateVerb::Watch, |at| {
            services.watches.watch(&services.store, at.key(), patterns, options, observer)
        })?;
        if self.session.is_closed() {
            // It was closed in between, and its end may have come before the watch.
            services.watches.end(self.key().incarnation, WatchEnd::SessionClosed);
        }
        Ok(watch)
    }
}

/// What a watcher is told, as a document; see `docs/state.md`.
pub fn watch_event_document(event: &WatchEvent) -> Result<Option<Value>> {
    variable_document::event(event)
}
