//! Length-prefixed frames in a byte stream, for both ends of the control socket.
//!
//! Four bytes of length, little-endian, then the payload. Pure: bytes in, frames out.

use std::io;

/// Collects bytes as they arrive and hands out whole frames.
#[derive(Default)]
pub struct Frames {
    buffer: Vec<u8>,
}

impl Frames {
    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if it has arrived. Fails for one longer than the limit: then the
    /// stream is not to be read any further.
    pub fn next_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(length) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(too_long(length));
        }
        if self.buffer.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        let rest = self.buffer.split_off(PREFIX_BYTES + length);
        let mut frame = std::mem::replace(&mut self.buffer, rest);
        frame.drain(..PREFIX_BYTES);
        Ok(Some(frame))
    }
}

/// `payload` as a frame.
pub fn encode(payload: &[u8]) -> io::Result<Vec<u8>> {
    if payload.len() > FRAME_BYTES_MAX {
        return Err(too_long(payload.len()));
    }
    let length = u32::try_from(payload.len()).map_err(|_| too_long(payload.len()))?;
    let mut frame = Vec::with_capacity(PREFIX_BYTES + payload.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(payload);
    Ok(frame)
}

fn too_long(length: usize) -> io::Error {
    io::Error::other(format!("a frame has {length} bytes, expected at most {FRAME_BYTES_MAX}"))
}

const PREFIX_BYTES: usize = 4;
/// Above any environment that the kernel would accept for a program.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_being_torn_at_every_byte() {
        let payloads: [&[u8]; 3] = [b"first", b"", b"third one"];
        let stream: Vec<u8> = payloads.iter().flat_map(|p| encode(p).unwrap()).collect();
        for cut in 0..=stream.len() {
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                frames.push(part);
                while let Some(frame) = frames.next_frame().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, payloads, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_longer_than_the_limit_is_refused_on_both_sides() {
        let mut frames = Frames::default();
        frames.push(&u32::MAX.to_le_bytes());
        assert!(frames.next_frame().is_err());
        assert!(encode(&vec![0; FRAME_BYTES_MAX + 1]).is_err());
        assert!(encode(&vec![0; FRAME_BYTES_MAX]).is_ok());
    }
}
