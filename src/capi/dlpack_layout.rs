//! The structs of DLPack 1.x as its specification lays them out, and its words for element types
//! and devices.
//!
//! They are declared here because the ABI has to match the specification and nothing else; the
//! header names two of them and leaves the rest to dlpack.h. What is done with them is in `dlpack`.

use std::ffi::c_void;

use crate::core::{DType, Error, Result, Status};

/// Where memory lies.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct DLDevice {
    pub device_type: i32,
    pub device_id: i32,
}

/// What an element is: `bits` of kind `code`, `lanes` of them.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct DLDataType {
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
}

/// An array somewhere in memory.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct DLTensor {
    pub data: *mut c_void,
    pub device: DLDevice,
    pub ndim: i32,
    pub dtype: DLDataType,
    pub shape: *mut i64,
    /// In elements; NULL for row-major.
    pub strides: *mut i64,
    pub byte_offset: u64,
}

/// An array and who owns it, as before version 1.
#[repr(C)]
pub struct DLManagedTensor {
    pub dl_tensor: DLTensor,
    pub manager_ctx: *mut c_void,
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensor)>,
}

/// An array and who owns it. Of another major version only the fields before `flags` are known.
#[repr(C)]
pub struct DLManagedTensorVersioned {
    pub version: DLPackVersion,
    pub manager_ctx: *mut c_void,
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    pub flags: u64,
    pub dl_tensor: DLTensor,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct DLPackVersion {
    pub major: u32,
    pub minor: u32,
}

impl DLDevice {
    pub const CPU: DLDevice = DLDevice { device_type: CPU, device_id: 0 };

    /// Only memory that this process can read is a value's.
    pub fn check(self) -> Result<()> {
        let number = self.device_type;
        if number == CPU {
            return Ok(());
        }
        let known = DEVICES.iter().find(|(known, _)| *known == number);
        let name = known.map_or("unknown", |(_, name)| name);
        let message = format!(
            "tensor lies on the device {name} (type {number}), expected cpu: copy it there first"
        );
        Err(Error::new(Status::Unsupported, message).with("device", name))
    }
}

impl DLDataType {
    /// The element type of ours.
    pub fn of(dtype: DType) -> Self {
        let code = match dtype {
            DType::Bool => BOOL,
            DType::Int8 | DType::Int16 | DType::Int32 | DType::Int64 => INT,
            DType::UInt8 | DType::UInt16 | DType::UInt32 | DType::UInt64 => UINT,
            DType::BFloat16 => BFLOAT,
            DType::Float16 | DType::Float32 | DType::Float64 => FLOAT,
        };
        let bits = u8::try_from(dtype.bytes().saturating_mul(8)).unwrap_or(0);
        DLDataType { code, bits, lanes: 1 }
    }

    /// Our element type, where there is one.
    pub fn dtype(self) -> Result<DType> {
        let is_same = |dtype: &DType| {
            let theirs = DLDataType::of(*dtype);
            (theirs.code, theirs.bits, theirs.lanes) == (self.code, self.bits, self.lanes)
        };
        DType::ALL.into_iter().find(is_same).ok_or_else(|| {
            let name = self.name();
            let message = format!("tensor has elements of {name}, which values do not have");
            Error::new(Status::Unsupported, message).with("dtype", name)
        })
    }

    /// Such as `complex64` or `float32x4`.
    fn name(self) -> String {
        let DLDataType { code, bits, lanes } = self;
        let kind = KINDS.get(usize::from(code)).copied();
        let kind = kind.map_or_else(|| format!("type code {code} with bits "), str::to_owned);
        if lanes == 1 { format!("{kind}{bits}") } else { format!("{kind}{bits}x{lanes}") }
    }
}

/// The layout that this library writes and reads.
pub const VERSION: DLPackVersion = DLPackVersion { major: 1, minor: 0 };
/// The consumer may not write.
pub const FLAG_READ_ONLY: u64 = 1;

const CPU: i32 = 1;
/// The devices that people are likely to meet.
const DEVICES: [(i32, &str); 9] = [
    (2, "cuda"),
    (3, "cuda_host"),
    (4, "opencl"),
    (7, "vulkan"),
    (8, "metal"),
    (10, "rocm"),
    (11, "rocm_host"),
    (13, "cuda_managed"),
    (14, "oneapi"),
];

const INT: u8 = 0;
const UINT: u8 = 1;
const FLOAT: u8 = 2;
const BFLOAT: u8 = 4;
const BOOL: u8 = 6;
/// By type code.
const KINDS: [&str; 7] = ["int", "uint", "float", "opaque", "bfloat", "complex", "bool"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn every_dtype_has_its_own_type_and_leads_back() {
        for dtype in DType::ALL {
            let theirs = DLDataType::of(dtype);
            assert_eq!(theirs.dtype().unwrap(), dtype);
            let expected = if dtype == DType::Bool { "bool8" } else { dtype.name() };
            assert_eq!(theirs.name(), expected);
        }
    }

    #[test]
    fn other_types_and_devices_are_refused_by_name() {
        for (code, bits, lanes, name) in [
            (5, 64, 1, "complex64"),
            (2, 32, 4, "float32x4"),
            (0, 4, 1, "int4"),
            (6, 1, 1, "bool1"),
            (10, 8, 1, "type code 10 with bits 8"),
            (2, 128, 1, "float128"),
        ] {
            let error = DLDataType { code, bits, lanes }.dtype().unwrap_err();
            assert_eq!(error.status(), Status::Unsupported);
            assert_eq!(error.details()["dtype"], name);
        }
        let device = |device_type| DLDevice { device_type, device_id: 0 };
        assert!(device(CPU).check().is_ok());
        assert_eq!(device(2).check().unwrap_err().details()["device"], "cuda");
        assert_eq!(device(99).check().unwrap_err().status(), Status::Unsupported);
    }

    #[test]
    fn the_structs_lie_as_the_specification_says() {
        assert_eq!(size_of::<DLTensor>(), 48);
        assert_eq!(offset_of!(DLTensor, shape), 24);
        assert_eq!(offset_of!(DLTensor, byte_offset), 40);
        assert_eq!((size_of::<DLManagedTensor>(), offset_of!(DLManagedTensor, deleter)), (64, 56));
        assert_eq!(size_of::<DLManagedTensorVersioned>(), 80);
        assert_eq!(offset_of!(DLManagedTensorVersioned, deleter), 16);
        assert_eq!(offset_of!(DLManagedTensorVersioned, dl_tensor), 32);
    }
}
