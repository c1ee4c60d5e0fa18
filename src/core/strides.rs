//! How the elements of an array lie in memory: row-major strides, how far given ones reach, and the
//! dense copy of what is not row-major.
//!
//! Strides count elements and may be negative or zero, as in numpy and DLPack. Nothing here follows
//! a pointer or knows what an element is.

use std::ops::Range;

/// The strides of a dense array, last dimension fastest.
pub fn row_major(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1_i64; shape.len()];
    let mut step = 1_i64;
    for (stride, side) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        // A side of 0 leaves the other strides as if it were 1, as numpy has it. Only an array
        // without elements can have sides that saturate.
        step = step.saturating_mul((*side).max(1));
    }
    strides
}

/// Whether an array with these strides is dense: those of sides of 0 and 1 are never used.
pub fn is_row_major(shape: &[i64], strides: &[i64]) -> bool {
    let dense = row_major(shape);
    let mut used = shape.iter().zip(strides).zip(&dense).filter(|((side, _), _)| **side > 1);
    shape.contains(&0) || used.all(|((_, stride), dense)| stride == dense)
}

/// The bytes that the elements occupy, counted from the start of the first element; `None` when
/// that cannot be counted. Sides are not negative.
pub fn reach(shape: &[i64], strides: &[i64], item_bytes: usize) -> Option<Range<isize>> {
    if shape.contains(&0) {
        return Some(0..0);
    }
    let (mut lowest, mut highest) = (0_i64, 0_i64);
    for (side, stride) in shape.iter().zip(strides) {
        let span = side.checked_sub(1)?.checked_mul(*stride)?;
        let end = if span < 0 { &mut lowest } else { &mut highest };
        *end = end.checked_add(span)?;
    }
    let item = isize::try_from(item_bytes).ok()?;
    let start = isize::try_from(lowest).ok()?.checked_mul(item)?;
    let end = isize::try_from(highest).ok()?.checked_add(1)?.checked_mul(item)?;
    Some(start..end)
}

/// The elements of `memory` in row-major order, where `memory` is exactly what `reach` gave.
pub fn packed(memory: &[u8], shape: &[i64], strides: &[i64], item_bytes: usize) -> Vec<u8> {
    let Some(reach) = reach(shape, strides, item_bytes) else { return Vec::new() };
    let mut packing =
        Packing { memory, item_bytes, out: Vec::with_capacity(packed_bytes(shape, item_bytes)) };
    let steps: Vec<(i64, isize)> = shape
        .iter()
        .zip(strides)
        .map(|(side, stride)| (*side, step(*stride, item_bytes)))
        .collect();
    if !shape.contains(&0) {
        packing.dimension(&steps, reach.start.unsigned_abs());
    }
    packing.out
}

struct Packing<'a> {
    memory: &'a [u8],
    item_bytes: usize,
    out: Vec<u8>,
}

impl Packing<'_> {
    /// Appends what lies below one place; the recursion is as deep as the array has dimensions.
    fn dimension(&mut self, steps: &[(i64, isize)], at: usize) {
        match steps {
            [] => self.run(at, self.item_bytes),
            [(side, step)] if step.unsigned_abs() == self.item_bytes && *step > 0 => {
                self.run(at, usize::try_from(*side).unwrap_or(0) * self.item_bytes);
            }
            [(side, step), inner @ ..] => {
                let mut at = at;
                for _ in 0..*side {
                    self.dimension(inner, at);
                    at = at.wrapping_add_signed(*step);
                }
            }
        }
    }

    fn run(&mut self, at: usize, bytes: usize) {
        if let Some(run) = self.memory.get(at..at.saturating_add(bytes)) {
            self.out.extend_from_slice(run);
        }
    }
}

/// Within `isize`, since `reach` could count it, unless the side is 1 and the step never taken.
fn step(stride: i64, item_bytes: usize) -> isize {
    let stride = isize::try_from(stride).unwrap_or(0);
    stride.saturating_mul(isize::try_from(item_bytes).unwrap_or(0))
}

fn packed_bytes(shape: &[i64], item_bytes: usize) -> usize {
    let sides = shape.iter().map(|side| usize::try_from(*side).unwrap_or(0));
    sides.fold(item_bytes, usize::saturating_mul)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dense_strides_are_those_of_numpy() {
        assert_eq!(row_major(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(row_major(&[0, 3]), [3, 1]);
        assert_eq!(row_major(&[]), [0_i64; 0]);
        assert_eq!(row_major(&[0, i64::MAX, i64::MAX])[0], i64::MAX);
        assert!(is_row_major(&[1, 3, 1], &[99, 1, -7]), "strides of single sides are not used");
        assert!(is_row_major(&[5, 0], &[9, 9]), "there is nothing to lie wrong");
        assert!(!is_row_major(&[2, 3], &[1, 2]));
        assert!(!is_row_major(&[3], &[-1]));
    }

    #[test]
    fn the_reach_goes_both_ways_and_is_counted_or_refused() {
        assert_eq!(reach(&[2, 3], &[3, 1], 4), Some(0..24));
        assert_eq!(reach(&[2, 3], &[-3, 1], 4), Some(-12..12));
        assert_eq!(reach(&[3], &[-1], 8), Some(-16..8));
        assert_eq!(reach(&[], &[], 8), Some(0..8));
        assert_eq!(reach(&[4], &[0], 2), Some(0..2));
        assert_eq!(reach(&[0, 3], &[i64::MAX, i64::MAX], 4), Some(0..0));
        for (shape, strides) in
            [([2, 2], [i64::MAX, i64::MAX]), ([3, 1], [i64::MAX, 1]), ([2, 1], [i64::MAX / 4, 1])]
        {
            assert_eq!(reach(&shape, &strides, 8), None);
        }
    }

    #[test]
    fn columns_backwards_and_repeated_elements_are_packed() {
        let memory: Vec<u8> = (0..6).collect();
        assert_eq!(packed(&memory, &[3, 2], &[1, 3], 1), [0, 3, 1, 4, 2, 5]);
        assert_eq!(packed(&memory, &[6], &[-1], 1), [5, 4, 3, 2, 1, 0]);
        assert_eq!(packed(&memory[..2], &[3], &[0], 2), [0, 1, 0, 1, 0, 1]);
        assert_eq!(packed(&memory, &[], &[], 6), memory);
        assert_eq!(packed(&[], &[4, 0], &[1, 1], 2), [0_u8; 0]);
    }

    proptest! {
        /// Against the definition: element by element, at the sum of index times stride.
        #[test]
        fn packing_follows_the_definition(
            sides in prop::collection::vec((1_i64..4, -5_i64..6), 0..5),
            item_bytes in 1_usize..4,
        ) {
            let (shape, strides): (Vec<_>, Vec<_>) = sides.into_iter().unzip();
            let reach = reach(&shape, &strides, item_bytes).unwrap();
            let memory: Vec<u8> = (0..reach.len()).map(|at| at as u8).collect();
            let mut expected = Vec::new();
            let count: i64 = shape.iter().product();
            for number in 0..count {
                let (mut rest, mut at) = (number, 0);
                for (side, stride) in shape.iter().zip(&strides).rev() {
                    at += rest % side * stride;
                    rest /= side;
                }
                let at = usize::try_from(at as isize * item_bytes as isize - reach.start).unwrap();
                expected.extend_from_slice(&memory[at..at + item_bytes]);
            }
            prop_assert_eq!(packed(&memory, &shape, &strides, item_bytes), expected);
        }
    }
}
