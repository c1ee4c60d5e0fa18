//! Handles of the library with their ends: dropping one frees it, which cancels nothing.
//!
//! A handle is a number that the library checks on every use, so any thread may use and drop it.

use super::sys;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $raw:ident, $free:ident) => {
        $(#[$doc])*
        pub struct $name(pub(super) sys::$raw);

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: any number may be freed, a stale one does nothing.
                unsafe { sys::$free(self.0) }
            }
        }
    };
}

handle!(
    /// A platform; freeing one that was not closed starts closing it.
    Platform, spb_platform, spb_platform_free
);
handle!(Pool, spb_pool, spb_pool_free);
handle!(Session, spb_session, spb_session_free);
handle!(Operation, spb_operation, spb_operation_free);
handle!(Queue, spb_queue, spb_queue_free);
handle!(Tool, spb_tool, spb_tool_free);
handle!(
    /// One call of a tool; freeing it unanswered fails it.
    Invocation, spb_invocation, spb_invocation_free
);
handle!(
    /// A subscription; freeing it ends it.
    Watch, spb_watch, spb_watch_free
);

impl Invocation {
    /// What an event says of the same call.
    pub fn id(&self) -> u64 {
        self.0.id
    }
}
