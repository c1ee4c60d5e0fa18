/*
 * snakepit_bridge.h: run Python machine-learning frameworks in supervised worker processes, from
 * any program that can call C, and let that Python call functions of the program.
 *
 * Generated from src/capi by tests/abi.rs (SPB_UPDATE_HEADER=1 cargo test --test abi). Do not edit.
 *
 * An example, without the checks of its statuses:
 *
 *     spb_platform platform;  spb_queue queue;  spb_session session;  spb_operation operation;
 *     spb_value *parameters;  spb_event event;  size_t count;
 *     spb_platform_open(SPB_STR("{}"), &platform, NULL);
 *     spb_queue_new(platform, &queue, NULL);
 *     spb_session_open(platform, NULL, &session, NULL);
 *     spb_value_from_json(SPB_STR("{\"text\": \"hello\"}"), &parameters, NULL);
 *     spb_execute_options what = SPB_EXECUTE_OPTIONS_INIT;
 *     what.framework = SPB_STR("python");
 *     what.operation = SPB_STR("echo");
 *     what.parameters = parameters;
 *     spb_sink to_queue = spb_sink_queue(queue, 42);
 *     spb_execute(session, &what, &to_queue, &operation, NULL);
 *     spb_queue_next_batch(queue, &event, 1, SPB_NO_TIMEOUT, &count, NULL);
 *     if (event.status == SPB_OK) puts(spb_value_json(event.value).ptr);
 *     spb_event_clear(&event);
 *     spb_value_free(parameters);
 *     spb_platform_close(platform, 0, NULL);
 *     spb_platform_free(platform);
 *
 * The rules, for all functions:
 *
 * Errors. Every function that can fail returns an spb_status. The last argument, `err`, may be
 *   NULL; if it is not, *err is NULL on success and an error that you own otherwise. Outputs are
 *   written on every path: zero or NULL first, the result at the end. There is no "last error"
 *   and no errno.
 * Ownership. Inputs are borrowed for the call: what the library needs later it copies or shares
 *   before it returns. Outputs are yours: free spb_value, spb_error and spb_text once, and
 *   handles with their _free. Views (spb_str results, attachments) live as long as the object
 *   that they were taken from.
 * Handles are numbers with a memory of their kind and life: 0, a freed one, one of another kind
 *   or a made-up one gives SPB_E_HANDLE and does nothing. Freeing 0 or a stale handle does
 *   nothing. Freeing a handle never cancels or closes what it stands for.
 * Threads. Every function may be called from any thread. "Nonblocking" functions take
 *   microseconds; "blocking" ones wait. In a callback the blocking ones return
 *   SPB_E_WOULD_DEADLOCK.
 * Submitting (every function with a sink and an spb_operation output) does no work on your
 *   thread. An error means that there is no operation. SPB_OK means that exactly one end will
 *   come, never before the call has returned: in spb_operation_wait without a sink, or as
 *   SPB_EVENT_OP_DONE of the sink.
 * Text is UTF-8 with a length, and is checked. Times are in milliseconds. In options 0 means the
 *   default and SPB_NO_TIMEOUT none; in waits 0 means to look once and SPB_NO_TIMEOUT to wait for
 *   ever.
 * Options structs are made with their _INIT macros, so that a program and a library of different
 *   age understand each other. Fields named reserved stay 0.
 * The process. The library installs no signal handler, changes neither environment nor working
 *   directory, and blocks every signal on its own threads. It cannot be unloaded. After fork()
 *   the child gets SPB_E_FORKED from every function with a status; it may read errors and free
 *   memory, and exec. exit() with a live platform is fine: the workers end with the process.
 */

#ifndef SNAKEPIT_BRIDGE_H
#define SNAKEPIT_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tensors are exchanged in the structs of dlpack.h and of the Arrow C Data Interface. Their fields
 * are in those headers, which this one does not need; include them before or after it. */
struct DLManagedTensor;
struct DLManagedTensorVersioned;
struct ArrowSchema;
struct ArrowArray;

/* ---- Text, statuses, times ------------------------------------------------------------------- */

// Text that somebody else owns: UTF-8, `len` bytes, not necessarily NUL-terminated. `ptr` may be
// NULL when `len` is 0. As an argument it is read during the call only; as a result it lives as
// long as the object it came from.
typedef struct spb_str {
    const char *ptr;
    size_t len;
} spb_str;

// Done.
#define SPB_OK 0
// Not yet: nothing came in the time given, or the other side is behind.
#define SPB_E_AGAIN 1
// An argument is wrong; the message names it.
#define SPB_E_INVALID_ARGUMENT 2
// A pointer that has to point somewhere is NULL.
#define SPB_E_NULL_ARGUMENT 3
// The handle is 0, stale, of another kind or invented.
#define SPB_E_HANDLE 4
// Text is not UTF-8.
#define SPB_E_UTF8 5
// The call does not fit the state of its object.
#define SPB_E_STATE 6
// Somebody else is using it.
#define SPB_E_BUSY 7
// It was closed, or there is no more.
#define SPB_E_CLOSED 8
// Cancelled.
#define SPB_E_CANCELLED 9
// The deadline passed.
#define SPB_E_DEADLINE 10
// No such thing; the message offers the nearest name.
#define SPB_E_NOT_FOUND 11
// The name is taken.
#define SPB_E_ALREADY_EXISTS 12
// It was answered or taken before.
#define SPB_E_ALREADY_COMPLETED 13
// The variable has another version than expected.
#define SPB_E_VERSION_CONFLICT 14
// The value is of another type than asked for or declared.
#define SPB_E_TYPE_MISMATCH 15
// The value breaks a constraint or schema.
#define SPB_E_CONSTRAINT 16
// A limit was reached.
#define SPB_E_RESOURCE_EXHAUSTED 17
// No worker can take it now.
#define SPB_E_UNAVAILABLE 18
// The worker died while it had the call.
#define SPB_E_WORKER_LOST 19
// Python raised; the error has type and traceback.
#define SPB_E_PYTHON_EXCEPTION 20
// A host tool failed.
#define SPB_E_TOOL_FAILED 21
// A worker broke the protocol.
#define SPB_E_PROTOCOL 22
// This build does not know the option, kind or field.
#define SPB_E_UNSUPPORTED 23
// Header and library are of different ABI majors.
#define SPB_E_ABI_MISMATCH 24
// The process is a forked child of the one that opened the platform.
#define SPB_E_FORKED 25
// A blocking call inside a callback.
#define SPB_E_WOULD_DEADLOCK 26
// The library panicked: its defect. Other calls go on.
#define SPB_E_PANIC 27
// Something in the library failed.
#define SPB_E_INTERNAL 28
// The worker did not answer its heartbeat and was replaced.
#define SPB_E_WORKER_HUNG 29
// The worker that the session is bound to is gone.
#define SPB_E_SESSION_WORKER_UNAVAILABLE 30
// The state store failed.
#define SPB_E_STORE 31
// This host was silent for longer than its lease on a shared store: others may have gone on.
#define SPB_E_LEASE_LOST 32

// How a call ended: SPB_OK or one of SPB_E_*. Numbers are stable and never reused.
typedef int32_t spb_status;

// As a time in milliseconds: no limit at all.
#define SPB_NO_TIMEOUT (-1)

/* ---- The library ----------------------------------------------------------------------------- */

// Changes when a program built against an older header no longer works; the SONAME carries it.
#define SPB_ABI_MAJOR 0
// Grows with every addition to this header.
#define SPB_ABI_MINOR 1

// The library's version, such as "0.1.0".
//
// Ownership: static text, NUL-terminated.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
const char *spb_version(void);

// The ABI of the loaded library: major in the upper sixteen bits, minor in the lower. See
// spb_abi_check.
//
// Ownership: none.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
uint32_t spb_abi_version(void);

// The name of a status without its prefix, such as "NOT_FOUND"; "UNKNOWN" for a number that is
// none.
//
// Ownership: static text, NUL-terminated.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
const char *spb_status_name(spb_status status);

// The JSON Schema of the document that spb_platform_open takes, with the meaning and default of
// every key.
//
// Ownership: a static view.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_str spb_config_schema(void);

/* ---- Errors ---------------------------------------------------------------------------------- */

// A failure with its circumstances. Owned by whoever received it; immutable, so any thread may
// read it.
typedef struct spb_error spb_error;

// The status of an error; SPB_OK for NULL.
//
// Ownership: borrows `error`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_status spb_error_status(const spb_error *error);

// What went wrong, as a lower-case fragment that names the thing; empty for NULL.
//
// Ownership: a view that lives as long as `error`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_str spb_error_message(const spb_error *error);

