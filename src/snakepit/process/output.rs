//! What a worker prints: cut into lines for the adapter, and the end of its standard error kept.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::super::adapter::OutputStream;

/// The two pipes.
pub struct Output {
    stdout: Receiver,
    stderr: Receiver,
}

/// Receives what is printed; shared by both readers, which take turns within one task.
pub trait Listener {
    fn bytes(&self, stream: OutputStream, bytes: &[u8]);
    fn line(&self, stream: OutputStream, line: &str);
}

impl Output {
    pub fn new(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Output> {
        Ok(Output {
            stdout: Receiver::from_owned_fd(stdout)?,
            stderr: Receiver::from_owned_fd(stderr)?,
        })
    }

    /// Reads both to their ends, which come when the whole process tree is gone.
    pub async fn read(self, line_bytes_max: usize, listener: impl Listener) {
        let Output { stdout, stderr } = self;
        tokio::join!(
            read_one(stdout, OutputStream::Stdout, line_bytes_max, &listener),
            read_one(stderr, OutputStream::Stderr, line_bytes_max, &listener),
        );
    }
}

async fn read_one(
    mut pipe: Receiver,
    stream: OutputStream,
    line_bytes_max: usize,
    listener: &impl Listener,
) {
    let mut lines = Lines::new(line_bytes_max);
    let mut bytes = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = pipe.read(&mut bytes).await {
        let read = bytes.get(..count).unwrap_or_default();
        listener.bytes(stream, read);
        lines.push(read, |line| listener.line(stream, line));
    }
    lines.finish(|line| listener.line(stream, line));
}

/// Cuts a stream into lines of limited length.
struct Lines {
    bytes_max: usize,
    line: Vec<u8>,
    dropped_bytes: usize,
}

impl Lines {
    fn new(bytes_max: usize) -> Lines {
        Lines { bytes_max, line: Vec::new(), dropped_bytes: 0 }
    }

    fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = self.bytes_max.saturating_sub(self.line.len()).min(text.len());
            self.line.extend_from_slice(text.get(..room).unwrap_or_default());
            self.dropped_bytes += text.len() - room;
            if ended {
                self.emit(&mut emit);
            }
        }
    }

    fn finish(mut self, mut emit: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.emit(&mut emit);
        }
    }

    fn emit(&mut self, emit: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        match self.dropped_bytes {
            0 => emit(text),
            dropped => emit(&format!("{text} [{dropped} more bytes]")),
        }
        self.line.clear();
        self.dropped_bytes = 0;
    }
}

/// The last bytes of a stream.
pub struct Tail {
    bytes_max: usize,
    bytes: VecDeque<u8>,
}

impl Tail {
    pub fn new(bytes_max: usize) -> Tail {
        Tail { bytes_max, bytes: VecDeque::new() }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.bytes_max);
        let over = (self.bytes.len() + kept).saturating_sub(self.bytes_max);
        self.bytes.drain(..over);
        self.bytes.extend(bytes.get(bytes.len() - kept..).unwrap_or_default());
    }

    /// As text; what is not UTF-8, a character cut at the beginning included, is replaced.
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

const READ_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes_max: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut cut = Lines::new(bytes_max);
        let mut seen = Vec::new();
        for piece in pieces {
            cut.push(piece, |line| seen.push(line.to_owned()));
        }
        cut.finish(|line| seen.push(line.to_owned()));
        seen
    }

    #[test]
    fn lines_are_cut_at_feeds_wherever_the_reads_end() {
        assert_eq!(lines(9, &[b"one\ntw", b"o\r\n\nthree"]), ["one", "two", "", "three"]);
        assert_eq!(lines(9, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_long_line_is_shortened_and_says_by_how_much() {
        assert_eq!(lines(4, &[b"abcd", b"efg\nok\n"]), ["abcd [3 more bytes]", "ok"]);
        assert_eq!(lines(4, &[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn the_tail_is_the_end() {
        let mut tail = Tail::new(5);
        for piece in ["abc", "def", "", "g"] {
            tail.push(piece.as_bytes());
        }
        assert_eq!(tail.text(), "cdefg");
        tail.push(b"0123456789");
        assert_eq!(tail.text(), "56789");
    }
}
