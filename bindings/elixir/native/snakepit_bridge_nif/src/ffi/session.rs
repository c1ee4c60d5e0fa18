//! Calls of sessions. Must not know operations.

use super::event::sink;
use super::failure::{Outcome, call};
use super::handles::{Operation, Platform, Queue, Session};
use super::platform::submitted;
use super::sys::{self, spb_error, spb_session, spb_session_options, spb_status};
use super::text::{optional, view};
use super::value::{Value, made};

/// See spb_session_options.
#[derive(Default)]
pub struct SessionOptions<'a> {
    pub id: Option<&'a str>,
    pub metadata_json: Option<&'a str>,
    pub ttl_ms: i64,
    pub affinity: u32,
}

impl Session {
    pub fn open(platform: &Platform, options: &SessionOptions) -> Outcome<Session> {
        let raw = options.raw();
        // SAFETY: what the struct points to lives until the call has returned, here and below.
        opened(|out, err| unsafe { sys::spb_session_open(platform.0, &raw const raw, out, err) })
    }

    pub fn join(platform: &Platform, id: &str) -> Outcome<Session> {
        // SAFETY: as above.
        opened(|out, err| unsafe { sys::spb_session_join(platform.0, view(id), out, err) })
    }

    pub fn list(platform: &Platform, after_id: &str, limit: usize) -> Outcome<Value> {
        // SAFETY: as above.
        made(|out, err| unsafe {
            sys::spb_session_list(platform.0, view(after_id), limit, out, err)
        })
    }

    pub fn info(&self) -> Outcome<Value> {
        // SAFETY: the outputs are ours, here and below.
        made(|out, err| unsafe { sys::spb_session_info(self.0, out, err) })
    }

    pub fn touch(&self) -> Outcome<()> {
        // SAFETY: as above.
        call(|err| unsafe { sys::spb_session_touch(self.0, err) })
    }

    pub fn close(&self, queue: &Queue, tag: u64) -> Outcome<Operation> {
        let sink = sink(queue, tag);
        // SAFETY: as above; the sink is read during the call.
        submitted(|out, err| unsafe { sys::spb_session_close(self.0, &raw const sink, out, err) })
    }

    pub fn clone_with(&self, options: &SessionOptions) -> Outcome<Session> {
        let raw = options.raw();
        // SAFETY: as in `open`.
        opened(|out, err| unsafe { sys::spb_session_clone(self.0, &raw const raw, out, err) })
    }

    pub fn export(&self, path: &str) -> Outcome<()> {
        // SAFETY: the view is read during the call.
        call(|err| unsafe { sys::spb_session_export(self.0, view(path), err) })
    }

    pub fn import(platform: &Platform, path: &str, options: &SessionOptions) -> Outcome<Session> {
        let raw = options.raw();
        // SAFETY: as in `open`.
        opened(|out, err| unsafe {
            sys::spb_session_import(platform.0, view(path), &raw const raw, out, err)
        })
    }

    pub fn export_value(&self) -> Outcome<Value> {
        // SAFETY: the outputs are ours.
        made(|out, err| unsafe { sys::spb_session_export_value(self.0, out, err) })
    }

    pub fn import_value(
        platform: &Platform,
        archive: &Value,
        options: &SessionOptions,
    ) -> Outcome<Session> {
        let raw = options.raw();
        let archive = archive.as_ptr();
        // SAFETY: as in `open`; the value lives until the call has returned.
        opened(|out, err| unsafe {
            sys::spb_session_import_value(platform.0, archive, &raw const raw, out, err)
        })
    }
}

impl SessionOptions<'_> {
    fn raw(&self) -> spb_session_options {
        let mut raw = spb_session_options::init();
        raw.id = optional(self.id);
        raw.metadata_json = optional(self.metadata_json);
        raw.ttl_ms = self.ttl_ms;
        raw.affinity = self.affinity;
        raw
    }
}

fn opened(
    function: impl FnOnce(*mut spb_session, *mut *mut spb_error) -> spb_status,
) -> Outcome<Session> {
    let mut out = spb_session { id: 0 };
    call(|err| function(&raw mut out, err))?;
    Ok(Session(out))
}