// The qualified type of the Python exception behind the error, such as "builtins.ValueError";
// empty if none.
//
// Ownership: a view that lives as long as `error`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_str spb_error_python_type(const spb_error *error);

// The formatted Python traceback, ending with the exception line; empty if none.
//
// Ownership: a view that lives as long as `error`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_str spb_error_python_traceback(const spb_error *error);

// The circumstances for programs, a JSON object; "{}" if there are none, empty for NULL.
//
// Ownership: a view that lives as long as `error`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_str spb_error_details_json(const spb_error *error);

// Whether the same call may succeed later without a change: 1 or 0.
//
// Ownership: borrows `error`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
uint8_t spb_error_retryable(const spb_error *error);

// Frees an error; NULL is allowed.
//
// Ownership: takes `error`; its views end.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_error_free(spb_error *error);

/* ---- Text that you own ----------------------------------------------------------------------- */

// Owned text. Immutable, so any thread may read it.
typedef struct spb_text spb_text;

// The text, with a NUL behind it; empty for NULL.
//
// Ownership: a view that lives as long as `text`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_str spb_text_view(const spb_text *text);

// Frees text; NULL is allowed.
//
// Ownership: takes `text`; its view ends.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_text_free(spb_text *text);

/* ---- Values ---------------------------------------------------------------------------------- */

// An attachment of bytes.
#define SPB_ATTACHMENT_BLOB 1
// An attachment that is a dense array: little-endian, row-major, without padding.
#define SPB_ATTACHMENT_TENSOR 2
#define SPB_DTYPE_BOOL 1
#define SPB_DTYPE_INT8 2
#define SPB_DTYPE_INT16 3
#define SPB_DTYPE_INT32 4
#define SPB_DTYPE_INT64 5
#define SPB_DTYPE_UINT8 6
#define SPB_DTYPE_UINT16 7
#define SPB_DTYPE_UINT32 8
#define SPB_DTYPE_UINT64 9
#define SPB_DTYPE_FLOAT16 10
#define SPB_DTYPE_BFLOAT16 11
#define SPB_DTYPE_FLOAT32 12
#define SPB_DTYPE_FLOAT64 13

// A JSON document and what it refers to. Immutable and reference counted inside: any thread may
// read it, and a clone costs next to nothing. `{"$spb": {"attachment": 0}}` in the document stands
// for attachment 0, `{"$spb": {"float": "nan"}}` (or "inf", "-inf") for a float that JSON has no
// number for; a key of your own that reads "$spb" is written "$$spb".
typedef struct spb_value spb_value;

// Binary content of a value. As an input it is copied; as an output it is a view that lives as
// long as the value.
typedef struct spb_attachment {
    // SPB_ATTACHMENT_*.
    uint32_t kind;
    // SPB_DTYPE_* of a tensor, 0 of a blob.
    uint32_t dtype;
    // `len` bytes; not necessarily aligned for the element type.
    const uint8_t *data;
    size_t len;
    // `ndim` sides of a tensor; NULL and 0 for a blob and for a scalar.
    const int64_t *shape;
    size_t ndim;
} spb_attachment;

// Makes a value of a JSON document. It is checked at once: syntax, depth, numbers that fit 64
// bits, size.
//
// Ownership: copies `json`; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: INVALID_ARGUMENT with the place of the fault, UTF8, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_json(spb_str json, spb_value **out, spb_error **err);

// Makes a value of a JSON document and the `count` attachments that it refers to.
//
// Ownership: copies everything; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: INVALID_ARGUMENT (the document, a kind, a dtype, a shape that does not fit its bytes),
// UTF8, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_parts(spb_str json,
                                const spb_attachment *attachments,
                                size_t count,
                                spb_value **out,
                                spb_error **err);

// The document, with a NUL behind it; empty for NULL.
//
// Ownership: a view that lives as long as `value`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
spb_str spb_value_json(const spb_value *value);

// How many attachments the value has; 0 for NULL.
//
// Ownership: borrows `value`.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
size_t spb_value_attachment_count(const spb_value *value);

// Looks at attachment `index` without copying it.
//
// Ownership: `*out` is a view that lives as long as `value`.
// Threads: nonblocking, callback-safe.
// Errors: NOT_FOUND, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_attachment(const spb_value *value,
                                size_t index,
                                spb_attachment *out,
                                spb_error **err);

// Makes a second owner of the same value, without copying its bytes.
//
// Ownership: borrows `value`; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_clone(const spb_value *value, spb_value **out, spb_error **err);

// Frees a value; NULL is allowed.
//
// Ownership: takes `value`; its views end.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_value_free(spb_value *value);

// Makes a value that is the JSON string of `text`.
//
// Ownership: copies `text`; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: UTF8, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_text(spb_str text, spb_value **out, spb_error **err);

// Makes a value that is the integer `number`, exactly.
//
// Ownership: the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_i64(int64_t number, spb_value **out, spb_error **err);

// Makes a value that is the number `number`, with every digit that it needs to come back the same.
// NaN and the infinities, for which JSON has no number, become {"$spb": {"float": "nan"}}, "inf"
// or "-inf"; whether a variable takes them is for its constraint "finite" to say.
//
// Ownership: the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_f64(double number, spb_value **out, spb_error **err);

// Makes a value that is true (1) or false (0).
//
// Ownership: the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: INVALID_ARGUMENT for other numbers, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_bool(uint8_t truth, spb_value **out, spb_error **err);

// Reads a value that is a JSON string.
//
// Ownership: borrows `value`; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_as_text(const spb_value *value, spb_text **out, spb_error **err);

// Reads a value that is an integer within int64_t. A number with a fraction part or an exponent is
// none.
//
// Ownership: borrows `value`.
// Threads: nonblocking, callback-safe.
// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_as_i64(const spb_value *value, int64_t *out, spb_error **err);

// Reads a value that is a number; an integer becomes the nearest double, and the tag of a float
// that is not finite becomes that float.
//
// Ownership: borrows `value`.
// Threads: nonblocking, callback-safe.
// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_as_f64(const spb_value *value, double *out, spb_error **err);

// Reads a value that is true (1) or false (0).
//
// Ownership: borrows `value`.
// Threads: nonblocking, callback-safe.
// Errors: TYPE_MISMATCH, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_as_bool(const spb_value *value, uint8_t *out, spb_error **err);

// Makes a value of a JSON document and the attachments of `count` values, one after the other:
// without a copy of them, and without the documents that the values have.
//
// Ownership: copies `json`; the values stay the caller's; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: INVALID_ARGUMENT, UTF8, RESOURCE_EXHAUSTED, NULL_ARGUMENT, also for a NULL value.
// Since: 0.1
spb_status spb_value_compose(spb_str json,
                             const spb_value *const *values,
                             size_t count,
                             spb_value **out,
                             spb_error **err);

/* ---- Tensors --------------------------------------------------------------------------------- */

// A tensor in memory. Elements are little-endian; element (i, j, ...) lies i * strides[0] +
// j * strides[1] + ... elements behind `data`.
typedef struct spb_tensor_view {
    // SPB_TENSOR_VIEW_INIT sets it; spb_value_tensor_view does too.
    size_t struct_size;
    // SPB_DTYPE_*.
    uint32_t dtype;
    // Bytes of one element. As an input 0 stands for what the dtype says.
    uint32_t item_bytes;
    // The first element of a tensor that has some. A view's is not necessarily aligned for its
    // element type.
    const void *data;
    // Bytes at `data`.
    size_t len;
    // `ndim` sides; NULL for a scalar.
    const int64_t *shape;
    // `ndim` strides in elements. As an input NULL stands for row-major, and none is below 0.
    const int64_t *strides;
    size_t ndim;
    uint64_t reserved;
} spb_tensor_view;

// Looks at attachment `index` as a tensor, without copying it. Its elements are row-major.
//
// Ownership: `*out` is a view that lives as long as `value`.
// Threads: nonblocking, callback-safe.
// Errors: NOT_FOUND, TYPE_MISMATCH for a blob, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_tensor_view(const spb_value *value,
                                 size_t index,
                                 spb_tensor_view *out,
                                 spb_error **err);

// Makes a value that is one tensor, of elements in any order and overlap: they are copied into
// row-major order.
//
// Ownership: copies `tensor`; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: INVALID_ARGUMENT for a dtype, a shape, strides below 0 or elements beyond `len` bytes,
// RESOURCE_EXHAUSTED, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_tensor(const spb_tensor_view *tensor, spb_value **out, spb_error **err);

