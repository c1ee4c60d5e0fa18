//! The two structs of the Arrow C Data Interface as its specification lays them out, and its format
//! strings for the element types that values have.
//!
//! The header names the structs and leaves their fields to Arrow's own header. What is done with
//! them is in `arrow_import` and `arrow_export`.

use std::ffi::{CStr, c_char, c_void};

use crate::core::DType;

/// The type of an array. Released when `release` is NULL.
#[repr(C)]
pub struct ArrowSchema {
    pub format: *const c_char,
    pub name: *const c_char,
    pub metadata: *const c_char,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut ArrowSchema,
    pub dictionary: *mut ArrowSchema,
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub private_data: *mut c_void,
}

/// The data of an array. Released when `release` is NULL.
#[repr(C)]
pub struct ArrowArray {
    pub length: i64,
    /// -1: not counted.
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *mut *const c_void,
    pub children: *mut *mut ArrowArray,
    pub dictionary: *mut ArrowArray,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    pub private_data: *mut c_void,
}

impl ArrowSchema {
    /// One that is released already.
    pub const fn released() -> Self {
        ArrowSchema {
            format: std::ptr::null(),
            name: std::ptr::null(),
            metadata: std::ptr::null(),
            flags: 0,
            n_children: 0,
            children: std::ptr::null_mut(),
            dictionary: std::ptr::null_mut(),
            release: None,
            private_data: std::ptr::null_mut(),
        }
    }
}

impl ArrowArray {
    /// One that is released already.
    pub const fn released() -> Self {
        ArrowArray {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: std::ptr::null_mut(),
            children: std::ptr::null_mut(),
            dictionary: std::ptr::null_mut(),
            release: None,
            private_data: std::ptr::null_mut(),
        }
    }
}

/// The format of an element type; Arrow keeps truths as bits and knows no bfloat16.
pub fn format_of(dtype: DType) -> Option<&'static CStr> {
    FORMATS.iter().find(|(known, _)| *known == dtype).map(|(_, format)| *format)
}

/// The element type of a format.
pub fn dtype_of(format: &CStr) -> Option<DType> {
    FORMATS.iter().find(|(_, known)| *known == format).map(|(dtype, _)| *dtype)
}

/// The size of the lists of a format that is `+w:SIZE`.
pub fn list_size_of(format: &CStr) -> Option<i64> {
    let digits = format.to_str().ok()?.strip_prefix("+w:")?;
    digits.parse().ok().filter(|size| *size >= 0)
}

const FORMATS: [(DType, &CStr); 11] = [
    (DType::Int8, c"c"),
    (DType::UInt8, c"C"),
    (DType::Int16, c"s"),
    (DType::UInt16, c"S"),
    (DType::Int32, c"i"),
    (DType::UInt32, c"I"),
    (DType::Int64, c"l"),
    (DType::UInt64, c"L"),
    (DType::Float16, c"e"),
    (DType::Float32, c"f"),
    (DType::Float64, c"g"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_lead_back_and_others_are_unknown() {
        for dtype in DType::ALL {
            let expected = !matches!(dtype, DType::Bool | DType::BFloat16);
            assert_eq!(format_of(dtype).and_then(dtype_of) == Some(dtype), expected);
        }
        assert_eq!(dtype_of(c"u"), None);
        assert_eq!(list_size_of(c"+w:384"), Some(384));
        for format in [c"+w:-1", c"+w:", c"+l", c"w:3", c"+w:99999999999999999999"] {
            assert_eq!(list_size_of(format), None);
        }
    }

    #[test]
    fn the_structs_lie_as_the_specification_says() {
        assert_eq!((size_of::<ArrowSchema>(), size_of::<ArrowArray>()), (72, 80));
        assert_eq!(std::mem::offset_of!(ArrowSchema, release), 56);
        assert_eq!(std::mem::offset_of!(ArrowArray, release), 64);
    }
}
