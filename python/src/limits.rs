//! Every limit of the worker's side of the link, with its reason. A queue, buffer or wait without a
//! limit named here is a defect. Where the platform has the same limit, `src/core/limits.rs` holds
//! the figure that counts and this file repeats it, because the worker must not send what the
//! platform would refuse.

use std::time::Duration;

/// Deepest nesting of a JSON document (`core::limits::JSON_DEPTH_MAX`).
pub const JSON_DEPTH_MAX: usize = 64;
/// Largest value where the host's welcome names none (`core::limits::VALUE_BYTES_MAX`).
pub const VALUE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Attachments of one value (`core::limits::ATTACHMENTS_MAX`).
pub const ATTACHMENTS_MAX: usize = 1024;
/// Dimensions of a tensor (`core::limits::TENSOR_DIMS_MAX`).
pub const TENSOR_DIMS_MAX: usize = 64;
/// What a message may be larger than its largest value (`core::limits::MESSAGE_OVERHEAD_BYTES`).
pub const MESSAGE_OVERHEAD_BYTES: usize = 1024 * 1024;
/// Largest message at all: what gRPC's length prefix can say.
pub const MESSAGE_BYTES_MAX: usize = u32::MAX as usize;
/// Frames that one outgoing message gathers (`core::limits::FRAMES_PER_MESSAGE_MAX`).
pub const FRAMES_PER_MESSAGE_MAX: usize = 256;
/// Bytes after which a message is sent although more frames wait
/// (`core::limits::MESSAGE_BYTES_SOFT_MAX`).
pub const MESSAGE_BYTES_SOFT_MAX: usize = 256 * 1024;

/// From here on an attachment lies in shared memory (`core::limits::SHARED_BYTES_MIN`).
pub const SHARED_BYTES_MIN: usize = 256 * 1024;
/// Up to this size a copy into shared memory takes a fraction of a millisecond, and the GIL is
/// kept: to get it back from a busy thread takes five.
pub const GIL_COPY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The same for a document that is held against a schema, which takes longer by the byte.
pub const GIL_CHECK_BYTES_MAX: usize = 32 * 1024;
/// The regions of this process together; what does not fit travels in messages. The host maps no
/// more than `core::limits::SHARED_PER_WORKER_BYTES_MAX`.
pub const SHARED_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Those of them that wait to be used again: one of the largest values and a half.
pub const SHARED_FREE_BYTES_MAX: usize = 192 * 1024 * 1024;
/// Each region holds a descriptor, and a worker may have few.
pub const SHARED_REGIONS_MAX: usize = 64;
/// Memory that no value has used for so long is given back.
pub const SHARED_IDLE: Duration = Duration::from_secs(30);
/// Regions of the host that are mapped here (`core::limits::SHARED_BYTES_MAX`).
pub const SHARED_FROM_HOST_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// What a worker waits for the connection that carries descriptors; without it, everything travels
/// in messages (`core::limits::LANE_WAIT`).
pub const LANE_WAIT: Duration = Duration::from_secs(2);

/// Frames waiting for the socket; above this the sender waits.
pub const OUTBOX_FRAMES_MAX: usize = 16 * 1024;
/// Bytes waiting for the socket; above this the sender waits. Two of the largest values.
pub const OUTBOX_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX;
/// Frames, bytes or time behind which what waits is sent by whoever queues more, where nobody
/// drives the link: what a listener leaves behind goes on together, and the host need not wait for
/// all of it (`core::limits::DUE_FRAMES`, `DUE_AFTER`).
pub const DUE_FRAMES: usize = 8;
pub const DUE_BYTES: usize = 64 * 1024;
pub const DUE_AFTER: Duration = Duration::from_micros(100);
/// Larger documents are read and written by the link's own thread while the listener works
/// (`core::limits::LIGHT_BYTES`).
pub const LIGHT_BYTES: usize = 4 * 1024;
/// A listener that takes longer to pass on each frame, or to run an inline handler, leaves the link
/// to the link's own thread: others' results would wait for it.
pub const PASS_ON_EACH: Duration = Duration::from_micros(50);
/// Log records among them; above this records are dropped and counted.
pub const OUTBOX_LOGS_MAX: usize = 1024;
/// Heartbeats not yet answered; a host that asks faster than this gets no answer to the rest.
pub const PONGS_MAX: usize = 64;
/// Frames that Python has not taken. The platform holds far fewer calls than this in one worker, so
/// a host that gets here is not keeping to the contract.
pub const INBOX_FRAMES_MAX: usize = 64 * 1024;
/// Requests of Python that are open at once.
pub const REQUESTS_MAX: usize = 16 * 1024;
/// Chunks that a host tool may send ahead of Python, and after how many taken ones more credit is
/// given.
pub const TOOL_CHUNK_WINDOW: u32 = 256;
pub const TOOL_CREDIT_GRANT: u32 = TOOL_CHUNK_WINDOW / 2;
/// The same for changes that are watched.
pub const WATCH_WINDOW: u32 = TOOL_CHUNK_WINDOW;
/// Variables that are cached, by number and by bytes: a few of the largest, which mostly lie in
/// memory that is shared with the host.
pub const CACHE_ENTRIES_MAX: usize = 4096;
pub const CACHE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One log record; what is longer is cut, and says so (`core::limits::LOG_RECORD_BYTES_MAX`).
pub const LOG_RECORD_BYTES_MAX: usize = 16 * 1024;
/// Each text of an error that is sent; what is longer is cut, and says so.
pub const ERROR_TEXT_BYTES_MAX: usize = 64 * 1024;
/// Causes of an error that is sent: the nearest.
pub const ERROR_CAUSES_MAX: usize = 32;

/// What a closing link waits for the host to read the last frames and end the stream.
pub const CLOSE_FLUSH: Duration = Duration::from_secs(1);
/// What `Link.close` waits for the link's thread to end.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Longest wait of the main thread without looking whether Python has a signal to handle.
pub const SIGNAL_CHECK: Duration = Duration::from_millis(500);
/// Longest wait of any other thread in one piece; Python handles no signals there.
pub const WAIT_PIECE: Duration = Duration::from_secs(60);

/// Flow-control windows: a value of any size flows without waiting for window updates on a local
/// socket.
pub const H2_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
pub const H2_FRAME_BYTES: u32 = 1024 * 1024;

/// Up to this size bytes are copied; above it the original is kept alive instead.
pub const COPY_BYTES_MAX: usize = 4 * 1024;
/// Received attachments up to this size are copied out of their message, which would stay in memory
/// as a whole.
pub const DETACH_BYTES_MAX: usize = 64 * 1024;
/// How long the link is driven by nobody before its own thread looks again and drives: longer than
/// anybody needs between two waits, shorter than anybody would notice.
pub const SEAT_LOOK: Duration = Duration::from_micros(500);