// Makes a value that is one tensor, over the memory of a DLPack 1.x tensor. What is row-major is
// not copied: it must not change until its deleter runs, which happens once, on a thread of the
// library, after the last use of the value in any store, call or clone. Other orders, and what has
// no deleter, are copied.
//
// Ownership: with SPB_OK takes over `tensor`, otherwise it stays the caller's; the caller owns
// `*out`.
// Threads: nonblocking, callback-safe.
// Errors: UNSUPPORTED (another device than the CPU, an element type that values do not have,
// lanes, another major version), INVALID_ARGUMENT (a shape or an offset that memory cannot have),
// RESOURCE_EXHAUSTED, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_dlpack(struct DLManagedTensorVersioned *tensor,
                                 spb_value **out,
                                 spb_error **err);

// As spb_value_from_dlpack, for the struct of DLPack before version 1.
//
// Ownership: with SPB_OK takes over `tensor`, otherwise it stays the caller's; the caller owns
// `*out`.
// Threads: nonblocking, callback-safe.
// Errors: as spb_value_from_dlpack.
// Since: 0.1
spb_status spb_value_from_dlpack_unversioned(struct DLManagedTensor *tensor,
                                             spb_value **out,
                                             spb_error **err);

// Hands out attachment `index` as a DLPack 1.0 tensor, read-only and row-major. It is copied only
// where it is not aligned for its element type.
//
// Ownership: the caller owns `*out` and ends it by its deleter, on any thread; it keeps what it
// shows alive, also when `value` is freed.
// Threads: nonblocking, callback-safe.
// Errors: NOT_FOUND, TYPE_MISMATCH for a blob, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_to_dlpack(const spb_value *value,
                               size_t index,
                               struct DLManagedTensorVersioned **out,
                               spb_error **err);

// Makes a value that is one tensor, over the memory of an Arrow array: integers and floats have
// one dimension, fixed-size lists of them one more for each list. Offset and length are honoured.
// Nothing is copied: the array is released once, on a thread of the library, after the last use of
// the value in any store, call or clone.
//
// Ownership: with SPB_OK moves `schema` and `array` (their `release` is NULL then), otherwise they
// stay the caller's; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: UNSUPPORTED for nulls, dictionaries and other types, by name; INVALID_ARGUMENT for
// what is released or does not fit its schema, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_arrow(struct ArrowSchema *schema,
                                struct ArrowArray *array,
                                spb_value **out,
                                spb_error **err);

// Hands out attachment `index` as an Arrow array without nulls: a tensor of one dimension as
// integers or floats, one of more as fixed-size lists. It is copied only where it is not aligned
// to eight bytes.
//
// Ownership: the caller owns `*schema` and `*array` and ends each by its `release`, on any thread;
// the array keeps what it shows alive, also when `value` is freed.
// Threads: nonblocking, callback-safe.
// Errors: NOT_FOUND, TYPE_MISMATCH for a blob, UNSUPPORTED for bool, bfloat16 and a scalar, which
// Arrow has no such form for; NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_to_arrow(const spb_value *value,
                              size_t index,
                              struct ArrowSchema *schema,
                              struct ArrowArray *array,
                              spb_error **err);

// Makes a value of the bytes of a safetensors file: {"name": tensor, ...}, and the file's metadata
// as an object of texts under "__metadata__" where there is some.
//
// Ownership: copies `data`; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: INVALID_ARGUMENT for what is no such file, UNSUPPORTED for an element type that values
// do not have, RESOURCE_EXHAUSTED, NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_from_safetensors(const uint8_t *data,
                                      size_t len,
                                      spb_value **out,
                                      spb_error **err);

// Makes the bytes of a safetensors file, attachment 0 of `*out`, of a value with the form that
// spb_value_from_safetensors gives.
//
// Ownership: borrows `value`; the caller owns `*out`.
// Threads: nonblocking, callback-safe.
// Errors: TYPE_MISMATCH for a document of another form, with its place, RESOURCE_EXHAUSTED,
// NULL_ARGUMENT.
// Since: 0.1
spb_status spb_value_to_safetensors(const spb_value *value, spb_value **out, spb_error **err);

/* ---- Handles --------------------------------------------------------------------------------- */

// One embedded platform: its pools of workers, sessions, tools and threads.
typedef struct spb_platform {
    uint64_t id;
} spb_platform;

// A named pool of Python workers.
typedef struct spb_pool {
    uint64_t id;
} spb_pool;

// A session: variables, tools and affinity that calls share.
typedef struct spb_session {
    uint64_t id;
} spb_session;

// Something under way that ends exactly once.
typedef struct spb_operation {
    uint64_t id;
} spb_operation;

// A completion queue.
typedef struct spb_queue {
    uint64_t id;
} spb_queue;

// A registration of a host function that Python may call.
typedef struct spb_tool {
    uint64_t id;
} spb_tool;

// One call of a tool by Python, waiting for the host's answer.
typedef struct spb_invocation {
    uint64_t id;
} spb_invocation;

// A subscription; freeing it ends it.
typedef struct spb_watch {
    uint64_t id;
} spb_watch;

/* ---- Events and sinks ------------------------------------------------------------------------ */

// A chunk of a stream: `operation`, `sequence` counting from 0, `value`.
#define SPB_EVENT_OP_CHUNK 1
// The end of an operation, exactly once: `operation`, `status`, `value` or `error`, `sequence` =
// chunks before it.
#define SPB_EVENT_OP_DONE 2
// Python calls a tool: `invocation` to answer, `value` = arguments.
#define SPB_EVENT_TOOL_CALL 3
// Nobody waits for that answer any more: `invocation`. It still has to be freed, or answered in
// vain.
#define SPB_EVENT_TOOL_CANCEL 4
// A log record: `value`.
#define SPB_EVENT_LOG 5
// Log records were dropped, because they were not taken in time: `sequence` = how many.
#define SPB_EVENT_OVERFLOW 6
// The last event of a queue: its platform has closed.
#define SPB_EVENT_SHUTDOWN 7
// A variable that is watched: `sequence` = its version, `value` = {"kind", "name", "id",
// "version", "revision"}, with "value" where it has one and "owner" where it was locked. The kind
// is "initial" (without a revision), "registered", "written", "deleted", "locked" or "unlocked".
#define SPB_EVENT_VARIABLE 8
// Changes were not kept, because too many waited, or because a store lost sight of them:
// `sequence` = how many, 0 if nobody knows; `value` = {"count", "from_revision", "to_revision"}.
// Read what has to be current.
#define SPB_EVENT_WATCH_MISSED 9
// The last event of a watch of variables: `status` and `error` say why. CANCELLED: it was stopped.
#define SPB_EVENT_WATCH_END 10
// Another queue has events, or has ended: `tag` is what spb_queue_notify was given.
#define SPB_EVENT_QUEUE_READABLE 11

// One event. What it carries belongs to it until spb_event_clear; to keep `value` or `error`, take
// the pointer and set the field to NULL.
typedef struct spb_event {
    // SPB_EVENT_*. Ignore kinds that you do not know.
    uint32_t kind;
    // How the operation or the watch ended; SPB_OK in events that are no end.
    spb_status status;
    // The tag of the sink that the event came through.
    uint64_t tag;
    // The operation it is of, or 0. A copy: the handle that the submitting call returned is the
    // one to free.
    spb_operation operation;
    // The tool call it is of, or 0. In SPB_EVENT_TOOL_CALL it is yours to answer or to free.
    spb_invocation invocation;
    uint64_t sequence;
    spb_value *value;
    spb_error *error;
    uint64_t reserved;
} spb_event;

// Receives the events of one sink, one after the other, on a thread of the library. It may call
// every function except those that wait. It must not throw or longjmp out. The event is cleared
// when it has returned.
typedef void (*spb_event_callback)(void *user_data, spb_event *event);

// Called exactly once when the library needs `user_data` no more: after the last callback has
// returned, on a thread of the library; or, if the call that was given the sink fails, before that
// call returns.
typedef void (*spb_destroy_callback)(void *user_data);

// Frees what an event carries and sets it to zero. A cleared event may be cleared again; NULL is
// allowed.
//
// Ownership: takes `event->value` and `event->error`; the struct is the caller's.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_event_clear(spb_event *event);

// No sink: the outcome waits for spb_operation_wait and spb_operation_take_result.
#define SPB_SINK_NONE 0
// Events go to `queue`, with `tag`.
#define SPB_SINK_QUEUE 1
// Events go to `callback`, with `tag`.
#define SPB_SINK_CALLBACK 2

