//! `spb_sink`: where a caller wants events to go, chosen once, when something is submitted.
//!
//! What the sink brings along (`user_data` with `destroy`) is the library's from the moment of the
//! call, so that `destroy` runs exactly once whether the call succeeds or not.

use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::Arc;

use crate::core::{Error, Result};

use super::callback_sink::CallbackSink;
use super::event::{spb_destroy_callback, spb_event_callback};
use super::handle_table;
use super::handles::spb_queue;
use super::home::Home;
use super::options::{Options, check_reserved, read_optional};
use super::target::Target;

/// No sink: the outcome waits for spb_operation_wait and spb_operation_take_result.
pub const SPB_SINK_NONE: u32 = 0;
/// Events go to `queue`, with `tag`.
pub const SPB_SINK_QUEUE: u32 = 1;
/// Events go to `callback`, with `tag`.
pub const SPB_SINK_CALLBACK: u32 = 2;

/// Where events go. Make one with spb_sink_queue or spb_sink_callback. A NULL sink is no sink.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct spb_sink {
    pub struct_size: usize,
    /// SPB_SINK_*.
    pub kind: u32,
    pub reserved: u32,
    pub queue: spb_queue,
    /// Comes back in every event of this sink: a key or an address of yours.
    pub tag: u64,
    pub callback: spb_event_callback,
    pub user_data: *mut c_void,
    /// May be NULL. Called exactly once, also when the call that was given the sink fails.
    pub destroy: spb_destroy_callback,
}

// SAFETY: `repr(C)`, the size first, seven words without padding; NULL is a valid `Option` of a
// function.
unsafe impl Options for spb_sink {}

/// What a host attached to its callback. Dropping it calls `destroy`.
pub struct UserData {
    pointer: *mut c_void,
    destroy: spb_destroy_callback,
}

// SAFETY: the header demands of callbacks and their data that they may be used from any thread.
unsafe impl Send for UserData {}
// SAFETY: as above; here the pointer is only handed on.
unsafe impl Sync for UserData {}

impl UserData {
    pub fn new(pointer: *mut c_void, destroy: spb_destroy_callback) -> Self {
        UserData { pointer, destroy }
    }

    pub fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy.take() {
            // SAFETY: the host gave this function for this pointer, and it is called this once.
            unsafe { destroy(self.pointer) };
        }
    }
}

/// A caller's sink, read and owned but not yet checked.
pub struct Sink {
    read: Result<Option<spb_sink>>,
    user: UserData,
}

impl Sink {
    /// Reads the sink and takes over what it brings along. Call it first, outside of the guard.
    ///
    /// # Safety
    /// Unless `given` is NULL, it points to an `spb_sink` as large as its `struct_size` says.
    pub unsafe fn take(given: *const spb_sink) -> Sink {
        // SAFETY: as the caller vouches.
        let read = unsafe { read_optional(given, "sink") };
        let user = match &read {
            Ok(Some(sink)) => UserData::new(sink.user_data, sink.destroy),
            // SAFETY: as the caller vouches.
            Err(_) => unsafe { user_of_refused(given) },
            Ok(None) => UserData::new(std::ptr::null_mut(), None),
        };
        Sink { read, user }
    }

    /// The target that the sink stands for; none for no sink.
    pub fn open(self, home: &Arc<Home>) -> Result<Option<Target>> {
        let Some(sink) = self.read? else { return Ok(None) };
        check_reserved(sink.reserved.into(), "sink.reserved")?;
        if sink.kind != SPB_SINK_CALLBACK && (sink.callback.is_some() || sink.destroy.is_some()) {
            return Err(Error::invalid(
                "sink.callback is set, and the kind is not SPB_SINK_CALLBACK",
            ));
        }
        match sink.kind {
            SPB_SINK_NONE => Ok(None),
            SPB_SINK_QUEUE => {
                let queue = handle_table::get(sink.queue)?;
                queue.check_home(home)?;
                Ok(Some(Target::Queue { queue: queue.core().clone(), tag: sink.tag }))
            }
            SPB_SINK_CALLBACK => {
                let callback =
                    sink.callback.ok_or_else(|| super::guard::null_argument("sink.callback"))?;
                let sink_tag = sink.tag;
                let sink = CallbackSink::new(home.callbacks(), callback, self.user)?;
                Ok(Some(Target::Callback { sink, tag: sink_tag }))
            }
            kind => Err(Error::invalid(format!("sink.kind {kind} is none of SPB_SINK_*"))),
        }
    }

    /// As `open`, where a sink has to be.
    pub fn open_required(self, home: &Arc<Home>) -> Result<Target> {
        self.open(home)?.ok_or_else(|| {
            Error::invalid("sink is none, and without one nobody would receive the events")
        })
    }
}

/// The data of a sink that was refused for a tail that this build does not know: it reaches far
/// enough to be owned. One whose size says nothing is left alone.
///
/// # Safety
/// As for `Sink::take`.
unsafe fn user_of_refused(given: *const spb_sink) -> UserData {
    let nothing = UserData::new(std::ptr::null_mut(), None);
    if given.is_null() || !given.is_aligned() {
        return nothing;
    }
    // SAFETY: not NULL and aligned, so at least the size is there.
    let size = unsafe { given.cast::<usize>().read() };
    let is_whole = size >= offset_of!(spb_sink, destroy) + size_of::<spb_destroy_callback>();
    if !is_whole || size > STRUCT_SIZE_BELIEVABLE_MAX {
        return nothing;
    }
    // SAFETY: the struct reaches to the end of the fields that this build knows.
    let sink = unsafe { given.read() };
    UserData::new(sink.user_data, sink.destroy)
}

/// Beyond this the size is memory that was never set, and so are the pointers.
const STRUCT_SIZE_BELIEVABLE_MAX: usize = 4096;
