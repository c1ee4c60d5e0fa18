//! Element types by name, as `%SnakepitBridge.Tensor{}` has them. Must not know terms.

/// The number of SPB_DTYPE_* for a name.
pub fn number(name: &str) -> Option<u32> {
    let index = NAMES.iter().position(|known| *known == name)?;
    u32::try_from(index).ok().map(|index| index + 1)
}

/// The name for a number of SPB_DTYPE_*.
pub fn name(number: u32) -> Option<&'static str> {
    NAMES.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

/// In the order of SPB_DTYPE_*, from 1.
const NAMES: [&str; 13] = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "bfloat16", "float32", "float64",
];