// Where events go. Make one with spb_sink_queue or spb_sink_callback. A NULL sink is no sink.
typedef struct spb_sink {
    size_t struct_size;
    // SPB_SINK_*.
    uint32_t kind;
    uint32_t reserved;
    spb_queue queue;
    // Comes back in every event of this sink: a key or an address of yours.
    uint64_t tag;
    spb_event_callback callback;
    void *user_data;
    // May be NULL. Called exactly once, also when the call that was given the sink fails.
    spb_destroy_callback destroy;
} spb_sink;

/* ---- Platform -------------------------------------------------------------------------------- */

// Opens a platform as `config_json` says; empty text and "{}" mean all defaults (see
// spb_config_schema). Its threads run when this returns, its Python workers start in the
// background: see spb_pool_await_ready.
//
// Ownership: copies `config_json`; the caller frees `*out` with spb_platform_free.
// Threads: nonblocking, callback-safe. The process must not fork afterwards and go on in the
// child.
// Errors: INVALID_ARGUMENT with the faulty key, UTF8, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
// Since: 0.1
spb_status spb_platform_open(spb_str config_json, spb_platform *out, spb_error **err);

// Starts closing: calls under way may end within `grace_ms` (0: as configured, SPB_NO_TIMEOUT: all
// the time they need), then the rest is cancelled and every worker process is gone. Later calls
// share the first one's end.
//
// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
// Since: 0.1
spb_status spb_platform_shutdown(spb_platform platform,
                                 int64_t grace_ms,
                                 const spb_sink *sink,
                                 spb_operation *out,
                                 spb_error **err);

// Closes and waits for it: spb_platform_shutdown in one call. The handle stays valid, for health
// and metrics, until spb_platform_free.
//
// Ownership: none.
// Threads: blocking; WOULD_DEADLOCK in a callback.
// Errors: HANDLE, INVALID_ARGUMENT, WOULD_DEADLOCK, RESOURCE_EXHAUSTED, FORKED.
// Since: 0.1
spb_status spb_platform_close(spb_platform platform, int64_t grace_ms, spb_error **err);

// Frees the handle; 0 and stale handles are allowed. A platform that was not closed starts closing
// in the background, and what was made from it goes on until then.
//
// Ownership: takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_platform_free(spb_platform platform);

// Reports how the platform is: live, ready, and the reasons why not, with one entry per pool.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_platform_health(spb_platform platform, spb_value **out, spb_error **err);

// Renders all metrics in Prometheus's text format.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_platform_metrics(spb_platform platform, spb_text **out, spb_error **err);

// Describes what a framework's operations take and give, as JSON Schema; all frameworks for an
// empty name. Known once the first worker is ready.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NOT_FOUND, UTF8, NULL_ARGUMENT, UNAVAILABLE, FORKED.
// Since: 0.1
spb_status spb_platform_schema(spb_platform platform,
                               spb_str framework,
                               spb_value **out,
                               spb_error **err);

// Describes everything that a client can be generated from: frameworks pool by pool, tools,
// statuses, variable types and limits. A pool's frameworks are known once its first worker is
// ready.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_platform_describe(spb_platform platform, spb_value **out, spb_error **err);

/* ---- Completion queue ------------------------------------------------------------------------ */

// Makes a completion queue. Any number of operations, tools and subscriptions may send their
// events to it.
//
// Ownership: the caller frees `*out` with spb_queue_free.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_queue_new(spb_platform platform, spb_queue *out, spb_error **err);

// Takes up to `capacity` events, in their order. Waits for the first one at most `timeout_ms` (0:
// not at all, SPB_NO_TIMEOUT: for ever). Any number of threads may take from one queue. A thread
// that waits may read from workers meanwhile, in place of a thread of the library: it needs a
// stack of 256 KiB, and pthread_cancel ends it after this has returned.
//
// Ownership: `events` is the caller's array and is overwritten; each event filled has to be
// cleared with spb_event_clear.
// Threads: blocking unless `timeout_ms` is 0; then also callback-safe.
// Errors: AGAIN when nothing came in time, CLOSED after SPB_EVENT_SHUTDOWN was taken or when the
// queue is freed meanwhile, HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, WOULD_DEADLOCK, FORKED.
// Since: 0.1
spb_status spb_queue_next_batch(spb_queue queue,
                                spb_event *events,
                                size_t capacity,
                                int64_t timeout_ms,
                                size_t *out_count,
                                spb_error **err);

// Returns a descriptor that is readable while the queue has events, for epoll, libuv and their
// like: when it is, call spb_queue_next_batch with a timeout of 0 until that says AGAIN. Never
// read or close it.
//
// Ownership: the descriptor is the queue's: take it out of your poller before spb_queue_free, or
// poll a dup.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
// Since: 0.1
spb_status spb_queue_fd(spb_queue queue, int32_t *out, spb_error **err);

// Sends one SPB_EVENT_QUEUE_READABLE with `tag` to the queue `to` as soon as `queue` has events,
// at once if it has some or has ended: so a thread that waits in one queue serves others beside
// it. It comes once; ask again when `queue` has been emptied. Asking anew replaces what was asked
// for before, unless that was sent already and not taken: then it stands for this one, too. None
// comes for a queue that was freed.
//
// Ownership: nothing changes hands.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, INVALID_ARGUMENT when `to` is the queue itself or of another platform, FORKED.
// Since: 0.1
spb_status spb_queue_notify(spb_queue queue, spb_queue to, uint64_t tag, spb_error **err);

// Frees a queue; 0 and stale handles are allowed. Threads that wait in it return CLOSED, events in
// it are cleared, and tool calls that would go to it fail on Python's side.
//
// Ownership: takes the handle and the queue's descriptor.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_queue_free(spb_queue queue);

/* ---- Pool ------------------------------------------------------------------------------------ */

// Finds a pool of the configuration by its name; the empty name is "default".
//
// Ownership: the caller frees `*out` with spb_pool_free; the pool itself belongs to the platform.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NOT_FOUND, CLOSED, UTF8, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_pool_get(spb_platform platform, spb_str name, spb_pool *out, spb_error **err);

// Waits for workers: an operation that ends when `workers` of them (0: all) are ready, or fails
// with the story of why they are not. `timeout_ms`: 0 is the configured operation timeout,
// SPB_NO_TIMEOUT none.
//
// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED. The
// operation's own: DEADLINE, UNAVAILABLE, CANCELLED.
// Since: 0.1
spb_status spb_pool_await_ready(spb_pool pool,
                                uint32_t workers,
                                int64_t timeout_ms,
                                const spb_sink *sink,
                                spb_operation *out,
                                spb_error **err);

// Describes what the operations of a framework of this pool take and give, as JSON Schema; all its
// frameworks for an empty name. Known once the pool's first worker is ready.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NOT_FOUND, UTF8, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_pool_schema(spb_pool pool, spb_str framework, spb_value **out, spb_error **err);

// Reports the pool's counts, and one row per worker.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_pool_stats(spb_pool pool, spb_value **out, spb_error **err);

// Changes the number of workers: `workers_min` whatever the load, and up to `workers_max` (0: the
// same, a fixed size) under load. More start at once; fewer leave when their calls have ended. A
// drained pool takes calls again.
//
// Ownership: none.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, INVALID_ARGUMENT, CLOSED, FORKED.
// Since: 0.1
spb_status spb_pool_resize(spb_pool pool,
                           uint32_t workers_min,
                           uint32_t workers_max,
                           spb_error **err);

// Empties the pool: an operation that ends when no worker is left. From now on calls are refused,
// and those that wait for a worker; those that run may end within `grace_ms` (0: as configured,
// SPB_NO_TIMEOUT: all the time they need), then their workers are ended. Cancelling the operation
// does not stop the draining; spb_pool_resize does.
//
// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED. The
// operation's own: CANCELLED, CLOSED.
// Since: 0.1
spb_status spb_pool_drain(spb_pool pool,
                          int64_t grace_ms,
                          const spb_sink *sink,
                          spb_operation *out,
                          spb_error **err);

// Frees the handle; 0 and stale handles are allowed. The pool goes on.
//
// Ownership: takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_pool_free(spb_pool pool);

/* ---- Session --------------------------------------------------------------------------------- */

// As the session says, and for a session as configured.
#define SPB_AFFINITY_DEFAULT 0
// Any worker serves any call.
#define SPB_AFFINITY_NONE 1
// The session's calls go to one worker of a pool, its home there, if that has room; else anywhere.
#define SPB_AFFINITY_HINT 2
// They go to their home and nowhere else, and wait for it. Once that worker is gone, one call ends
// with SESSION_WORKER_UNAVAILABLE, and the next has a new home.
#define SPB_AFFINITY_STRICT_QUEUE 3
// The same, but a call that would have to wait for its home ends with BUSY.
#define SPB_AFFINITY_STRICT_FAIL_FAST 4

