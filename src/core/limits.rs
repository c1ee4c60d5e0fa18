//! Every limit of the platform, with its reason. A queue, buffer, wait or retry without a limit
//! named here is a defect. Those marked "default" can be set in the configuration document; the
//! others are fixed.

use std::time::Duration;

/// Deepest nesting of a JSON document: beyond what people write, below what recursive readers
/// survive.
pub const JSON_DEPTH_MAX: usize = 64;
/// Largest value, document and attachments together, in either direction: a tensor of 64 MiB, its
/// document and as much again. Default.
pub const VALUE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Attachments of one value.
pub const ATTACHMENTS_MAX: usize = 1024;
/// Dimensions of a tensor, as numpy has it.
pub const TENSOR_DIMS_MAX: usize = 64;
/// Arrays of the host's memory that values read where they lie: each may wait to be given back.
pub const LOANS_MAX: usize = 64 * 1024;
/// What a gRPC message may be larger than its largest value: envelopes and small frames of the same
/// batch.
pub const MESSAGE_OVERHEAD_BYTES: usize = 1024 * 1024;
/// Frames that one message on the attach stream gathers.
pub const FRAMES_PER_MESSAGE_MAX: usize = 256;
/// Bytes after which a batch is sent although more frames wait.
pub const MESSAGE_BYTES_SOFT_MAX: usize = 256 * 1024;
/// What a thread of the host sends itself before it leaves the library: nothing that takes time.
pub const SENT_HERE_BYTES_MAX: usize = 16 * 1024;
/// Frames or time behind which what waits is sent by whoever queues more, where nobody drives the
/// wire: what a thread leaves behind goes on together, and a worker need not wait for all of it.
pub const DUE_FRAMES: usize = 8;
pub const DUE_AFTER: Duration = Duration::from_micros(100);
/// Larger documents are read and written by the wire's own thread while the host's threads work.
pub const LIGHT_BYTES: usize = 4 * 1024;
/// Frames waiting for one worker's socket; above this the worker counts as unable to take calls.
pub const WORKER_OUTBOX_FRAMES_MAX: usize = 16 * 1024;

/// From here on an attachment lies in shared memory: below, a copy costs less than the bookkeeping
/// and a descriptor.
pub const SHARED_BYTES_MIN: usize = 256 * 1024;
/// The host's regions of shared memory together; what does not fit travels in messages.
pub const SHARED_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Those of them that wait to be used again: several of the largest values.
pub const SHARED_FREE_BYTES_MAX: usize = 384 * 1024 * 1024;
/// Each region holds a descriptor; a host may have no more than 1024.
pub const SHARED_REGIONS_MAX: usize = 256;
/// Memory that no value has used for so long is given back.
pub const SHARED_IDLE: Duration = Duration::from_secs(30);
/// Regions of one worker that the host has mapped, together.
pub const SHARED_PER_WORKER_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// From a worker's welcome to the connection that carries its descriptors; without it, everything
/// travels in messages.
pub const LANE_WAIT: Duration = Duration::from_secs(2);
/// Connections whose first bytes say to which worker they belong, and have not come yet.
pub const LANES_UNNAMED_MAX: usize = 64;

pub const SESSION_ID_BYTES_MAX: usize = 128;
/// Sessions of a platform. Default.
pub const SESSIONS_MAX: usize = 10_000;
/// Metadata of a session or variable, as JSON.
pub const METADATA_BYTES_MAX: usize = 8 * 1024;
/// A session unused for this long is closed. Default.
pub const SESSION_TTL: Duration = Duration::from_secs(3600);

