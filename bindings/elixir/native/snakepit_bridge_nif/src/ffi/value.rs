//! Values: documents with attachments, owned and shared with the library.
//!
//! Must not know what a term is; `codec` reads and writes documents.

use std::ptr::{NonNull, null, null_mut};

use super::failure::{Outcome, call};
use super::sys::{self, spb_attachment, spb_error, spb_status, spb_value};
use super::text::{bytes, bytes_view};

/// Owns a value. Immutable: any thread may read it.
pub struct Value(NonNull<spb_value>);

// SAFETY: values are immutable and reference counted by the library.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

/// Binary content of a value, where it lies.
pub struct Attachment<'a> {
    pub kind: AttachmentKind<'a>,
    pub data: &'a [u8],
}

pub enum AttachmentKind<'a> {
    Blob,
    Tensor { dtype: u32, shape: &'a [i64] },
}

impl Value {
    pub fn from_json(json: &[u8]) -> Outcome<Value> {
        // SAFETY: the view is read during the call.
        made(|out, err| unsafe { sys::spb_value_from_json(bytes_view(json), out, err) })
    }

    /// The document with its attachments, which are copied.
    pub fn from_parts(json: &[u8], attachments: &[Attachment]) -> Outcome<Value> {
        let given: Vec<spb_attachment> = attachments.iter().map(Attachment::raw).collect();
        let (ptr, len) = (given.as_ptr(), given.len());
        // SAFETY: views of slices that live until the call has returned.
        made(|out, err| unsafe { sys::spb_value_from_parts(bytes_view(json), ptr, len, out, err) })
    }

    /// # Safety
    /// `value` is owned by the caller, who gives it away; NULL is no value.
    pub(super) unsafe fn of(value: *mut spb_value) -> Option<Value> {
        NonNull::new(value).map(Value)
    }

    pub(super) fn as_ptr(&self) -> *const spb_value {
        self.0.as_ptr()
    }

    pub fn json(&self) -> &[u8] {
        // SAFETY: the value lives as long as `self`, and so does its document.
        unsafe { bytes(sys::spb_value_json(self.as_ptr())) }
    }

    pub fn has_attachments(&self) -> bool {
        // SAFETY: the value lives.
        unsafe { sys::spb_value_attachment_count(self.as_ptr()) > 0 }
    }

    pub fn attachment(&self, index: usize) -> Outcome<Attachment<'_>> {
        let mut seen = spb_attachment::init();
        // SAFETY: the value lives, the output is ours.
        call(|err| unsafe { sys::spb_value_attachment(self.as_ptr(), index, &raw mut seen, err) })?;
        // SAFETY: both are views that live as long as the value.
        let data = unsafe { slice(seen.data, seen.len) };
        if seen.kind == sys::SPB_ATTACHMENT_BLOB {
            return Ok(Attachment { kind: AttachmentKind::Blob, data });
        }
        // SAFETY: as above.
        let shape = unsafe { slice(seen.shape, seen.ndim) };
        Ok(Attachment { kind: AttachmentKind::Tensor { dtype: seen.dtype, shape }, data })
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: owned, and freed once.
        unsafe { sys::spb_value_free(self.0.as_ptr()) }
    }
}

impl Attachment<'_> {
    fn raw(&self) -> spb_attachment {
        let mut raw = spb_attachment::init();
        raw.kind = sys::SPB_ATTACHMENT_BLOB;
        raw.data = self.data.as_ptr();
        raw.len = self.data.len();
        if let AttachmentKind::Tensor { dtype, shape } = self.kind {
            raw.kind = sys::SPB_ATTACHMENT_TENSOR;
            raw.dtype = dtype;
            raw.shape = if shape.is_empty() { null() } else { shape.as_ptr() };
            raw.ndim = shape.len();
        }
        raw
    }
}

/// Makes a call whose output is a value.
pub(super) fn made(
    function: impl FnOnce(*mut *mut spb_value, *mut *mut spb_error) -> spb_status,
) -> Outcome<Value> {
    let mut value = null_mut();
    call(|err| function(&raw mut value, err))?;
    // SAFETY: outputs are the caller's.
    let made = unsafe { Value::of(value) };
    made.ok_or_else(|| super::Failure::own(sys::SPB_E_INTERNAL, "the library gave no value"))
}

/// The pointer for an argument that may be absent.
pub(super) fn pointer(value: Option<&Value>) -> *const spb_value {
    value.map_or(null(), Value::as_ptr)
}

/// # Safety
/// `len` elements at `ptr` live for `'a`.
unsafe fn slice<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    if ptr.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: as the caller vouches; the library aligns shapes, and bytes need none.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}