// How a session is to be. Start from SPB_SESSION_OPTIONS_INIT; zero means default everywhere.
typedef struct spb_session_options {
    size_t struct_size;
    // A name of your own, at most 128 bytes; empty: a random one.
    spb_str id;
    // A JSON object that is kept and shown, at most 8 KiB; empty: none.
    spb_str metadata_json;
    // Closed when unused for so long. 0: as configured, SPB_NO_TIMEOUT: never.
    int64_t ttl_ms;
    // SPB_AFFINITY_*.
    uint32_t affinity;
    // 0.
    uint32_t reserved;
} spb_session_options;

// Opens a session.
//
// Ownership: copies the options; the caller frees `*out` with spb_session_free.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, ALREADY_EXISTS, INVALID_ARGUMENT, UTF8, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED,
// LEASE_LOST, STORE, UNAVAILABLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_session_open(spb_platform platform,
                            const spb_session_options *options,
                            spb_session *out,
                            spb_error **err);

// Finds the session of that name: open on this host, or in the store, opened by another host or
// before a restart; then it is joined, and its time starts again.
//
// Ownership: the caller frees `*out` with spb_session_free.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, INVALID_ARGUMENT, UTF8, RESOURCE_EXHAUSTED, CLOSED, LEASE_LOST,
// STORE, UNAVAILABLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_session_join(spb_platform platform, spb_str id, spb_session *out, spb_error **err);

// Lists the sessions of the store in the order of their ids, at most `limit` (0: 10000) from the
// one behind `after_id` (empty: the first): an array of {"id", "metadata", "affinity", "ttl_ms",
// "open"}, with "age_ms", "idle_ms" and "expires_in_ms" of those that are open on this host. The
// times to live are null for a session that never expires.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, INVALID_ARGUMENT, UTF8, CLOSED, LEASE_LOST, STORE, UNAVAILABLE, NULL_ARGUMENT,
// FORKED.
// Since: 0.1
spb_status spb_session_list(spb_platform platform,
                            spb_str after_id,
                            size_t limit,
                            spb_value **out,
                            spb_error **err);

// Reports id, metadata, ages, and what the session holds: {"id", "metadata", "affinity", "age_ms",
// "idle_ms", "ttl_ms", "expires_in_ms", "closed", "operations_running", "store", "variables",
// "bytes", "revision"}. "ttl_ms" and "expires_in_ms" are null for a session that never expires.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, CLOSED, LEASE_LOST, STORE, UNAVAILABLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_session_info(spb_session session, spb_value **out, spb_error **err);

// Counts as a use of the session: its time to live starts again.
//
// Ownership: none.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, CLOSED, LEASE_LOST, FORKED.
// Since: 0.1
spb_status spb_session_touch(spb_session session, spb_error **err);

// Starts closing a session, for every host of the store: its operations are cancelled, its tools
// and variables go.
//
// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
// Since: 0.1
spb_status spb_session_close(spb_session session,
                             const spb_sink *sink,
                             spb_operation *out,
                             spb_error **err);

// Frees the handle; 0 and stale handles are allowed. The session lives until it is closed or its
// time is up.
//
// Ownership: takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_session_free(spb_session session);

// Opens a session that holds what this one does, at one moment: all variables with their history,
// without their locks. What the options leave open is as it is here, but the id, which is random.
//
// Ownership: copies the options; the caller frees `*out` with spb_session_free.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: those of spb_session_open.
// Since: 0.1
spb_status spb_session_clone(spb_session session,
                             const spb_session_options *options,
                             spb_session *out,
                             spb_error **err);

// Writes the session, as spb_session_clone would copy it, to a file that only its owner may read:
// a zip file without compression. A file that is there is replaced, at one moment and only by a
// whole one. The name is UTF-8.
//
// Ownership: none.
// Threads: blocking; WOULD_DEADLOCK in a callback.
// Errors: HANDLE, CLOSED, LEASE_LOST, STORE, UTF8, INVALID_ARGUMENT, UNAVAILABLE and
// RESOURCE_EXHAUSTED as the file system says, WOULD_DEADLOCK, FORKED.
// Since: 0.1
spb_status spb_session_export(spb_session session, spb_str path, spb_error **err);

// Opens a session with what a file of spb_session_export holds, from whichever store. What the
// options leave open is as the file says, the id, too. The file may come from anybody: it is read
// within the configured limits, and all of it is checked before the session is opened.
//
// Ownership: copies the options; the caller frees `*out` with spb_session_free.
// Threads: blocking; WOULD_DEADLOCK in a callback.
// Errors: those of spb_session_open; INVALID_ARGUMENT, TYPE_MISMATCH and CONSTRAINT for what the
// file holds, UNAVAILABLE when it cannot be read, WOULD_DEADLOCK.
// Since: 0.1
spb_status spb_session_import(spb_platform platform,
                              spb_str path,
                              const spb_session_options *options,
                              spb_session *out,
                              spb_error **err);

// As spb_session_export, as a value: the document of the archive with the attachments of all
// variables.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, CLOSED, LEASE_LOST, STORE, UNAVAILABLE, RESOURCE_EXHAUSTED when it is larger
// than a value may be, INVALID_ARGUMENT when it is nested deeper than a document may be,
// NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_session_export_value(spb_session session, spb_value **out, spb_error **err);

// As spb_session_import, from a value of spb_session_export_value.
//
// Ownership: shares `archive`, which stays the caller's; copies the options; the caller frees
// `*out` with spb_session_free.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: those of spb_session_open; INVALID_ARGUMENT, TYPE_MISMATCH and CONSTRAINT for what the
// value holds.
// Since: 0.1
spb_status spb_session_import_value(spb_platform platform,
                                    const spb_value *archive,
                                    const spb_session_options *options,
                                    spb_session *out,
                                    spb_error **err);

/* ---- Operation ------------------------------------------------------------------------------- */

// Send chunks as they come, before the result.
#define SPB_EXECUTE_STREAM 1

// What to execute. Start from SPB_EXECUTE_OPTIONS_INIT; zero means default everywhere but in the
// two names.
typedef struct spb_execute_options {
    size_t struct_size;
    // Such as "python" or "dspy".
    spb_str framework;
    // Such as "predict"; see spb_platform_schema.
    spb_str operation;
    // A value that is an object; NULL: {}.
    const spb_value *parameters;
    // Empty: "default".
    spb_str pool;
    // From now to the end, waiting for a worker included. 0: as configured, SPB_NO_TIMEOUT: none.
    int64_t timeout_ms;
    // SPB_EXECUTE_*.
    uint32_t flags;
    // Chunks that Python may send ahead of you. 0: as configured.
    uint32_t stream_window;
    // The tool call that this is made for, or 0. It bounds the deadline and the nesting depth.
    spb_invocation parent;
    // W3C trace context of the caller; empty: the parent's, or a new one.
    spb_str traceparent;
    // SPB_AFFINITY_*, for this call. 0: as the session says.
    uint32_t affinity;
    // 0.
    uint32_t reserved;
} spb_execute_options;

// Submits one framework operation in a session. Everything wrong with the request is an error of
// this call; SPB_OK means that exactly one end follows. The calling thread may send the call to
// its worker: it needs a stack of 256 KiB, and pthread_cancel ends it after this has returned. The
// same holds where a tool is called, and where a call of a tool is answered.
//
// Ownership: copies or shares everything in `options`; the caller frees `*out` with
// spb_operation_free; the sink's data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, CLOSED, NOT_FOUND, INVALID_ARGUMENT, TYPE_MISMATCH, CONSTRAINT, UTF8,
// UNSUPPORTED, RESOURCE_EXHAUSTED, NULL_ARGUMENT, FORKED. The operation's own: PYTHON_EXCEPTION,
// DEADLINE, CANCELLED, WORKER_LOST, WORKER_HUNG, SESSION_WORKER_UNAVAILABLE, BUSY, UNAVAILABLE,
// TOOL_FAILED, PROTOCOL.
// Since: 0.1
spb_status spb_execute(spb_session session,
                       const spb_execute_options *options,
                       const spb_sink *sink,
                       spb_operation *out,
                       spb_error **err);

// Waiting for a worker, or for its turn.
#define SPB_OPERATION_QUEUED 1
// Under way.
#define SPB_OPERATION_RUNNING 2
// It has ended.
#define SPB_OPERATION_DONE 3