/// How late an expired session may be closed and a shared store be told of a use, and the least of
/// it where sessions with short times are open.
pub const SESSION_TICK: Duration = Duration::from_secs(1);
pub const SESSION_TICK_MIN: Duration = Duration::from_millis(10);
/// Sessions that a store is told of or asked about at the same time.
pub const SESSIONS_TOLD_AT_ONCE: usize = 64;
/// Between two searches for sessions of the store that nobody has open.
pub const STORE_SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Attachments of all values in the file of an exported session.
pub const ARCHIVE_ATTACHMENTS_MAX: usize = 1_000_000;
/// What the file of an exported session may have beyond the values: names, versions, entries.
pub const ARCHIVE_OVERHEAD_BYTES: u64 = 256 * 1024 * 1024;
/// What a close waits for the store beyond its grace: to write what it has acknowledged.
pub const STORE_CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Variables of a session. Default.
pub const VARIABLES_PER_SESSION_MAX: usize = 10_000;
pub const VARIABLE_NAME_BYTES_MAX: usize = 128;
/// Names, constraints, metadata and current values of a session together. Default.
pub const SESSION_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Earlier values of one variable that are kept, by number and by bytes. Default.
pub const HISTORY_MAX: usize = 10;
pub const HISTORY_BYTES_MAX: usize = 1024 * 1024;
/// Variables that one command reads or writes together.
pub const BATCH_MAX: usize = 1000;
/// The version that a variable may come with when it is loaded: exact in every store, and far
/// from the end of its numbers.
pub const VERSION_SAVED_MAX: u64 = 1 << 52;
/// The name of a lock's owner.
pub const LOCK_OWNER_BYTES_MAX: usize = 128;
/// Sessions or variables in one page of a list.
pub const PAGE_MAX: usize = 10_000;
/// Patterns of one watch.
pub const WATCH_PATTERNS_MAX: usize = 64;
/// Changes that wait for one watcher where it names no number, and the most that it may name.
pub const WATCH_QUEUE_MAX: usize = 1024;
pub const WATCH_QUEUE_LIMIT: usize = 64 * 1024;
/// Watches that one call's handler has at once.
pub const WATCHES_PER_CALL_MAX: usize = 64;
/// Variables of one session, and sessions, that one worker has cached and is told of; beyond them
/// what was cached of the session, or of the oldest, is given up.
pub const CACHED_VARIABLES_MAX: usize = 4096;
pub const CACHED_SESSIONS_PER_WORKER_MAX: usize = 1024;
/// A `pattern` constraint's text.
pub const PATTERN_BYTES_MAX: usize = 1024;
/// What a `pattern` constraint may take when it is compiled: repetitions multiply.
pub const PATTERN_COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// Operations of one JSON Patch: each may move half of a document.
pub const PATCH_OPERATIONS_MAX: usize = 1024;
/// What the `copy` operations of one JSON Patch may add in all: each could double the document.
pub const PATCH_COPIED_BYTES_MAX: usize = VALUE_BYTES_MAX;
/// Names that are compared with an unknown one to find what was meant.
pub const NAMES_COMPARED_MAX: usize = 1000;
/// Up to this size a stored value is copied out of the message it came in, which may be far larger.
pub const VALUE_COPY_BYTES_MAX: usize = 64 * 1024;

/// Commands that wait for the thread of an SQLite store, and for how long one waits for a place
/// among them.
pub const SQLITE_QUEUE_MAX: usize = 1024;
pub const SQLITE_QUEUE_WAIT: Duration = Duration::from_secs(5);
/// Commands, and bytes of their values, that share one transaction: more would not make a commit
/// cheaper, only later.
pub const SQLITE_BATCH_MAX: usize = 256;
pub const SQLITE_BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Values of an SQLite store that are read without asking the file, together and each.
pub const SQLITE_CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
pub const SQLITE_CACHED_VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Variables of an SQLite store whose rules are kept compiled.
pub const SQLITE_RULES_MAX: usize = 10_000;
/// Sessions of an earlier host that one sweep ends.
pub const SQLITE_SWEEP_MAX: usize = 1000;
/// The log beside an SQLite file is cut back to this size once it has been written over.
pub const SQLITE_LOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A host that did not reach the shared store for so long has lost its sessions there. Long enough
/// for a pause of a busy machine, short enough that others go on soon. Default.
pub const REDIS_LEASE: Duration = Duration::from_secs(15);
/// To reach Redis, handshake included. Default.
pub const REDIS_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One answer of Redis, with its bytes; a command of many bytes may take longer. Default.
pub const REDIS_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// One command on Redis, with all its attempts. Default.
pub const REDIS_COMMAND_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest of these times.
pub const REDIS_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// How fast a command's bytes travel at least, and those of a list: added to the time for the
/// answer.
pub const REDIS_BYTES_PER_SECOND_MIN: usize = 8 * 1024 * 1024;
/// First and last rest before Redis is asked again; it doubles in between.
pub const REDIS_BACKOFF_MIN: Duration = Duration::from_millis(5);
pub const REDIS_BACKOFF_MAX: Duration = Duration::from_millis(250);
/// Changed variables that one command finds in a row before it gives up: each one is somebody
/// else's progress.
pub const REDIS_CONTENTION_MAX: usize = 1000;
/// In front of all keys in Redis.
pub const REDIS_PREFIX_BYTES_MAX: usize = 64;
/// A value of this size is told to those who watch; of a larger one only that it changed.
pub const REDIS_INLINE_BYTES_MAX: usize = 64 * 1024;
/// Variables whose definitions a host remembers; twice as many for a moment.
pub const REDIS_CACHED_MAX: usize = 4096;
/// Values of this size are remembered with them.
pub const REDIS_CACHED_BYTES_MAX: usize = 4 * 1024;
/// How long Redis remembers what became of a write: far longer than any command waits.
pub const REDIS_OUTCOMES_KEPT: Duration = Duration::from_secs(600);
/// Requests to the task that listens to Redis.
pub const REDIS_FOLLOW_QUEUE_MAX: usize = 256;

