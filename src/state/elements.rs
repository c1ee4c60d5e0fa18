//! The elements of float tensors, looked at where they lie: the first that is not finite, and the
//! lengths of rows.
//!
//! Written so that the compiler vectorises the common case, in which every element is fine. Nothing
//! is copied or converted as a whole; variables and constraints are not known here.

use std::ops::BitOr;

use crate::core::DType;

/// The index of the first element that is not finite, with the element. Integers and truths all
/// are.
pub(super) fn first_non_finite(dtype: DType, data: &[u8]) -> Option<(usize, f64)> {
    // All bits of the exponent are set in infinities and NaNs, and only there one more unit of it
    // carries into the sign's place.
    let index = match dtype {
        DType::Float16 => find(data, 1 << 15, |e| (u16::from_le_bytes(e) & 0x7fff) + (1 << 10)),
        DType::BFloat16 => find(data, 1 << 15, |e| (u16::from_le_bytes(e) & 0x7fff) + (1 << 7)),
        DType::Float32 => find(data, 1 << 31, |e| (u32::from_le_bytes(e) & !(1 << 31)) + (1 << 23)),
        DType::Float64 => {
            find(data, 1 << 63, |e| (u64::from_le_bytes(e) & !(1 << 63)) + (1_u64 << 52))
        }
        _ => None,
    }?;
    let element = data.chunks_exact(dtype.bytes()).nth(index)?;
    Some((index, special(dtype, element)))
}

/// The Euclidean length of one row of finite floats, summed up in double precision.
pub(super) fn norm(dtype: DType, row: &[u8]) -> f64 {
    let square = match dtype {
        DType::Float16 => square_sum(row, |e| f64::from(from_half(u16::from_le_bytes(e)))),
        DType::BFloat16 => square_sum(row, |e| f64::from(from_brain(u16::from_le_bytes(e)))),
        DType::Float32 => square_sum(row, |e| f64::from(f32::from_le_bytes(e))),
        DType::Float64 => square_sum(row, f64::from_le_bytes),
        _ => f64::NAN,
    };
    square.sqrt()
}

/// The first element for which `bits` has the highest bit, `sign`, set. Blocks are judged as a
/// whole, without a branch for each element.
fn find<const N: usize, W>(data: &[u8], sign: W, bits: impl Fn([u8; N]) -> W) -> Option<usize>
where
    W: BitOr<Output = W> + Copy + Default + Ord,
{
    data.chunks(BLOCK_BYTES).enumerate().find_map(|(number, block)| {
        let (elements, _) = block.as_chunks::<N>();
        let all = elements.iter().fold(W::default(), |all, element| all | bits(*element));
        if all < sign {
            return None;
        }
        let inside = elements.iter().position(|element| bits(*element) >= sign)?;
        Some(number * (BLOCK_BYTES / N) + inside)
    })
}

/// Several sums side by side: one alone would wait for each addition.
fn square_sum<const N: usize>(row: &[u8], read: impl Fn([u8; N]) -> f64) -> f64 {
    let (elements, _) = row.as_chunks::<N>();
    let (groups, rest) = elements.as_chunks::<LANES>();
    let mut sums = [0.0_f64; LANES];
    for group in groups {
        for (sum, element) in sums.iter_mut().zip(group) {
            let number = read(*element);
            *sum += number * number;
        }
    }
    let squares = rest.iter().map(|element| read(*element).powi(2));
    sums.iter().sum::<f64>() + squares.sum::<f64>()
}

/// What an element that is not finite is.
fn special(dtype: DType, element: &[u8]) -> f64 {
    let padded = |width: usize| {
        let mut bytes = [0_u8; 8];
        for (to, from) in bytes.iter_mut().zip(element.iter().take(width)) {
            *to = *from;
        }
        u64::from_le_bytes(bytes)
    };
    let (bits, fraction_bits) = match dtype {
        DType::Float16 => (padded(2), 10),
        DType::BFloat16 => (padded(2), 7),
        DType::Float32 => (padded(4), 23),
        _ => (padded(8), 52),
    };
    let is_negative = bits >> (dtype.bytes() * 8 - 1) == 1;
    match bits & ((1 << fraction_bits) - 1) {
        0 if is_negative => f64::NEG_INFINITY,
        0 => f64::INFINITY,
        _ => f64::NAN,
    }
}