// Waits until the operation has ended, however it did. `timeout_ms`: 0 only looks, SPB_NO_TIMEOUT
// waits for ever. The thread may read from workers meanwhile, as in spb_queue_next_batch.
//
// Ownership: none.
// Threads: blocking unless `timeout_ms` is 0; then also callback-safe.
// Errors: AGAIN when it has not ended in time, HANDLE, INVALID_ARGUMENT, WOULD_DEADLOCK, FORKED.
// Since: 0.1
spb_status spb_operation_wait(spb_operation operation, int64_t timeout_ms, spb_error **err);

// Says where an operation is: SPB_OPERATION_*.
//
// Ownership: none.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_operation_state(spb_operation operation, uint32_t *out, spb_error **err);

// Takes the next chunk of a streaming operation that was submitted without a sink, waiting for it
// at most `timeout_ms`. Taking chunks is what lets Python send more. The thread may read from
// workers meanwhile, as in spb_queue_next_batch.
//
// Ownership: the caller frees `*out`.
// Threads: blocking unless `timeout_ms` is 0; then also callback-safe.
// Errors: AGAIN when none came in time, CLOSED when there are no more, STATE when chunks go to a
// sink, HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, WOULD_DEADLOCK, FORKED.
// Since: 0.1
spb_status spb_operation_next_chunk(spb_operation operation,
                                    int64_t timeout_ms,
                                    spb_value **out,
                                    spb_error **err);

// Takes the end of an operation that was submitted without a sink: its value, or its own status
// and error.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: the operation's own; AGAIN while it runs, ALREADY_COMPLETED when the end was taken
// before or went to a sink, HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_operation_take_result(spb_operation operation, spb_value **out, spb_error **err);

// Asks an operation to end with CANCELLED, at any moment and any number of times. Its end comes as
// always; it is the real result if that was first.
//
// Ownership: none.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, FORKED.
// Since: 0.1
spb_status spb_operation_cancel(spb_operation operation, spb_error **err);

// Frees the handle; 0 and stale handles are allowed. The operation goes on and its sink hears of
// its end.
//
// Ownership: takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_operation_free(spb_operation operation);

/* ---- Tool ------------------------------------------------------------------------------------ */

// It may be called again where nobody knows whether an earlier call was carried out. An idempotent
// operation that lost its worker is sent to another one only if all host tools that it called say
// so.
#define SPB_TOOL_IDEMPOTENT 1

// A tool as Python sees it. Start from SPB_TOOL_OPTIONS_INIT; zero means default everywhere but in
// the name.
typedef struct spb_tool_options {
    size_t struct_size;
    // Letters, digits, '_', '-' and '.', at most 64 bytes.
    spb_str name;
    // For the agents and people that choose tools.
    spb_str description;
    // JSON Schema of the arguments, which are checked against it; empty: anything.
    spb_str input_schema_json;
    // JSON Schema of the result, which is checked against it; empty: anything.
    spb_str output_schema_json;
    // Calls that you have not answered yet; more fail with RESOURCE_EXHAUSTED. 0: as configured.
    uint32_t max_in_flight;
    // SPB_TOOL_*.
    uint32_t flags;
    // For each call. 0 and SPB_NO_TIMEOUT: as long as the caller has.
    int64_t timeout_ms;
    // JSON Schema of each chunk, which is checked against it; empty: anything.
    spb_str chunk_schema_json;
} spb_tool_options;

// Registers a tool, for the calls of one session or, with a `session` of 0, for those of all. Its
// calls come to the sink as SPB_EVENT_TOOL_CALL, from now on.
//
// Ownership: copies the options; the caller frees `*out` with spb_tool_free; the sink's data is
// the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, ALREADY_EXISTS, INVALID_ARGUMENT, UTF8, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED,
// NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_tool_register(spb_platform platform,
                             spb_session session,
                             const spb_tool_options *options,
                             const spb_sink *sink,
                             spb_tool *out,
                             spb_error **err);

// Starts taking a tool away: no new calls come, those under way are cancelled. When the operation
// has ended, no callback of the tool runs or will run.
//
// Ownership: the caller frees `*out`; the sink's data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, CLOSED, INVALID_ARGUMENT, NULL_ARGUMENT, RESOURCE_EXHAUSTED, FORKED.
// Since: 0.1
spb_status spb_tool_unregister(spb_tool tool,
                               const spb_sink *sink,
                               spb_operation *out,
                               spb_error **err);

// Lists the tools that calls of a session can use, or those of all calls for a `session` of 0: an
// array of {"name", "description", "side", "pool", "scope", "input_schema", "output_schema",
// "chunk_schema", "streaming", "idempotent", "max_in_flight", "timeout_ms"}. `side` is "host", or
// "python" for a tool that the workers of `pool` announced.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, INVALID_ARGUMENT, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_tool_list(spb_platform platform,
                         spb_session session,
                         spb_value **out,
                         spb_error **err);

// Frees the handle; 0 and stale handles are allowed. The tool stays registered.
//
// Ownership: takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_tool_free(spb_tool tool);

// Send chunks as they come, before the result.
#define SPB_TOOL_CALL_STREAM 1

// Which tool to call. Start from SPB_TOOL_CALL_OPTIONS_INIT; zero means default everywhere but in
// the name.
typedef struct spb_tool_call_options {
    size_t struct_size;
    // See spb_tool_list.
    spb_str name;
    // A value that is an object; NULL: {}.
    const spb_value *arguments;
    // The pool whose tool is meant. Empty: the host's own tool of that name; if it has none, that
    // of "default", then of the other pools in the order of their names.
    spb_str pool;
    // From now to the end. 0: as configured, SPB_NO_TIMEOUT: none. A tool's own time may be less.
    int64_t timeout_ms;
    // SPB_TOOL_CALL_*.
    uint32_t flags;
    // Chunks that Python may send ahead of you. 0: as configured.
    uint32_t stream_window;
    // The tool call that this is made for, or 0. It bounds the deadline and the nesting depth.
    spb_invocation parent;
    // W3C trace context of the caller; empty: the parent's, or a new one.
    spb_str traceparent;
} spb_tool_call_options;

// Calls a tool in a session. Everything wrong with the request is an error of this call; SPB_OK
// means that exactly one end follows, with the tool's result. A host tool's call comes to the sink
// that it was registered with, like one from Python.
//
// Ownership: copies or shares everything in `options`; the caller frees `*out` with
// spb_operation_free; the sink's data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, CLOSED, NOT_FOUND, UNAVAILABLE, INVALID_ARGUMENT, UTF8, UNSUPPORTED,
// RESOURCE_EXHAUSTED, NULL_ARGUMENT, FORKED. The operation's own: TOOL_FAILED and what a host tool
// failed with, PYTHON_EXCEPTION, INVALID_ARGUMENT, DEADLINE, CANCELLED, WORKER_LOST, WORKER_HUNG,
// BUSY, UNAVAILABLE, RESOURCE_EXHAUSTED.
// Since: 0.1
spb_status spb_tool_call(spb_session session,
                         const spb_tool_call_options *options,
                         const spb_sink *sink,
                         spb_operation *out,
                         spb_error **err);

/* ---- Invocation ------------------------------------------------------------------------------ */

// The same call may succeed later.
#define SPB_FAILURE_RETRYABLE 1

// Why a tool failed. Start from SPB_FAILURE_OPTIONS_INIT.
typedef struct spb_failure_options {
    size_t struct_size;
    // SPB_E_*; 0: TOOL_FAILED.
    spb_status status;
    // SPB_FAILURE_*.
    uint32_t flags;
    // What Python raises.
    spb_str message;
    // A JSON object for programs; empty: none.
    spb_str details_json;
    uint64_t reserved;
} spb_failure_options;

// Describes the call: {"tool", "session", "operation", "traceparent", "deadline_remaining_ms",
// "stream", "depth"}.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_invocation_info(spb_invocation invocation, spb_value **out, spb_error **err);

// Hands out the arguments again; the event had them too.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_invocation_args(spb_invocation invocation, spb_value **out, spb_error **err);

// Says whether nobody waits for the answer any more: 1 or 0.
//
// Ownership: none.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_invocation_is_cancelled(spb_invocation invocation, uint8_t *out, spb_error **err);

// Sends a chunk ahead of the answer, to a caller that asked for chunks ("stream" in
// spb_invocation_info).
//
// Ownership: shares `chunk`, which stays the caller's.
// Threads: nonblocking, callback-safe.
// Errors: AGAIN when the caller is 256 chunks behind, STATE when it wants none, INVALID_ARGUMENT
// for one that breaks the tool's chunk schema, CANCELLED, ALREADY_COMPLETED, HANDLE,
// NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_invocation_emit(spb_invocation invocation, const spb_value *chunk, spb_error **err);