/// Tools of a platform or of one session. Default.
pub const TOOLS_PER_SCOPE_MAX: usize = 1024;
pub const TOOL_NAME_BYTES_MAX: usize = 64;
pub const TOOL_DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
/// Calls of one tool that the host has not answered yet. Default.
pub const TOOL_IN_FLIGHT_MAX: usize = 256;
/// Chunks that a host tool may emit ahead of Python.
pub const TOOL_CHUNK_WINDOW: u32 = 256;

/// Operations of a platform that have not ended. Default.
pub const OPERATIONS_MAX: usize = 100_000;
/// Chunks that a streaming operation may send ahead of its consumer. Default.
pub const STREAM_WINDOW: u32 = 256;
/// Executes inside tools inside executes. Default.
pub const NESTING_DEPTH_MAX: u32 = 16;
/// An operation's deadline where the caller names none. Default.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(300);

/// Calls that one worker runs at once, not counting those that wait for a host tool. Default.
pub const CALLS_PER_WORKER: usize = 8;
/// Calls that one worker holds, those that wait for a host tool included. Default.
pub const CALLS_HELD_PER_WORKER_MAX: usize = 256;
/// Workers of a pool where the configuration names no number.
pub const POOL_WORKERS: usize = 2;
pub const POOL_WORKERS_MAX: usize = 1024;
/// One more worker when a call has waited for so long: longer than a queue of ordinary calls, and
/// shorter than people notice. Default.
pub const POOL_GROW_AFTER: Duration = Duration::from_millis(500);
/// One fewer when a worker has been idle for so long: its start may have taken many seconds.
/// Default.
pub const POOL_SHRINK_AFTER: Duration = Duration::from_secs(60);
/// Calls waiting for a worker of one pool. Default.
pub const POOL_QUEUE_MAX: usize = 1000;
/// Workers of one pool that start at the same time. Default.
pub const CONCURRENT_STARTS: usize = 8;
/// From spawn to hello, imports included. Default.
pub const START_TIMEOUT: Duration = Duration::from_secs(60);
/// First and last delay before a slot is started again; it doubles in between. Default.
pub const RESTART_BACKOFF_MIN: Duration = Duration::from_millis(50);
pub const RESTART_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The rest after a start for which there was no descriptor, process or memory left: work goes on
/// soon after some are free.
pub const EXHAUSTION_REST: Duration = Duration::from_millis(500);
/// Starts that may fail within the window before the pool is degraded. Default.
pub const RESTART_FAILURES_MAX: usize = 5;
pub const RESTART_WINDOW: Duration = Duration::from_secs(10);
/// The rest of a slot that keeps failing while others serve. Default.
pub const RESTART_QUARANTINE: Duration = Duration::from_secs(60);
/// Workers of one pool that are replaced at the same time: each takes another's memory for a while.
/// Default.
pub const RECYCLE_CONCURRENCY: usize = 1;
/// Between two heartbeats, and how long one may stay unanswered. Default.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(2);
/// A worker without a sign of life may take so long to print where it stands. Default.
pub const ABORT_GRACE: Duration = Duration::from_secs(1);
/// A cancelled handler may clean up for this long before its worker is replaced. Default.
pub const CANCEL_GRACE: Duration = Duration::from_secs(2);
/// What a platform's close waits for running work where the caller names no time. Default.
pub const CLOSE_GRACE: Duration = Duration::from_secs(5);
/// What a close waits, when everything else has ended, for callbacks to return.
pub const CALLBACKS_GRACE: Duration = Duration::from_millis(500);
/// After TERM, before KILL. Default.
pub const KILL_GRACE: Duration = Duration::from_secs(2);
/// When memory runs out the kernel takes a worker before its host.
pub const WORKER_OOM_SCORE_ADJ: u16 = 500;
/// Kept of a worker's last output, to explain its death.
pub const STDERR_TAIL_BYTES: usize = 64 * 1024;
/// A worker that broke its connection may end by itself for so long, so that its own exit is seen.
pub const LOST_GRACE: Duration = Duration::from_millis(250);
/// How long a lost call waits to learn from the guard how its worker ended: long enough for a busy
/// machine, and in general a few milliseconds.
pub const EXIT_REPORT_WAIT: Duration = Duration::from_secs(2);

