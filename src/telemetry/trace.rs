//! W3C trace context: who a piece of work was done for, carried through host, platform, Python and
//! host tools.
//!
//! Only the `traceparent` header's contents. Parsing is as strict as the specification asks of a
//! receiver; ids are random but not secret, so they come from a seeded counter and cost no system
//! call.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a whole trace. Never all zero.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct TraceId([u8; 16]);

/// Names one span of a trace. Never all zero.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct SpanId([u8; 8]);

/// The span that work belongs to, and whether its trace is recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    sampled: bool,
}

impl TraceContext {
    /// A new trace, sampled.
    pub fn root() -> Self {
        TraceContext { trace_id: TraceId::random(), span_id: SpanId::random(), sampled: true }
    }

    /// A new span in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        TraceContext { span_id: SpanId::random(), ..*self }
    }

    /// Reads a `traceparent`. `None` when it is malformed: the specification asks a receiver to go
    /// on as if none had been sent. Versions after 00 are read as far as 00 goes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (head, tail) = bytes.split_at_checked(HEAD_BYTES)?;
        let (version, rest) = field(head)?;
        let [version]: [u8; 1] = hex(version)?;
        let may_go_on = version > 0 && tail.first() == Some(&b'-');
        if version == 0xff || !(tail.is_empty() || may_go_on) {
            return None;
        }
        let (trace_id, rest) = field(rest)?;
        let (span_id, flags) = field(rest)?;
        let [flags]: [u8; 1] = hex(flags)?;
        Some(TraceContext {
            trace_id: TraceId::from_bytes(hex(trace_id)?)?,
            span_id: SpanId::from_bytes(hex(span_id)?)?,
            sampled: flags & FLAG_SAMPLED != 0,
        })
    }

    /// The trace that this span belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// This span; the parent of what is begun for it.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The trace in two halves, and the span, as numbers: big-endian, as they are written.
    pub fn numbers(&self) -> (u64, u64, u64) {
        let trace = u128::from_be_bytes(self.trace_id.0);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        (half(trace >> 64), half(trace), u64::from_be_bytes(self.span_id.0))
    }

    /// Whether whoever began the trace wants it recorded.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// The `traceparent` form, version 00.
impl std::fmt::Display for TraceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("00-")?;
        self.trace_id.fmt(f)?;
        f.write_str("-")?;
        self.span_id.fmt(f)?;
        f.write_str(if self.sampled { "-01" } else { "-00" })
    }
}

impl TraceId {
    /// `None` for all zeros.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(TraceId(bytes))
    }

    /// Reads 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        TraceId::from_bytes(hex(text.as_bytes())?)
    }

    /// As text: 32 lower-case hexadecimal digits.
    pub(super) fn hex(self) -> [u8; 32] {
        let mut text = [0; 32];
        write_hex(&mut text, &self.0);
        text
    }

    fn random() -> Self {
        let halves = (u128::from(random_id()) << 64) | u128::from(random_id());
        TraceId(halves.to_be_bytes())
    }
}

impl SpanId {
    /// `None` for all zeros.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(SpanId(bytes))
    }

    /// As text: 16 lower-case hexadecimal digits.
    pub(super) fn hex(self) -> [u8; 16] {
        let mut text = [0; 16];
        write_hex(&mut text, &self.0);
        text
    }

    fn random() -> Self {
        SpanId(random_id().to_be_bytes())
    }
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl std::fmt::Display for SpanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl std::fmt::Debug for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Debug for SpanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What stands before the next `-`, and what behind it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'-')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// Exactly `N` bytes in lower-case hexadecimal.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = <[u8; 2]>::try_from(pair).ok()?;
        *byte = (digit(high)? << 4) | digit(low)?;
    }
    Some(bytes)
}

/// In one piece: this is written for every call.
fn write_hex(text: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[letter(byte >> 4), letter(byte & 0xf)]);
    }
}

fn letter(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

/// SplitMix64 over a counter that starts at a random place: never 0, no repetition within a
/// process, and as unlikely as chance across processes.
fn random_id() -> u64 {
    static COUNTER: OnceLock<AtomicU64> = OnceLock::new();
    let counter = COUNTER.get_or_init(|| AtomicU64::new(seed()));
    loop {
        let mut z = counter.fetch_add(GOLDEN, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        if z != 0 {
            return z;
        }
    }
}

fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        // No randomness from the system: the standard library's hash keys are the next best.
        Err(_) => RandomState::new().hash_one(std::process::id()),
    }
}

const FLAG_SAMPLED: u8 = 1;
/// `vv-tttttttttttttttttttttttttttttttt-ssssssssssssssss-ff`.
const HEAD_BYTES: usize = 55;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_valid_header_comes_back_as_it_was() {
        let context = TraceContext::parse(VALID).unwrap();
        assert_eq!(context.to_string(), VALID);
        let (high, low, span) = context.numbers();
        assert_eq!(format!("00-{high:016x}{low:016x}-{span:016x}-01"), VALID);
        let unsampled = VALID.replace("-01", "-00");
        let context = TraceContext::parse(&unsampled).unwrap();
        assert!(!context.is_sampled());
        assert_eq!(context.to_string(), unsampled);
    }

    #[test]
    fn unknown_flags_are_dropped_and_later_versions_are_read() {
        let context = TraceContext::parse(&VALID.replace("-01", "-ff")).unwrap();
        assert_eq!(context.to_string(), VALID);
        for later in [VALID.replacen("00", "cc", 1), VALID.replacen("00", "01", 1) + "-more"] {
            assert_eq!(TraceContext::parse(&later).unwrap().to_string(), VALID);
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        let zero_trace = VALID.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        let zero_span = VALID.replace("b7ad6b7169203331", &"0".repeat(16));
        let refused = [
            String::new(),
            VALID.to_uppercase(),
            VALID.replacen("00", "ff", 1),
            VALID.replacen("00", "0g", 1),
            VALID.replacen('-', "_", 1),
            VALID.replace("-01", "-0"),
            VALID.replace("-01", "-1-"),
            VALID.to_owned() + "-more",
            VALID.replacen("00", "01", 1) + "more",
            VALID.to_owned() + " ",
            VALID.replace("0af7", "0af"),
            "é".repeat(30),
            zero_trace,
            zero_span,
        ];
        for text in refused {
            assert_eq!(TraceContext::parse(&text), None, "{text:?}");
        }
    }

    #[test]
    fn children_share_the_trace_and_ids_do_not_repeat() {
        let root = TraceContext::root();
        let child = root.child();
        assert_eq!(child.trace_id(), root.trace_id());
        assert!(child.is_sampled());
        let ids: std::collections::HashSet<_> =
            (0..10_000).map(|_| root.child().span_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert_ne!(TraceContext::root().trace_id(), root.trace_id());
        assert_eq!(TraceContext::parse(&child.to_string()), Some(child));
    }
}