// Answers with a result. After this, or after a refusal because it is too late, the handle is
// gone; a result that breaks the tool's output schema is refused and may be corrected.
//
// Ownership: shares `result`, which stays the caller's; takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: CANCELLED when nobody waits any more, ALREADY_COMPLETED or HANDLE when it was answered
// before, INVALID_ARGUMENT, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_invocation_complete(spb_invocation invocation,
                                   const spb_value *result,
                                   spb_error **err);

// Answers with a failure, which Python gets as an exception.
//
// Ownership: copies the options; takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: CANCELLED when nobody waits any more, ALREADY_COMPLETED or HANDLE when it was answered
// before, INVALID_ARGUMENT, UTF8, UNSUPPORTED, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_invocation_fail(spb_invocation invocation,
                               const spb_failure_options *options,
                               spb_error **err);

// Frees the handle; 0 and stale handles are allowed. Without an answer before, Python's side fails
// at once.
//
// Ownership: takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_invocation_free(spb_invocation invocation);

/* ---- Variables ------------------------------------------------------------------------------- */

// A new variable. Start from SPB_VARIABLE_OPTIONS_INIT.
typedef struct spb_variable_options {
    size_t struct_size;
    spb_str name;
    // "string", "integer", "float", "boolean", "choice", "json", "bytes", "program", "embedding"
    // or "tensor".
    spb_str type;
    // A JSON object such as {"min": 0, "max": 1}; empty: none.
    spb_str constraints_json;
    // A JSON object that is kept and shown; empty: none.
    spb_str metadata_json;
} spb_variable_options;

// Registers a variable with its first value, as version 1.
//
// Ownership: copies the options; shares `initial`, which stays the caller's.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, ALREADY_EXISTS, TYPE_MISMATCH, CONSTRAINT, INVALID_ARGUMENT, UTF8, UNSUPPORTED,
// RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED. `out_version` may be NULL.
// Since: 0.1
spb_status spb_variable_register(spb_session session,
                                 const spb_variable_options *options,
                                 const spb_value *initial,
                                 uint64_t *out_version,
                                 spb_error **err);

// Reads a variable and the version that this value is.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, UTF8, CLOSED, STORE, NULL_ARGUMENT, FORKED. `out_version` may be
// NULL.
// Since: 0.1
spb_status spb_variable_get(spb_session session,
                            spb_str name,
                            spb_value **out,
                            uint64_t *out_version,
                            spb_error **err);

// Writes a variable, if it still has `expected_version` (0: whatever it has).
//
// Ownership: shares `value`, which stays the caller's.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT, BUSY, UTF8, CLOSED,
// STORE, NULL_ARGUMENT, FORKED. `out_version` may be NULL.
// Since: 0.1
spb_status spb_variable_set(spb_session session,
                            spb_str name,
                            const spb_value *value,
                            uint64_t expected_version,
                            uint64_t *out_version,
                            spb_error **err);

// Lists the variables whose names match `pattern` ('*' stands for any text; empty: all): an array
// of {"name", "type", "id", "version", "value", "constraints", "metadata"}, with "lock": {"owner",
// "expires_in_ms"} where there is one. What the values refer to is attached to the whole.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, UTF8, CLOSED, STORE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_variable_list(spb_session session,
                             spb_str pattern,
                             spb_value **out,
                             spb_error **err);

// Deletes a variable, if it still has `expected_version` (0: whatever it has).
//
// Ownership: none.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, BUSY, UTF8, CLOSED, STORE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_variable_delete(spb_session session,
                               spb_str name,
                               uint64_t expected_version,
                               spb_error **err);

// On what condition a variable is written. Start from SPB_WRITE_OPTIONS_INIT; NULL and zero mean
// no condition.
typedef struct spb_write_options {
    size_t struct_size;
    // Only over exactly this version. 0: whatever is there.
    uint64_t expected_version;
    // Who writes: the owner of a lock gets past it. Empty: nobody in particular.
    spb_str owner;
} spb_write_options;

// Writes a variable on a condition.
//
// Ownership: shares `value`, which stays the caller's; copies the options.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT, BUSY, UTF8,
// INVALID_ARGUMENT, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED. NULL
// `out_version` is allowed.
// Since: 0.1
spb_status spb_variable_set_with(spb_session session,
                                 spb_str name,
                                 const spb_value *value,
                                 const spb_write_options *options,
                                 uint64_t *out_version,
                                 spb_error **err);

// Reads, reckons and writes in one step that no other writer comes into: `update` is a document
// such as {"add": 1}, {"append": [4]} or {"merge": {"a": null}}; docs/state.md has them all.
//
// Ownership: the caller frees `*out`, the value as it is then. Copies the options.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT, BUSY, UTF8,
// INVALID_ARGUMENT, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED. NULL
// `out` and `out_version` are allowed.
// Since: 0.1
spb_status spb_variable_update(spb_session session,
                               spb_str name,
                               const spb_value *update,
                               const spb_write_options *options,
                               spb_value **out,
                               uint64_t *out_version,
                               spb_error **err);

// Writes the value that version `version` had, as a new version.
//
// Ownership: copies the options.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND (details.versions are those that are kept), VERSION_CONFLICT, BUSY,
// UTF8, INVALID_ARGUMENT, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT, FORKED.
// NULL `out_version` is allowed.
// Since: 0.1
spb_status spb_variable_rollback(spb_session session,
                                 spb_str name,
                                 uint64_t version,
                                 const spb_write_options *options,
                                 uint64_t *out_version,
                                 spb_error **err);

// Reads the earlier values that are kept and the current one, oldest first: an array of
// {"version", "value"}.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, UTF8, INVALID_ARGUMENT, CLOSED, STORE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_variable_history(spb_session session,
                                spb_str name,
                                spb_value **out,
                                spb_error **err);

// Keeps everybody but `owner` (1 to 128 bytes) from writing a variable for `ttl_ms`; everybody may
// read. The same owner's time starts again.
//
// Ownership: copies the name.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, BUSY (details.owner has it), UTF8, INVALID_ARGUMENT, CLOSED, STORE,
// NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_variable_lock(spb_session session,
                             spb_str name,
                             spb_str owner,
                             uint64_t ttl_ms,
                             spb_error **err);

// Gives a locked variable back; one that nobody has is left as it is.
//
// Ownership: none.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, BUSY (details.owner has it), UTF8, INVALID_ARGUMENT, CLOSED, STORE,
// NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_variable_unlock(spb_session session, spb_str name, spb_str owner, spb_error **err);

// Deletes a variable on a condition.
//
// Ownership: copies the options.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, NOT_FOUND, VERSION_CONFLICT, BUSY, UTF8, INVALID_ARGUMENT, UNSUPPORTED, CLOSED,
// STORE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_variable_delete_with(spb_session session,
                                    spb_str name,
                                    const spb_write_options *options,
                                    spb_error **err);

// One write of several.
typedef struct spb_variable_write {
    spb_str name;
    // Stays yours.
    const spb_value *value;
    // Only over exactly this version. 0: whatever is there.
    uint64_t expected_version;
    // 0.
    uint64_t reserved;
} spb_variable_write;

// Reads `count` variables (1000 at most) as they are at one moment: {"found": [{"name", "type",
// "id", "version", "value", "constraints", "metadata", and "lock" where there is one}],
// "missing": [names]}.
//
// Ownership: reads `names` during the call; the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, UTF8, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT,
// FORKED.
// Since: 0.1
spb_status spb_variable_get_many(spb_session session,
                                 const spb_str *names,
                                 size_t count,
                                 spb_value **out,
                                 spb_error **err);

// Writes `count` variables (1000 at most), all or none; no name stands twice. `owner` gets past
// its own locks; it may be empty. The result is an array of {"name", "id", "version"} in the order
// of the writes.
//
// Ownership: reads `writes` during the call and shares their values; the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: those of the first faulty write: NOT_FOUND, VERSION_CONFLICT, TYPE_MISMATCH, CONSTRAINT,
// BUSY; and HANDLE, UTF8, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, CLOSED, STORE, NULL_ARGUMENT,
// FORKED. NULL `out` is allowed.
// Since: 0.1
spb_status spb_variable_set_many(spb_session session,
                                 const spb_variable_write *writes,
                                 size_t count,
                                 spb_str owner,
                                 spb_value **out,
                                 spb_error **err);