/// Attempts of one idempotent call whose workers are lost, the first one included. Default.
pub const RETRY_ATTEMPTS_MAX: u32 = 3;
/// First and last rest before a lost call is tried again; it doubles in between. Default.
pub const RETRY_BACKOFF_MIN: Duration = Duration::from_millis(20);
pub const RETRY_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Retries in a hundred recent calls of a pool, and those allowed however few calls there are: more
/// would make a bad moment worse. Default.
pub const RETRY_BUDGET_PERCENT: u32 = 20;
pub const RETRY_BUDGET_MIN_PER_SECOND: u32 = 3;
/// What counts as recent there.
pub const RETRY_BUDGET_WINDOW: Duration = Duration::from_secs(10);
/// Workers lost in a row, without one answer in between, that open a pool's circuit. Default.
pub const BREAKER_FAILURES_MAX: u32 = 20;
/// How long a circuit stays open before a call is let through as a probe. Default.
pub const BREAKER_OPEN: Duration = Duration::from_secs(5);
/// Lost workers that a circuit tells apart, so that one that held many calls counts once.
pub const BREAKER_WORKERS_REMEMBERED_MAX: usize = 256;
/// Crashes of its worker within the window that taint a call, and for how long. Default.
pub const BARRIER_CRASHES_MAX: usize = 3;
pub const BARRIER_WINDOW: Duration = Duration::from_secs(60);
pub const BARRIER_TAINT: Duration = Duration::from_secs(60);
/// Operations with their parameters that one pool has under suspicion.
pub const BARRIER_CALLS_MAX: usize = 1024;

/// One record; what is longer is cut, and says so.
pub const LOG_RECORD_BYTES_MAX: usize = 16 * 1024;
/// Records waiting for one subscriber; more are dropped and counted. Default.
pub const LOG_QUEUE_MAX: usize = 1024;
/// For so many of them, a third of a megabyte, memory is kept once they were taken.
pub const LOG_RECORDS_KEPT: usize = 4096;
/// Threads that run the host's callbacks. Default.
pub const CALLBACK_THREADS: usize = 4;
/// Threads that do the platform's I/O. Default.
pub const IO_THREADS: usize = 2;
/// How long a wire is driven by nobody before its own thread looks again and drives: longer than
/// anybody needs between two waits, shorter than anybody would notice.
pub const SEAT_LOOK: Duration = Duration::from_micros(500);
/// Events that one `spb_queue_next_batch` hands out.
pub const QUEUE_BATCH_MAX: usize = 1024;
/// Operations, and names of host tools, with metrics of their own; later ones share the series
/// `other`.
pub const METRIC_OPERATIONS_MAX: usize = 1024;
pub const METRIC_TOOLS_MAX: usize = 1024;