/// A finite float16, exactly: its bits in the place of a float32's, and the difference of the two
/// exponents made good by a power of two, which also puts subnormals right.
fn from_half(bits: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * HALF_SCALE;
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// A bfloat16 is the upper half of a float32.
fn from_brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// A multiple of every element's size, small enough to be looked at twice in the cache.
const BLOCK_BYTES: usize = 4096;
const LANES: usize = 8;
/// 2^112.
const HALF_SCALE: f32 = f32::from_bits(0x7780_0000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_brains_are_exact() {
        for (bits, number) in [
            (0x0000, 0.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x03ff, 1023.0 * 2.0_f32.powi(-24)),
            (0x0400, 2.0_f32.powi(-14)),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(from_half(bits), number, "{bits:#06x}");
        }
        assert_eq!(from_brain(0xbf80), -1.0);
        assert_eq!(from_brain(0x4049), 3.140_625);
    }

    #[test]
    fn the_first_that_is_not_finite_is_found_wherever_it_is() {
        let cases: [(DType, &[u8], f64); 8] = [
            (DType::Float16, &[0x00, 0x7c], f64::INFINITY),
            (DType::Float16, &[0x01, 0xfc], f64::NAN),
            (DType::BFloat16, &[0x80, 0xff], f64::NEG_INFINITY),
            (DType::BFloat16, &[0xc0, 0x7f], f64::NAN),
            (DType::Float32, &f32::NEG_INFINITY.to_le_bytes(), f64::NEG_INFINITY),
            (DType::Float32, &f32::NAN.to_le_bytes(), f64::NAN),
            (DType::Float64, &f64::INFINITY.to_le_bytes(), f64::INFINITY),
            (DType::Float64, &(-f64::NAN).to_le_bytes(), f64::NAN),
        ];
        for (dtype, element, expected) in cases {
            let size = dtype.bytes();
            // The largest finite element everywhere else: next to an infinity.
            let largest = match dtype {
                DType::Float16 => vec![0xff, 0x7b],
                DType::BFloat16 => vec![0x7f, 0x7f],
                DType::Float32 => f32::MAX.to_le_bytes().to_vec(),
                _ => f64::MAX.to_le_bytes().to_vec(),
            };
            let mut data = largest.repeat(2 * BLOCK_BYTES / size + 3);
            assert_eq!(first_non_finite(dtype, &data), None);
            for index in [2 * BLOCK_BYTES / size + 2, BLOCK_BYTES / size, 0] {
                data[index * size..][..size].copy_from_slice(element);
                let (found, number) = first_non_finite(dtype, &data).unwrap();
                assert_eq!(found, index);
                assert_eq!(number.to_string(), expected.to_string(), "{dtype:?}");
            }
        }
        assert_eq!(first_non_finite(DType::Int32, &[0xff; 64]), None);
    }

    #[test]
    fn norms_are_those_of_the_numbers() {
        let row: Vec<u8> = (1..=20_u8).flat_map(|n| f32::from(n).to_le_bytes()).collect();
        assert_eq!(norm(DType::Float32, &row), 2870.0_f64.sqrt());
        let row: Vec<u8> = [3.0_f64, -4.0].iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(norm(DType::Float64, &row), 5.0);
        assert_eq!(norm(DType::Float16, &[0x00, 0x42, 0x00, 0xc4]), 5.0);
        assert_eq!(norm(DType::BFloat16, &[0x40, 0x40, 0x80, 0x40]), 5.0);
        assert_eq!(norm(DType::Float64, &[]), 0.0);
    }
}