// Lists the variables whose names match `pattern`, as spb_variable_list does, in pages: at most
// `limit` of them (0: 10000, which is the most), from the one behind the name `after`. A page that
// is not full is the last.
//
// Ownership: the caller frees `*out`.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, UTF8, INVALID_ARGUMENT, CLOSED, STORE, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_variable_list_page(spb_session session,
                                  spb_str pattern,
                                  spb_str after,
                                  size_t limit,
                                  spb_value **out,
                                  spb_error **err);

/* ---- Watch ----------------------------------------------------------------------------------- */

// First every variable there is, then the changes.
#define SPB_WATCH_INITIAL 1
// Of several changes of one variable that wait, only the newest comes.
#define SPB_WATCH_COALESCE 2

// How changes are told. Start from SPB_WATCH_OPTIONS_INIT; NULL and zero mean default.
typedef struct spb_watch_options {
    size_t struct_size;
    // SPB_WATCH_*, added up.
    uint32_t flags;
    // 0.
    uint32_t reserved;
    // Changes that may wait, at most 65536; those on top are counted in SPB_EVENT_WATCH_MISSED. 0:
    // 1024.
    uint64_t queue_max;
} spb_watch_options;

// Watches the variables of a session whose names match one of `patterns` ('*' stands for any text,
// '?' for one character; several are separated by commas; empty: all). Changes come as
// SPB_EVENT_VARIABLE in the order in which they happen, and SPB_EVENT_WATCH_END is the last event:
// when the watch is stopped or freed, and when session or platform are closed.
//
// Ownership: copies the options; the caller frees `*out` with spb_watch_free; the sink's data is
// the library's from now on.
// Threads: nonblocking with the memory store, callback-safe.
// Errors: HANDLE, INVALID_ARGUMENT, UTF8, UNSUPPORTED, RESOURCE_EXHAUSTED, CLOSED, STORE,
// NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_watch_start(spb_session session,
                           spb_str patterns,
                           const spb_watch_options *options,
                           const spb_sink *sink,
                           spb_watch *out,
                           spb_error **err);

// Ends a subscription. Events that wait still come, and of a watch of variables the end behind
// them. Stopping twice does no harm.
//
// Ownership: the handle stays the caller's, to be freed.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, FORKED.
// Since: 0.1
spb_status spb_watch_stop(spb_watch watch, spb_error **err);

// Ends a subscription and frees the handle; 0 and stale handles are allowed. Events that wait
// still come, and of a watch of variables the end behind them.
//
// Ownership: takes the handle.
// Threads: nonblocking, callback-safe.
// Errors: none.
// Since: 0.1
void spb_watch_free(spb_watch watch);

/* ---- Log ------------------------------------------------------------------------------------- */

// Which records. Start from SPB_LOG_OPTIONS_INIT; zero means default everywhere.
typedef struct spb_log_options {
    size_t struct_size;
    // The lowest level, as Python's logging counts: 10 debug, 20 info, 30 warning, 40 error. 0:
    // the configuration's logs.level.
    int32_t level;
    uint32_t reserved;
    // Only targets that begin so; empty: all.
    spb_str target_prefix;
} spb_log_options;

// Subscribes to log records, which come as SPB_EVENT_LOG. Of those that are not taken in time as
// many wait as logs.queue_max of the configuration says, 1024 unless it does; the rest is dropped
// and counted in SPB_EVENT_OVERFLOW. NULL `options` mean all defaults.
//
// Ownership: copies the options; the caller ends the subscription with spb_watch_free; the sink's
// data is the library's from now on.
// Threads: nonblocking, callback-safe.
// Errors: HANDLE, INVALID_ARGUMENT, UTF8, UNSUPPORTED, CLOSED, NULL_ARGUMENT, FORKED.
// Since: 0.1
spb_status spb_log_subscribe(spb_platform platform,
                             const spb_log_options *options,
                             const spb_sink *sink,
                             spb_watch *out,
                             spb_error **err);

/* ---- Macros and inline helpers --------------------------------------------------------------- */

/* A view of a string literal. */
#ifdef __cplusplus
#define SPB_STR(literal) (spb_str_n("" literal, sizeof(literal) - 1))
#else
#define SPB_STR(literal) ((spb_str){"" literal, sizeof(literal) - 1})
#endif

/* Zeroed structs that know their size. */
#ifdef __cplusplus
#define SPB_SINK_INIT (spb_sized<spb_sink>())
#define SPB_SESSION_OPTIONS_INIT (spb_sized<spb_session_options>())
#define SPB_EXECUTE_OPTIONS_INIT (spb_sized<spb_execute_options>())
#define SPB_TOOL_OPTIONS_INIT (spb_sized<spb_tool_options>())
#define SPB_TOOL_CALL_OPTIONS_INIT (spb_sized<spb_tool_call_options>())
#define SPB_FAILURE_OPTIONS_INIT (spb_sized<spb_failure_options>())
#define SPB_VARIABLE_OPTIONS_INIT (spb_sized<spb_variable_options>())
#define SPB_LOG_OPTIONS_INIT (spb_sized<spb_log_options>())
#define SPB_WRITE_OPTIONS_INIT (spb_sized<spb_write_options>())
#define SPB_WATCH_OPTIONS_INIT (spb_sized<spb_watch_options>())
#define SPB_TENSOR_VIEW_INIT (spb_sized<spb_tensor_view>())
#else
#define SPB_SINK_INIT ((spb_sink){.struct_size = sizeof(spb_sink)})
#define SPB_SESSION_OPTIONS_INIT ((spb_session_options){.struct_size = sizeof(spb_session_options)})
#define SPB_EXECUTE_OPTIONS_INIT ((spb_execute_options){.struct_size = sizeof(spb_execute_options)})
#define SPB_TOOL_OPTIONS_INIT ((spb_tool_options){.struct_size = sizeof(spb_tool_options)})
#define SPB_TOOL_CALL_OPTIONS_INIT \
    ((spb_tool_call_options){.struct_size = sizeof(spb_tool_call_options)})
#define SPB_FAILURE_OPTIONS_INIT ((spb_failure_options){.struct_size = sizeof(spb_failure_options)})
#define SPB_VARIABLE_OPTIONS_INIT \
    ((spb_variable_options){.struct_size = sizeof(spb_variable_options)})
#define SPB_LOG_OPTIONS_INIT ((spb_log_options){.struct_size = sizeof(spb_log_options)})
#define SPB_WRITE_OPTIONS_INIT ((spb_write_options){.struct_size = sizeof(spb_write_options)})
#define SPB_WATCH_OPTIONS_INIT ((spb_watch_options){.struct_size = sizeof(spb_watch_options)})
#define SPB_TENSOR_VIEW_INIT ((spb_tensor_view){.struct_size = sizeof(spb_tensor_view)})
#endif

/* A view of `len` bytes of text. */
static inline spb_str spb_str_n(const char *text, size_t len) {
    spb_str view;
    view.ptr = text;
    view.len = len;
    return view;
}

/* A view of NUL-terminated text; NULL is empty text. */
static inline spb_str spb_str_z(const char *text) {
    return spb_str_n(text, text == NULL ? 0 : strlen(text));
}

/* Whether the loaded library understands programs built with this header: call it first. */
static inline bool spb_abi_check(void) {
    uint32_t version = spb_abi_version();
    return version >> 16 == SPB_ABI_MAJOR && (version & 0xffffu) >= SPB_ABI_MINOR;
}

/* A sink that sends events to a completion queue; each comes back with `tag`. */
static inline spb_sink spb_sink_queue(spb_queue queue, uint64_t tag) {
    spb_sink sink;
    memset(&sink, 0, sizeof sink);
    sink.struct_size = sizeof sink;
    sink.kind = SPB_SINK_QUEUE;
    sink.queue = queue;
    sink.tag = tag;
    return sink;
}

/* A sink that calls `callback` on a thread of the library, and `destroy` (or NULL) at the end. */
static inline spb_sink spb_sink_callback(spb_event_callback callback, void *user_data,
                                         spb_destroy_callback destroy) {
    spb_sink sink;
    memset(&sink, 0, sizeof sink);
    sink.struct_size = sizeof sink;
    sink.kind = SPB_SINK_CALLBACK;
    sink.callback = callback;
    sink.user_data = user_data;
    sink.destroy = destroy;
    return sink;
}

#ifdef __cplusplus
}

template <typename T>
inline T spb_sized() {
    T options = T();
    options.struct_size = sizeof(T);
    return options;
}
#endif

#endif /* SNAKEPIT_BRIDGE_H */
