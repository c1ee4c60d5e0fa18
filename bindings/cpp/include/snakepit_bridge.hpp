/*
 * snakepit_bridge.hpp: the C ABI of snakepit_bridge.h as C++17, in one header.
 *
 *     namespace spb = snakepit_bridge::throwing;
 *
 *     auto platform = spb::Platform::open(
 *         R"({"pools": {"default": {"frameworks": {"dspy": {}}}}})");
 *     auto session = platform.open_session();
 *     auto answer = session.execute(
 *         spb::Call("dspy", "predict").parameters(R"({"signature": "question -> answer", ...})"));
 *     std::cout << answer.result().json();
 *
 * Two modes, one set of classes. In `snakepit_bridge` every function that can fail gives a
 * `Result<T>` and nothing of it throws; in `snakepit_bridge::throwing` the same functions give a
 * `T` and throw `Exception`. `-fno-exceptions` leaves the first. An object of one mode becomes one
 * of the other with `std::move(x).as<Mode>()`, where the mode is `Returning` or `Throwing`. Only
 * memory that cannot be had is `std::bad_alloc` in both.
 *
 * Ownership: every handle is an object that can be moved, not copied, and frees its handle at its
 * end. As in C, that cancels and closes nothing: `Operation::cancel`, `Session::close` and
 * `Platform::close` do. `Value` and `Error` are cheap to copy and immutable.
 * Threads: const functions of one object may be called from any number of threads at once; what
 * moves or ends it must be alone. Functions of yours that the library calls (tools, watches, logs,
 * the resumption of a coroutine) run on its callback threads, where what waits is refused with
 * `Status::would_deadlock`: give an `Executor` to run them on threads of your own.
 * Times: a `Timeout` is `configured()` unless given; a `Wait` without a time lasts for ever.
 *
 * Contents, each on what stands above it:
 *
 *     Statuses, errors, results     Status, Error, Exception, Result
 *     The two modes                 Returning, Throwing
 *     Times and executors           Timeout, Wait, Executor, unhandled_exception_handler
 *     Values                        Span, Tensor, Float16, BFloat16, Value, Codec
 *     Operations                    Target, Progress, Operation, Chunks, Pending
 *     Tools                         Invocation, ToolSpec, Tool
 *     Queues                        Event, Queue
 *     Calls                         Call, ToolCall, Awaitable
 *     Sessions                      SessionSpec, Write, Versioned, WatchSpec, Change, Watch,
 *                                   VariableLock, Session
 *     Pools and the platform        Pool, LogRecord, Platform, version, config_schema
 *     Names                         the classes of either mode without their "Basic"
 */

#ifndef SNAKEPIT_BRIDGE_HPP
#define SNAKEPIT_BRIDGE_HPP

#include <snakepit_bridge.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if defined(__cpp_impl_coroutine) && __has_include(<coroutine>)
#include <coroutine>
#include <stop_token>
#define SPB_CPP_COROUTINES 1
#endif

#if defined(__cpp_exceptions)
#define SPB_CPP_EXCEPTIONS 1
#define SPB_CPP_TRY try
#define SPB_CPP_CATCH(handler) \
    catch (...) {              \
        handler;               \
    }
#else
#define SPB_CPP_TRY
#define SPB_CPP_CATCH(handler)
#endif

namespace snakepit_bridge {

/* ---- Statuses, errors, results --------------------------------------------------------------- */

/// How a call ended. The numbers are those of the C ABI, where each is described; a library that is
/// newer than this header may have more.
enum class Status : spb_status {
    ok = SPB_OK,
    again = SPB_E_AGAIN,
    invalid_argument = SPB_E_INVALID_ARGUMENT,
    null_argument = SPB_E_NULL_ARGUMENT,
    handle = SPB_E_HANDLE,
    utf8 = SPB_E_UTF8,
    state = SPB_E_STATE,
    busy = SPB_E_BUSY,
    closed = SPB_E_CLOSED,
    cancelled = SPB_E_CANCELLED,
    deadline = SPB_E_DEADLINE,
    not_found = SPB_E_NOT_FOUND,
    already_exists = SPB_E_ALREADY_EXISTS,
    already_completed = SPB_E_ALREADY_COMPLETED,
    version_conflict = SPB_E_VERSION_CONFLICT,
    type_mismatch = SPB_E_TYPE_MISMATCH,
    constraint = SPB_E_CONSTRAINT,
    resource_exhausted = SPB_E_RESOURCE_EXHAUSTED,
    unavailable = SPB_E_UNAVAILABLE,
    worker_lost = SPB_E_WORKER_LOST,
    python_exception = SPB_E_PYTHON_EXCEPTION,
    tool_failed = SPB_E_TOOL_FAILED,
    protocol = SPB_E_PROTOCOL,
    unsupported = SPB_E_UNSUPPORTED,
    abi_mismatch = SPB_E_ABI_MISMATCH,
    forked = SPB_E_FORKED,
    would_deadlock = SPB_E_WOULD_DEADLOCK,
    panic = SPB_E_PANIC,
    internal = SPB_E_INTERNAL,
    worker_hung = SPB_E_WORKER_HUNG,
    session_worker_unavailable = SPB_E_SESSION_WORKER_UNAVAILABLE,
    store = SPB_E_STORE,
    lease_lost = SPB_E_LEASE_LOST,
};

/// The name of a status without a prefix, such as "NOT_FOUND".
inline std::string_view name(Status status) noexcept {
    return spb_status_name(static_cast<spb_status>(status));
}

namespace detail {

inline spb_str view(std::string_view text) noexcept {
    return spb_str_n(text.data(), text.size());
}

inline std::string_view view(spb_str text) noexcept {
    return text.len == 0 ? std::string_view() : std::string_view(text.ptr, text.len);
}

}  // namespace detail

/// A failure with its circumstances. Views live as long as any copy of it.
class Error {
  public:
    /// Takes over `error`, which may be null when only the status is known.
    Error(spb_status status, spb_error* error)
        : status_(static_cast<Status>(status)), error_(error, spb_error_free) {}

    /// One of your own, for a tool to fail with: `details_json` is an object or empty.
    static Error failure(std::string message, Status status = Status::tool_failed,
                         std::string details_json = {}, bool retryable = false) {
        Error made(static_cast<spb_status>(status), nullptr);
        made.own_ = std::make_shared<const Own>(
            Own{std::move(message), std::move(details_json), retryable});
        return made;
    }

    /// How it ended; never `ok`.
    Status status() const noexcept { return status_; }
    /// What went wrong, as a lower-case fragment that names the thing.
    std::string_view message() const noexcept {
        return own_ ? std::string_view(own_->message)
                    : detail::view(spb_error_message(error_.get()));
    }
    /// The qualified type of the Python exception behind it; empty if none.
    std::string_view python_type() const noexcept {
        return detail::view(spb_error_python_type(error_.get()));
    }
    /// The formatted Python traceback; empty if none.
    std::string_view python_traceback() const noexcept {
        return detail::view(spb_error_python_traceback(error_.get()));
    }
    /// The circumstances for programs, a JSON object.
    std::string_view details_json() const noexcept {
        const std::string_view details = own_ ? std::string_view(own_->details)
                                              : detail::view(spb_error_details_json(error_.get()));
        return details.empty() ? std::string_view("{}") : details;
    }
    /// Whether the same call may succeed later without a change.
    bool retryable() const noexcept {
        return own_ ? own_->retryable : spb_error_retryable(error_.get()) != 0;
    }
    /// "NOT_FOUND: no variable "x"".
    std::string to_string() const {
        std::string text(name(status_));
        if (!message().empty()) text.append(": ").append(message());
        return text;
    }

  private:
    struct Own {
        std::string message;
        std::string details;
        bool retryable;
    };

    Status status_;
    std::shared_ptr<spb_error> error_;
    std::shared_ptr<const Own> own_;
};

#if defined(SPB_CPP_EXCEPTIONS)
/// What the functions of `snakepit_bridge::throwing` throw.
class Exception : public std::exception {
  public:
    /// An exception that carries `error`; throw one from a tool to fail with that error.
    explicit Exception(Error error) : error_(std::move(error)), what_(error_.to_string()) {}
    /// The error's `to_string`.
    const char* what() const noexcept override { return what_.c_str(); }
    /// What it carries.
    const Error& error() const noexcept { return error_; }
    /// The error's status.
    Status status() const noexcept { return error_.status(); }

  private:
    Error error_;
    std::string what_;
};
#endif

/// A `T` or the `Error` in its place. Asking for what is not there is a defect of the caller and
/// ends the program.
template <typename T>
class [[nodiscard]] Result {
  public:
    using value_type = T;

    /// A success.
    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    /// A failure.
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

    /// Whether it is a success.
    bool ok() const noexcept { return content_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }
    /// `Status::ok`, or the error's.
    Status status() const noexcept {
        return ok() ? Status::ok : std::get_if<1>(&content_)->status();
    }

    /// The value, which has to be there.
    T& value() & noexcept { return *check(std::get_if<0>(&content_)); }
    /// The value, which has to be there.
    const T& value() const& noexcept { return *check(std::get_if<0>(&content_)); }
    /// The value, which has to be there, to be moved from.
    T&& value() && noexcept { return std::move(*check(std::get_if<0>(&content_))); }
    /// The error, which has to be there.
    const Error& error() const& noexcept { return *check(std::get_if<1>(&content_)); }
    /// The error, which has to be there, to be moved from.
    Error&& error() && noexcept { return std::move(*check(std::get_if<1>(&content_))); }
    T& operator*() & noexcept { return value(); }
    const T& operator*() const& noexcept { return value(); }
    T&& operator*() && noexcept { return std::move(*this).value(); }
    T* operator->() noexcept { return &value(); }
    const T* operator->() const noexcept { return &value(); }

    /// The value, or `other`.
    T value_or(T other) && { return ok() ? std::move(*this).value() : std::move(other); }

    /// `next(value)`, which gives a `Result` too, or this error.
    template <typename F>
    auto and_then(F&& next) && -> std::invoke_result_t<F, T> {
        if (!ok()) return std::move(*this).error();
        return std::forward<F>(next)(std::move(*this).value());
    }

#if defined(SPB_CPP_EXCEPTIONS)
    /// The value; throws `Exception` for an error.
    T get() && {
        if (!ok()) throw Exception(std::move(*this).error());
        return std::move(*this).value();
    }
#endif

  private:
    template <typename P>
    static P check(P place) noexcept {
        if (place == nullptr) std::terminate();
        return place;
    }

    std::variant<T, Error> content_;
};

/// Success, or the `Error`.
template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;

    /// A success.
    Result() = default;
    /// A failure.
    Result(Error error) : error_(std::move(error)) {}

    /// Whether it is a success.
    bool ok() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    /// `Status::ok`, or the error's.
    Status status() const noexcept { return ok() ? Status::ok : error_->status(); }
    /// Ends the program unless it is a success.
    void value() const noexcept {
        if (!ok()) std::terminate();
    }
    /// The error, which has to be there.
    const Error& error() const& noexcept {
        if (ok()) std::terminate();
        return *error_;
    }
    /// The error, which has to be there, to be moved from.
    Error&& error() && noexcept {
        if (ok()) std::terminate();
        return std::move(*error_);
    }

#if defined(SPB_CPP_EXCEPTIONS)
    /// Throws `Exception` for an error.
    void get() && {
        if (!ok()) throw Exception(std::move(*error_));
    }
#endif

  private:
    std::optional<Error> error_;
};

/* ---- The two modes --------------------------------------------------------------------------- */

/// Functions give `Result<T>`.
struct Returning {
    /// What a function that makes a `T` gives.
    template <typename T>
    using Out = Result<T>;
    /// `result` as it is given.
    template <typename T>
    static Result<T> out(Result<T> result) {
        return result;
    }
};

#if defined(SPB_CPP_EXCEPTIONS)
/// Functions give `T` and throw.
struct Throwing {
    /// What a function that makes a `T` gives.
    template <typename T>
    using Out = T;
    /// `result` as it is given.
    template <typename T>
    static T out(Result<T> result) {
        return std::move(result).get();
    }
};
#endif

/* ---- Times and executors --------------------------------------------------------------------- */

/// A limit in an option: as configured, none, or a time (at least one millisecond).
class Timeout {
  public:
    /// As configured.
    constexpr Timeout() noexcept = default;
    /// That time; less than a millisecond counts as one.
    template <typename Rep, typename Period>
    constexpr Timeout(std::chrono::duration<Rep, Period> time) noexcept
        : ms_(std::max<std::int64_t>(
              1, std::chrono::duration_cast<std::chrono::milliseconds>(time).count())) {}
    /// As configured.
    static constexpr Timeout configured() noexcept { return Timeout(); }
    /// No limit.
    static constexpr Timeout none() noexcept {
        Timeout made;
        made.ms_ = SPB_NO_TIMEOUT;
        return made;
    }
    /// As the C ABI takes it.
    constexpr std::int64_t ms() const noexcept { return ms_; }

  private:
    std::int64_t ms_ = 0;
};

/// How long to wait: for ever unless given; zero looks once.
using Wait = std::optional<std::chrono::milliseconds>;

/// Runs a function once and soon, on a thread where waiting is allowed. Empty: at once, on the
/// library's. What it is given and drops without running is a tool call that fails, or a change
/// that is not told; a coroutine that is never resumed.
using Executor = std::function<void(std::function<void()>)>;

/// Called with what a watch or log handler of yours threw, which has nowhere else to go. Prints to
/// standard error unless replaced.
inline std::atomic<void (*)(std::exception_ptr)>& unhandled_exception_handler() noexcept {
    static std::atomic<void (*)(std::exception_ptr)> handler{[](std::exception_ptr) {
        std::fputs("snakepit_bridge: a handler threw; what it was told is lost\n", stderr);
    }};
    return handler;
}

namespace detail {

inline std::int64_t wait_ms(const Wait& wait) noexcept {
    return wait ? std::max<std::int64_t>(0, wait->count()) : SPB_NO_TIMEOUT;
}

/// Success, or the error that `err` points to.
inline Result<void> done(spb_status status, spb_error* error) {
    if (status == SPB_OK) return {};
    return Error(status, error);
}

/// Calls `f(&error)` of the C ABI.
template <typename F>
Result<void> run(F&& f) {
    spb_error* error = nullptr;
    const spb_status status = f(&error);
    return done(status, error);
}

/// Calls `f(&out, &error)` of the C ABI and makes a `T` of what came out.
template <typename T, typename Raw, typename F>
Result<T> make(F&& f) {
    Raw out{};
    spb_error* error = nullptr;
    const spb_status status = f(&out, &error);
    if (status != SPB_OK) return Error(status, error);
    return T(out);
}

/// Calls `f(&out, &error)` for owned text and copies it.
template <typename F>
Result<std::string> text(F&& f) {
    spb_text* out = nullptr;
    spb_error* error = nullptr;
    const spb_status status = f(&out, &error);
    if (status != SPB_OK) return Error(status, error);
    const std::unique_ptr<spb_text, void (*)(spb_text*)> owned(out, spb_text_free);
    return std::string(view(spb_text_view(owned.get())));
}

/// A handle that is freed once.
template <typename Raw, void (*Free)(Raw)>
class Handle {
  public:
    Handle() noexcept : raw_{0} {}
    explicit Handle(Raw raw) noexcept : raw_(raw) {}
    Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, Raw{0})) {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            Free(raw_);
            raw_ = std::exchange(other.raw_, Raw{0});
        }
        return *this;
    }
    ~Handle() { Free(raw_); }

    Raw raw() const noexcept { return raw_; }
    Raw release() noexcept { return std::exchange(raw_, Raw{0}); }

  private:
    Raw raw_;
};

/// A callback sink over `F`, which is called with each event and destroyed after the last.
template <typename F>
spb_sink sink(F function) {
    struct Trampoline {
        static void call(void* data, spb_event* event) noexcept {
            SPB_CPP_TRY {
                (*static_cast<F*>(data))(*event);
            }
            SPB_CPP_CATCH(unhandled_exception_handler().load()(std::current_exception()))
        }
        static void destroy(void* data) noexcept { delete static_cast<F*>(data); }
    };
    return spb_sink_callback(&Trampoline::call, new F(std::move(function)), &Trampoline::destroy);
}

/// Runs `work` now, or by the executor.
inline void dispatch(const Executor& executor, std::function<void()> work) {
    if (executor) {
        executor(std::move(work));
    } else {
        work();
    }
}

}  // namespace detail

/* ---- Values ---------------------------------------------------------------------------------- */

/// `size` elements in memory that somebody else owns, one behind the other. Becomes a `std::span`
/// where there is one.
template <typename T>
class Span {
  public:
    using value_type = std::remove_cv_t<T>;

    /// No elements.
    constexpr Span() noexcept = default;
    /// The `size` elements at `data`.
    constexpr Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// The elements of a vector, array, string, span: of what has `data()` and `size()`.
    template <typename C, typename = std::enable_if_t<
                              std::is_convertible_v<decltype(std::declval<C&>().data()), T*>>>
    constexpr Span(C& container) noexcept : data_(container.data()), size_(container.size()) {}
    /// As above, to read what is const or ends with the expression.
    template <typename C, typename = std::enable_if_t<
                              std::is_const_v<T> &&
                              std::is_convertible_v<decltype(std::declval<const C&>().data()), T*>>>
    constexpr Span(const C& container) noexcept
        : data_(container.data()), size_(container.size()) {}
    /// The first element.
    constexpr T* data() const noexcept { return data_; }
    /// How many there are.
    constexpr std::size_t size() const noexcept { return size_; }
    /// Whether there are none.
    constexpr bool empty() const noexcept { return size_ == 0; }
    /// For `for` and algorithms.
    constexpr T* begin() const noexcept { return data_; }
    /// For `for` and algorithms.
    constexpr T* end() const noexcept { return data_ + size_; }
    constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// An IEEE half as its bits: C++17 has no type for it, but tensors have.
struct Float16 {
    std::uint16_t bits;
};

/// The upper half of a `float`, as its bits.
struct BFloat16 {
    std::uint16_t bits;
};

/// The SPB_DTYPE_* of a C++ type, 0 for one that tensors do not have.
template <typename T>
constexpr std::uint32_t dtype_of() noexcept {
    if constexpr (std::is_same_v<T, bool>) return SPB_DTYPE_BOOL;
    if constexpr (std::is_same_v<T, float>) return SPB_DTYPE_FLOAT32;
    if constexpr (std::is_same_v<T, double>) return SPB_DTYPE_FLOAT64;
    if constexpr (std::is_same_v<T, Float16>) return SPB_DTYPE_FLOAT16;
    if constexpr (std::is_same_v<T, BFloat16>) return SPB_DTYPE_BFLOAT16;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        constexpr bool is_signed = std::is_signed_v<T>;
        if constexpr (sizeof(T) == 1) return is_signed ? SPB_DTYPE_INT8 : SPB_DTYPE_UINT8;
        if constexpr (sizeof(T) == 2) return is_signed ? SPB_DTYPE_INT16 : SPB_DTYPE_UINT16;
        if constexpr (sizeof(T) == 4) return is_signed ? SPB_DTYPE_INT32 : SPB_DTYPE_UINT32;
        if constexpr (sizeof(T) == 8) return is_signed ? SPB_DTYPE_INT64 : SPB_DTYPE_UINT64;
    }
    return 0;
}

/// A tensor inside a value: row-major, little-endian. It keeps the value alive, for as long as it
/// is there itself.
template <typename T>
struct Tensor {
    /// The elements.
    Span<const T> data;
    /// The sides; none of a scalar.
    Span<const std::int64_t> shape;
    /// What both are views of.
    std::shared_ptr<const spb_value> owner;
};

/// The sides of a tensor, or its strides in elements.
using Shape = std::vector<std::int64_t>;

namespace detail {

/// Whether the sides multiply to that number of elements.
inline bool fits(const Shape& sides, std::uint64_t elements) noexcept {
    const auto is_below = [](std::int64_t side) { return side < 0; };
    if (std::any_of(sides.begin(), sides.end(), is_below)) return false;
    if (std::find(sides.begin(), sides.end(), 0) != sides.end()) return elements == 0;
    std::uint64_t product = 1;
    for (const std::int64_t side : sides) {
        if (product > elements / static_cast<std::uint64_t>(side)) return false;
        product *= static_cast<std::uint64_t>(side);
    }
    return product == elements;
}

inline Error does_not_fit() {
    return Error::failure("the tensor's shape does not multiply to its elements",
                          Status::invalid_argument);
}

/// DLPack 1.0's tensor, laid out as in dlpack.h, over a vector that goes with it.
template <typename T>
struct OwnedTensor {
    struct {
        std::uint32_t major, minor;
        void* manager_ctx;
        void (*deleter)(DLManagedTensorVersioned*);
        std::uint64_t flags;
        void* data;
        std::int32_t device_type, device_id, ndim;
        std::uint8_t code, bits;
        std::uint16_t lanes;
        std::int64_t *shape, *strides;
        std::uint64_t byte_offset;
    } exchanged{};
    std::vector<T> elements;
    Shape sides;

    OwnedTensor(std::vector<T> given, Shape shape)
        : elements(std::move(given)), sides(std::move(shape)) {
        exchanged.major = 1;
        exchanged.deleter = [](DLManagedTensorVersioned* self) {
            delete reinterpret_cast<OwnedTensor*>(self);
        };
        exchanged.data = elements.data();
        exchanged.device_type = 1;
        exchanged.ndim = static_cast<std::int32_t>(sides.size());
        exchanged.code = code();
        exchanged.bits = 8 * sizeof(T);
        exchanged.lanes = 1;
        exchanged.shape = sides.data();
    }
    static constexpr std::uint8_t code() noexcept {
        if constexpr (std::is_same_v<T, BFloat16>) return 4;
        if constexpr (std::is_same_v<T, Float16> || std::is_floating_point_v<T>) return 2;
        return std::is_signed_v<T> ? 0 : 1;
    }
    DLManagedTensorVersioned* raw() noexcept {
        return reinterpret_cast<DLManagedTensorVersioned*>(this);
    }
};

}  // namespace detail

template <typename Mode>
class BasicValue;

using Value = BasicValue<Returning>;

/// A JSON document and the bytes and tensors that it refers to. Immutable; a copy shares it.
template <typename Mode>
class BasicValue {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    /// The value `null`.
    BasicValue() : BasicValue(from_literal("null")) {}
    /// Takes over what the C ABI handed out.
    explicit BasicValue(spb_value* raw) : raw_(raw, spb_value_free) {}
    /// Values of both modes stand for each other.
    template <typename Other>
    BasicValue(const BasicValue<Other>& other) : raw_(other.shared()) {}

    /// A value of a JSON document, checked at once.
    static Out<BasicValue> json(std::string_view document) {
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_from_json(detail::view(document), out, e);
        }));
    }
    /// The JSON string of `text`, which is UTF-8.
    static Out<BasicValue> text(std::string_view text) {
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_from_text(detail::view(text), out, e);
        }));
    }
    /// An integer, exactly.
    static BasicValue integer(std::int64_t number) {
        spb_value* out = nullptr;
        spb_value_from_i64(number, &out, nullptr);
        return BasicValue(out);
    }
    /// A number; what is not finite has its tagged form.
    static BasicValue number(double number) {
        spb_value* out = nullptr;
        spb_value_from_f64(number, &out, nullptr);
        return BasicValue(out);
    }
    /// `true` or `false`.
    static BasicValue boolean(bool truth) {
        spb_value* out = nullptr;
        spb_value_from_bool(truth ? 1 : 0, &out, nullptr);
        return BasicValue(out);
    }
    /// One tensor; `data` is copied. `shape` multiplies to its size. With `strides`, element
    /// (i, j, ...) is data[i * strides[0] + j * strides[1] + ...], and every one lies in `data`.
    template <typename T>
    static Out<BasicValue> tensor(Span<const T> data, const Shape& shape,
                                  const Shape& strides = {}) {
        static_assert(dtype_of<T>() != 0, "tensors have no elements of this type");
        return Mode::out([&]() -> Result<BasicValue> {
            if (strides.empty() && !detail::fits(shape, data.size())) return detail::does_not_fit();
            if (!strides.empty() && strides.size() != shape.size()) {
                return Error::failure("the tensor's strides are not as many as its sides",
                                      Status::invalid_argument);
            }
            spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
            view.dtype = dtype_of<T>();
            view.data = data.data();
            view.len = data.size() * sizeof(T);
            view.shape = shape.data();
            view.strides = strides.empty() ? nullptr : strides.data();
            view.ndim = shape.size();
            return detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
                return spb_value_from_tensor(&view, out, e);
            });
        }());
    }
    /// As above, of a vector, array or span, whose elements lie one behind the other.
    template <typename C, typename T = std::remove_cv_t<
                              std::remove_pointer_t<decltype(std::declval<const C&>().data())>>>
    static Out<BasicValue> tensor(const C& data, const Shape& shape, const Shape& strides = {}) {
        return tensor<T>(Span<const T>(data.data(), data.size()), shape, strides);
    }
    /// One tensor over a vector that the value takes over: nothing is copied, and the memory is
    /// freed, on a thread of the library, after the last use of the value anywhere.
    template <typename T>
    static Out<BasicValue> adopt(std::vector<T> data, Shape shape) {
        static_assert(dtype_of<T>() != 0, "tensors have no elements of this type");
        static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no elements in memory");
        return Mode::out([&]() -> Result<BasicValue> {
            auto owned =
                std::make_unique<detail::OwnedTensor<T>>(std::move(data), std::move(shape));
            if (!detail::fits(owned->sides, owned->elements.size())) return detail::does_not_fit();
            auto made = from_dlpack(owned->raw());
            if (made) (void)owned.release();
            return made;
        }());
    }
    /// One tensor over the memory of a DLPack 1.x tensor, which is taken over by success: its
    /// deleter runs once, on a thread of the library, after the last use of the value.
    static Out<BasicValue> dlpack(DLManagedTensorVersioned* tensor) {
        return Mode::out(from_dlpack(tensor));
    }
    /// As above, for the struct of DLPack before version 1.
    static Out<BasicValue> dlpack(DLManagedTensor* tensor) {
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_from_dlpack_unversioned(tensor, out, e);
        }));
    }
    /// One tensor over the memory of an Arrow array. Success moves both structs into the value.
    static Out<BasicValue> arrow(ArrowSchema* schema, ArrowArray* array) {
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_from_arrow(schema, array, out, e);
        }));
    }
    /// The tensors of a safetensors file, whose bytes are copied: {"name": tensor, ...}.
    static Out<BasicValue> safetensors(Span<const std::uint8_t> file) {
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_from_safetensors(file.data(), file.size(), out, e);
        }));
    }
    /// Bytes; they are copied.
    static Out<BasicValue> bytes(Span<const std::uint8_t> data) {
        spb_attachment blob{};
        blob.kind = SPB_ATTACHMENT_BLOB;
        blob.data = data.data();
        blob.len = data.size();
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_from_parts(SPB_STR("{\"$spb\": {\"attachment\": 0}}"), &blob, 1, out,
                                        e);
        }));
    }
    /// A document over the attachments of `values`, one after the other, without a copy of them.
    static Out<BasicValue> compose(std::string_view document,
                                   const std::vector<BasicValue>& values) {
        std::vector<const spb_value*> raw;
        for (const BasicValue& value : values) raw.push_back(value.raw());
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_compose(detail::view(document), raw.data(), raw.size(), out, e);
        }));
    }

    /// The document; for a JSON library of yours to parse. Lives as long as the value.
    std::string_view json() const noexcept { return detail::view(spb_value_json(raw_.get())); }
    /// The document as `Json::parse(text)` reads it, `nlohmann::json` for example.
    template <typename Json>
    Json parse() const {
        return Json::parse(json());
    }

    /// The text of a JSON string; of anything else `Status::type_mismatch`.
    Out<std::string> as_text() const {
        return Mode::out(detail::text(
            [&](spb_text** out, spb_error** e) { return spb_value_as_text(raw_.get(), out, e); }));
    }
    /// An integer of 64 bits with a sign; of anything else `Status::type_mismatch`.
    Out<std::int64_t> as_integer() const {
        return Mode::out(
            detail::make<std::int64_t, std::int64_t>([&](std::int64_t* out, spb_error** e) {
                return spb_value_as_i64(raw_.get(), out, e);
            }));
    }
    /// A number as the nearest double, the tagged form of what is not finite included.
    Out<double> as_number() const {
        return Mode::out(detail::make<double, double>(
            [&](double* out, spb_error** e) { return spb_value_as_f64(raw_.get(), out, e); }));
    }
    /// `true` or `false`; of anything else `Status::type_mismatch`.
    Out<bool> as_boolean() const {
        return Mode::out(detail::make<bool, std::uint8_t>([&](std::uint8_t* out, spb_error** e) {
            return spb_value_as_bool(raw_.get(), out, e);
        }));
    }

    /// How many blobs and tensors it has.
    std::size_t attachments() const noexcept { return spb_value_attachment_count(raw_.get()); }
    /// What attachment `index` is: SPB_ATTACHMENT_BLOB or SPB_ATTACHMENT_TENSOR, 0 if there is
    /// none.
    std::uint32_t kind_at(std::size_t index) const noexcept {
        spb_attachment found{};
        spb_value_attachment(raw_.get(), index, &found, nullptr);
        return found.kind;
    }
    /// The SPB_DTYPE_* of attachment `index`, 0 if it is no tensor.
    std::uint32_t dtype_at(std::size_t index) const noexcept {
        spb_attachment found{};
        spb_value_attachment(raw_.get(), index, &found, nullptr);
        return found.dtype;
    }
    /// The sides of the tensor that is attachment `index`; they live as long as the value.
    Out<Span<const std::int64_t>> shape_at(std::size_t index) const {
        return Mode::out([&]() -> Result<Span<const std::int64_t>> {
            spb_tensor_view found = SPB_TENSOR_VIEW_INIT;
            auto seen = detail::run(
                [&](spb_error** e) { return spb_value_tensor_view(raw_.get(), index, &found, e); });
            if (!seen) return std::move(seen).error();
            return Span<const std::int64_t>(found.shape, found.ndim);
        }());
    }
    /// Attachment `index` as bytes, of a tensor those of its elements; they live as long as the
    /// value.
    Out<Span<const std::uint8_t>> bytes_at(std::size_t index) const {
        return Mode::out([&]() -> Result<Span<const std::uint8_t>> {
            spb_attachment found{};
            spb_error* error = nullptr;
            const spb_status status = spb_value_attachment(raw_.get(), index, &found, &error);
            if (status != SPB_OK) return Error(status, error);
            return Span<const std::uint8_t>(found.data, found.len);
        }());
    }
    /// Attachment `index` as a tensor of exactly this element type, without a copy.
    template <typename T>
    Out<Tensor<T>> tensor_at(std::size_t index) const {
        return Mode::out([&]() -> Result<Tensor<T>> {
            spb_tensor_view found = SPB_TENSOR_VIEW_INIT;
            spb_error* error = nullptr;
            const spb_status status = spb_value_tensor_view(raw_.get(), index, &found, &error);
            if (status != SPB_OK) return Error(status, error);
            if (found.dtype != dtype_of<T>()) {
                return Error::failure("the tensor's elements are of another type than asked for",
                                      Status::type_mismatch);
            }
            if (reinterpret_cast<std::uintptr_t>(found.data) % alignof(T) != 0) {
                return Error::failure("the tensor is not aligned for its elements: copy its bytes",
                                      Status::state);
            }
            const Span<const T> data(static_cast<const T*>(found.data), found.len / sizeof(T));
            return Tensor<T>{data, Span<const std::int64_t>(found.shape, found.ndim), raw_};
        }());
    }

    /// Attachment `index` as a DLPack 1.0 tensor, read-only, which keeps what it shows alive. Yours
    /// to end by its deleter.
    Out<DLManagedTensorVersioned*> to_dlpack(std::size_t index) const {
        using Raw = DLManagedTensorVersioned*;
        return Mode::out(detail::make<Raw, Raw>([&](Raw* out, spb_error** e) {
            return spb_value_to_dlpack(raw_.get(), index, out, e);
        }));
    }
    /// Attachment `index` as an Arrow array, which keeps what it shows alive. Both structs are
    /// yours to end by their `release`.
    Out<void> to_arrow(std::size_t index, ArrowSchema* schema, ArrowArray* array) const {
        return Mode::out(detail::run([&](spb_error** e) {
            return spb_value_to_arrow(raw_.get(), index, schema, array, e);
        }));
    }
    /// The bytes of a safetensors file, as attachment 0, of a document {"name": tensor, ...}.
    Out<BasicValue> to_safetensors() const {
        return Mode::out(detail::make<BasicValue, spb_value*>([&](spb_value** out, spb_error** e) {
            return spb_value_to_safetensors(raw_.get(), out, e);
        }));
    }

    /// For the C ABI; lives as long as the value.
    const spb_value* raw() const noexcept { return raw_.get(); }
    /// For the C ABI, with a share in its life.
    const std::shared_ptr<spb_value>& shared() const noexcept { return raw_; }

  private:
    static Result<BasicValue> from_dlpack(DLManagedTensorVersioned* tensor) {
        return detail::make<BasicValue, spb_value*>(
            [&](spb_value** out, spb_error** e) { return spb_value_from_dlpack(tensor, out, e); });
    }
    static spb_value* from_literal(std::string_view document) noexcept {
        spb_value* out = nullptr;
        spb_value_from_json(detail::view(document), &out, nullptr);
        return out;
    }

    std::shared_ptr<spb_value> raw_;
};

namespace detail {

/// What an event carries, taken out of it.
inline Value take_value(spb_event& event) {
    return Value(std::exchange(event.value, nullptr));
}

inline Result<Value> take_outcome(spb_event& event) {
    if (event.status == SPB_OK) return take_value(event);
    return Error(event.status, std::exchange(event.error, nullptr));
}

template <typename T>
struct is_result : std::false_type {};
template <typename T>
struct is_result<Result<T>> : std::true_type {};

/// The integer of a value as a `T`, if it fits.
template <typename T>
Result<T> read_integer(const Value& value) {
    T number{};
    const std::string_view json = value.json();
    const auto [end, fault] = std::from_chars(json.data(), json.data() + json.size(), number);
    if (fault == std::errc() && end == json.data() + json.size()) return number;
    auto integer = value.as_integer();
    if (!integer) return std::move(integer).error();
    const T narrow = static_cast<T>(*integer);
    if ((narrow < T{0}) == (*integer < 0) && static_cast<std::int64_t>(narrow) == *integer) {
        return narrow;
    }
    return Error::failure("the integer does not fit the type asked for", Status::type_mismatch);
}

}  // namespace detail

/// How a C++ type stands for a value, in variables and as the result of a tool: bool, integers,
/// floats, texts, `Value`. Specialise it, with these two functions, for a type of your own.
template <typename T, typename = void>
struct Codec {
    /// The `T` that `value` stands for.
    static Result<T> read(const Value& value) {
        if constexpr (std::is_same_v<T, bool>) {
            return value.as_boolean();
        } else if constexpr (std::is_integral_v<T>) {
            return detail::read_integer<T>(value);
        } else if constexpr (std::is_floating_point_v<T>) {
            return value.as_number().and_then(
                [](double number) -> Result<T> { return static_cast<T>(number); });
        } else if constexpr (std::is_same_v<T, std::string>) {
            return value.as_text();
        } else {
            static_assert(std::is_convertible_v<const Value&, T>,
                          "specialise snakepit_bridge::Codec for this type");
            return T(value);
        }
    }
    /// The value that stands for `content`.
    static Result<Value> write(const T& content) {
        if constexpr (std::is_same_v<T, bool>) {
            return Value::boolean(content);
        } else if constexpr (std::is_integral_v<T>) {
            if (content > static_cast<T>(0) &&
                static_cast<std::uint64_t>(content) > std::uint64_t{INT64_MAX}) {
                return Value::json(std::to_string(content));
            }
            return Value::integer(static_cast<std::int64_t>(content));
        } else if constexpr (std::is_floating_point_v<T>) {
            return Value::number(static_cast<double>(content));
        } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
            return Value::text(content);
        } else {
            static_assert(std::is_convertible_v<const T&, Value>,
                          "specialise snakepit_bridge::Codec for this type");
            return Value(content);
        }
    }
};

/* ---- Operations ------------------------------------------------------------------------------ */

/// Where the events of an operation, a tool or a subscription go. Made by `Queue::target`; without
/// one an operation's end waits to be asked for.
class Target {
  public:
    /// Nowhere.
    Target() = default;
    /// To that queue, where each event comes with `tag`.
    Target(spb_queue queue, std::uint64_t tag) : sink_(spb_sink_queue(queue, tag)) {}
    /// For the C ABI; lives as long as this.
    const spb_sink* raw() const noexcept { return sink_.kind == SPB_SINK_NONE ? nullptr : &sink_; }

  private:
    spb_sink sink_ = SPB_SINK_INIT;
};

/// Where an operation is.
enum class Progress : std::uint32_t {
    queued = SPB_OPERATION_QUEUED,
    running = SPB_OPERATION_RUNNING,
    done = SPB_OPERATION_DONE,
};

/// Chunks of a stream for `for (auto chunk : operation.chunks())`. In the returning mode each is a
/// `Result`, and one with an error is the last.
template <typename Mode>
class BasicChunks;

/// Something under way that ends exactly once. Dropping it does not cancel it.
template <typename Mode>
class BasicOperation {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    /// None: what is asked of it is refused with `Status::handle`.
    BasicOperation() = default;
    /// Takes over what the C ABI handed out.
    explicit BasicOperation(spb_operation raw) : handle_(raw) {}
    /// The same operation in the other mode.
    template <typename Other>
    BasicOperation<Other> as() && {
        return BasicOperation<Other>(handle_.release());
    }

    /// Waits for its end. False: not in that time.
    Out<bool> wait(Wait time = std::nullopt) const {
        return Mode::out([&]() -> Result<bool> {
            spb_error* error = nullptr;
            const spb_status status =
                spb_operation_wait(handle_.raw(), detail::wait_ms(time), &error);
            if (status == SPB_OK) return true;
            Error failure(status, error);
            if (status == SPB_E_AGAIN) return false;
            return failure;
        }());
    }
    /// Waits for the end and takes it: the value, or the operation's own error. Once.
    Out<BasicValue<Mode>> result() const {
        return Mode::out([&]() -> Result<BasicValue<Mode>> {
            auto waited = detail::run([&](spb_error** e) {
                return spb_operation_wait(handle_.raw(), SPB_NO_TIMEOUT, e);
            });
            if (!waited) return std::move(waited).error();
            return detail::make<BasicValue<Mode>, spb_value*>([&](spb_value** out, spb_error** e) {
                return spb_operation_take_result(handle_.raw(), out, e);
            });
        }());
    }
    /// The next chunk of a call that streams; none after the last one. `Status::again`: none came
    /// in that time.
    Out<std::optional<BasicValue<Mode>>> next_chunk(Wait time = std::nullopt) const {
        return Mode::out([&]() -> Result<std::optional<BasicValue<Mode>>> {
            spb_value* out = nullptr;
            spb_error* error = nullptr;
            const spb_status status =
                spb_operation_next_chunk(handle_.raw(), detail::wait_ms(time), &out, &error);
            if (status == SPB_OK) return std::optional<BasicValue<Mode>>(BasicValue<Mode>(out));
            Error failure(status, error);
            if (status == SPB_E_CLOSED) return std::optional<BasicValue<Mode>>();
            return failure;
        }());
    }
    /// Its chunks as a range, as they come. The operation has to outlive it.
    BasicChunks<Mode> chunks() const& { return BasicChunks<Mode>(*this); }
    /// Its chunks as a range that owns the operation and cancels it at its end, for
    /// `for (auto chunk : session.execute(call).chunks())`.
    BasicChunks<Mode> chunks() && { return BasicChunks<Mode>(std::move(*this)); }
    /// Where it is.
    Out<Progress> progress() const {
        return Mode::out([&]() -> Result<Progress> {
            std::uint32_t out = 0;
            auto told = detail::run(
                [&](spb_error** e) { return spb_operation_state(handle_.raw(), &out, e); });
            if (!told) return std::move(told).error();
            return static_cast<Progress>(out);
        }());
    }
    /// Asks it to end with `Status::cancelled`; its end comes as always.
    Out<void> cancel() const {
        return Mode::out(
            detail::run([&](spb_error** e) { return spb_operation_cancel(handle_.raw(), e); }));
    }
    /// For the C ABI.
    spb_operation raw() const noexcept { return handle_.raw(); }

  private:
    detail::Handle<spb_operation, spb_operation_free> handle_;
};

/// See above: an input range, to be gone through once.
template <typename Mode>
class BasicChunks {
  public:
    using Item = typename Mode::template Out<BasicValue<Mode>>;

    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Item;
        using difference_type = std::ptrdiff_t;
        using pointer = const Item*;
        using reference = const Item&;

        iterator() = default;
        explicit iterator(const BasicOperation<Mode>* operation) : operation_(operation) { step(); }
        reference operator*() const { return *item_; }
        pointer operator->() const { return &*item_; }
        iterator& operator++() {
            step();
            return *this;
        }
        void operator++(int) { step(); }
        bool operator==(const iterator& other) const { return operation_ == other.operation_; }
        bool operator!=(const iterator& other) const { return !(*this == other); }

      private:
        void step() {
            if (over_) {
                operation_ = nullptr;
                return;
            }
            if constexpr (std::is_same_v<Mode, Returning>) {
                auto next = operation_->next_chunk();
                if (!next) {
                    over_ = true;
                    item_.emplace(std::move(next).error());
                } else if (next->has_value()) {
                    item_.emplace(std::move(**next));
                } else {
                    operation_ = nullptr;
                }
            } else {
                auto next = operation_->next_chunk();
                if (next.has_value()) {
                    item_.emplace(std::move(*next));
                } else {
                    operation_ = nullptr;
                }
            }
        }

        const BasicOperation<Mode>* operation_ = nullptr;
        std::optional<Item> item_;
        bool over_ = false;
    };

    /// The chunks of an operation that outlives this.
    explicit BasicChunks(const BasicOperation<Mode>& operation) : operation_(&operation) {}
    /// The chunks of an operation that this ends.
    explicit BasicChunks(BasicOperation<Mode>&& operation) : owned_(std::move(operation)) {}
    BasicChunks(BasicChunks&&) noexcept = default;
    BasicChunks& operator=(BasicChunks&&) = delete;
    ~BasicChunks() { spb_operation_cancel(owned_.raw(), nullptr); }
    /// Waits for the first chunk.
    iterator begin() const { return iterator(operation_ != nullptr ? operation_ : &owned_); }
    /// Behind the last one.
    iterator end() const { return iterator(); }

  private:
    const BasicOperation<Mode>* operation_ = nullptr;
    BasicOperation<Mode> owned_;
};

/// The end of an operation as a `std::future`, and the operation to cancel it by.
template <typename Mode>
struct BasicPending {
    /// Ready when the operation has ended, however it did, also when the platform closes.
    std::future<typename Mode::template Out<BasicValue<Mode>>> future;
    /// To cancel it by; none if it was refused at once.
    BasicOperation<Mode> operation;
};

namespace detail {

/// Submits an operation with a sink.
using Submit = std::function<Result<spb_operation>(const spb_sink*)>;

/// Keeps a promise of the mode.
template <typename Mode>
void keep(std::promise<typename Mode::template Out<BasicValue<Mode>>>& promise,
          Result<Value> outcome) {
    if constexpr (std::is_same_v<Mode, Returning>) {
        promise.set_value(std::move(outcome));
    } else if (outcome) {
        promise.set_value(BasicValue<Mode>(*outcome));
    } else {
#if defined(SPB_CPP_EXCEPTIONS)
        promise.set_exception(std::make_exception_ptr(Exception(outcome.error())));
#endif
    }
}

template <typename Mode>
BasicPending<Mode> pending(const Submit& submit) {
    auto promise = std::make_shared<std::promise<typename Mode::template Out<BasicValue<Mode>>>>();
    BasicPending<Mode> made{promise->get_future(), {}};
    const spb_sink sink = detail::sink([promise](spb_event& event) {
        if (event.kind == SPB_EVENT_OP_DONE) keep<Mode>(*promise, take_outcome(event));
    });
    auto submitted = submit(&sink);
    if (submitted) {
        made.operation = BasicOperation<Mode>(*submitted);
    } else {
        keep<Mode>(*promise, std::move(submitted).error());
    }
    return made;
}

/// An operation without a sink, or with one of a queue.
template <typename Mode, typename F>
typename Mode::template Out<BasicOperation<Mode>> start(F&& f) {
    return Mode::out(make<BasicOperation<Mode>, spb_operation>(std::forward<F>(f)));
}

}  // namespace detail

/* ---- Tools ----------------------------------------------------------------------------------- */

namespace detail {

/// The calls of one tool that are not answered yet, to tell them of their cancellation.
class CallsInHand {
  public:
    void add(std::uint64_t call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        calls_.emplace(call, Entry());
    }
    void remove(std::uint64_t call) {
        std::function<void()> handler;  // ends behind the lock: it may own calls itself
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = calls_.find(call);
        if (found == calls_.end()) return;
        handler.swap(found->second.handler);
        calls_.erase(found);
    }
    void hear(std::uint64_t call, std::function<void()> handler) {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto found = calls_.find(call);
        if (found == calls_.end()) return;
        if (!found->second.is_cancelled) {
            found->second.handler = std::move(handler);
            return;
        }
        lock.unlock();
        handler();
    }
    void cancel(std::uint64_t call) {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto found = calls_.find(call);
        if (found == calls_.end()) return;
        found->second.is_cancelled = true;
        const std::function<void()> handler = std::move(found->second.handler);
        lock.unlock();
        if (handler) handler();
    }

  private:
    struct Entry {
        bool is_cancelled = false;
        std::function<void()> handler;
    };
    std::mutex mutex_;
    std::map<std::uint64_t, Entry> calls_;
};

/// One call, as long as somebody may answer it.
class CallInHand {
  public:
    CallInHand(spb_invocation raw, std::shared_ptr<CallsInHand> calls)
        : handle_(raw), calls_(std::move(calls)), id_(raw.id) {
        if (calls_) calls_->add(id_);
    }
    CallInHand(const CallInHand&) = delete;
    CallInHand& operator=(const CallInHand&) = delete;
    ~CallInHand() { forget(); }
    void forget() const {
        if (calls_) calls_->remove(id_);
    }
    spb_invocation raw() const noexcept { return handle_.raw(); }
    void hear(std::function<void()> handler) const {
        if (calls_) calls_->hear(id_, std::move(handler));
    }

  private:
    Handle<spb_invocation, spb_invocation_free> handle_;
    std::shared_ptr<CallsInHand> calls_;
    std::uint64_t id_;
};

/// Answers with a failure. A message that is no UTF-8 text is replaced by one that says so.
inline Result<void> fail(spb_invocation call, const Error& error) {
    spb_failure_options options = SPB_FAILURE_OPTIONS_INIT;
    options.status = static_cast<spb_status>(error.status());
    options.flags = error.retryable() ? SPB_FAILURE_RETRYABLE : 0;
    options.message = view(error.message());
    options.details_json = view(error.details_json());
    auto failed = run([&](spb_error** e) { return spb_invocation_fail(call, &options, e); });
    if (failed || failed.status() != Status::utf8) return failed;
    options.message = SPB_STR("the tool failed with a message that is not UTF-8");
    return run([&](spb_error** e) { return spb_invocation_fail(call, &options, e); });
}

}  // namespace detail

/// One call of a tool by Python. Answer it once, from any thread; dropped without an answer, it
/// fails on Python's side.
template <typename Mode>
class BasicInvocation {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    /// Takes over what an event of the C ABI carried; `calls` tells it of its cancellation.
    BasicInvocation(spb_invocation raw, Value arguments,
                    std::shared_ptr<detail::CallsInHand> calls = nullptr)
        : call_(std::make_shared<detail::CallInHand>(raw, std::move(calls))),
          arguments_(std::move(arguments)) {}
    BasicInvocation(BasicInvocation&&) noexcept = default;
    BasicInvocation& operator=(BasicInvocation&&) noexcept = default;
    /// The same call in the other mode.
    template <typename Other>
    BasicInvocation<Other> as() && {
        return BasicInvocation<Other>(std::move(call_), std::move(arguments_));
    }

    /// What Python passed, an object.
    const BasicValue<Mode>& arguments() const noexcept { return arguments_; }
    /// {"tool", "session", "operation", "traceparent", "deadline_remaining_ms", "stream", "depth"}.
    Out<BasicValue<Mode>> info() const {
        return Mode::out(detail::make<BasicValue<Mode>, spb_value*>(
            [&](spb_value** out, spb_error** e) { return spb_invocation_info(raw(), out, e); }));
    }
    /// Whether nobody waits for the answer any more.
    bool is_cancelled() const noexcept {
        std::uint8_t out = 0;
        const spb_status status = spb_invocation_is_cancelled(raw(), &out, nullptr);
        return status != SPB_OK || out != 0;
    }
    /// Calls `handler` once, on a thread of the library, when nobody waits for the answer any more;
    /// at once if that is so already. Give a `std::stop_source` a `request_stop` this way. For
    /// calls that come to a function, not to a queue; those of one function are told when it has
    /// returned, unless its tool has an `Executor`.
    void on_cancel(std::function<void()> handler) const { call_->hear(std::move(handler)); }
    /// Sends a chunk ahead of the answer. `Status::again`: Python is a window behind;
    /// `Status::state`: it wants none.
    Out<void> emit(const Value& chunk) const {
        return Mode::out(
            detail::run([&](spb_error** e) { return spb_invocation_emit(raw(), chunk.raw(), e); }));
    }
    /// Answers with a result. One that breaks the tool's output schema is refused with
    /// `Status::invalid_argument`, and another answer may follow.
    Out<void> complete(const Value& result) {
        return answered(detail::run(
            [&](spb_error** e) { return spb_invocation_complete(raw(), result.raw(), e); }));
    }
    /// Answers with a failure, which Python gets as an exception.
    Out<void> fail(const Error& error) { return answered(detail::fail(raw(), error)); }
    /// For the C ABI.
    spb_invocation raw() const noexcept { return call_ ? call_->raw() : spb_invocation{0}; }
    /// The same call a second time, for whoever answers it when the first owner does not.
    BasicInvocation<Returning> again() const {
        return BasicInvocation<Returning>(call_, arguments_);
    }

  private:
    template <typename>
    friend class BasicInvocation;
    BasicInvocation(std::shared_ptr<detail::CallInHand> call, Value arguments)
        : call_(std::move(call)), arguments_(std::move(arguments)) {}
    /// Once answered, nobody is to hear of a cancellation, and what would hear may own the call.
    Out<void> answered(Result<void> outcome) const {
        if (outcome && call_) call_->forget();
        return Mode::out(std::move(outcome));
    }

    std::shared_ptr<detail::CallInHand> call_;
    BasicValue<Mode> arguments_;
};

namespace detail {

#if defined(SPB_CPP_EXCEPTIONS)
/// The exception in flight as an error.
inline Error current_error() {
    try {
        throw;
    } catch (const Exception& exception) {
        return exception.error();
    } catch (const std::exception& exception) {
        return Error::failure(exception.what());
    } catch (...) {
        return Error::failure("the tool threw something that is no std::exception");
    }
}
#endif

/// What a tool's function gives for arguments.
template <typename Mode, typename F>
Result<Value> outcome_of(F& function, const BasicValue<Mode>& arguments) {
    static_assert(std::is_invocable_v<F&, const BasicValue<Mode>&>,
                  "a tool takes (const Value&) or (Invocation)");
    using Given = std::invoke_result_t<F&, const BasicValue<Mode>&>;
    if constexpr (std::is_void_v<Given>) {
        function(arguments);
        return Value();
    } else if constexpr (is_result<Given>::value) {
        return function(arguments).and_then(
            [](const auto& given) { return Codec<std::decay_t<decltype(given)>>::write(given); });
    } else {
        return Codec<std::decay_t<Given>>::write(function(arguments));
    }
}

/// Runs a tool's function on a call and answers it, unless it takes the call by value and answers
/// when it likes. What it throws is the call's failure.
template <typename Mode, typename F>
void answer(F& function, BasicInvocation<Mode> call) {
    auto own = call.again();
    Result<Value> outcome = Error::failure("the tool gave no answer");
    SPB_CPP_TRY {
        if constexpr (std::is_invocable_v<F&, BasicInvocation<Mode>>) {
            function(std::move(call));
            return;
        } else {
            outcome = outcome_of<Mode>(function, call.arguments());
        }
    }
    SPB_CPP_CATCH(outcome = current_error())
    if (!outcome) {
        (void)own.fail(outcome.error());
        return;
    }
    // A result that breaks the tool's schema is refused, and Python gets the place of the fault.
    // Where nobody waits any more, the failure is refused as well, and nothing is lost.
    auto done = own.complete(*outcome);
    if (!done) (void)own.fail(done.error());
}

}  // namespace detail

/// A tool as Python sees it.
class ToolSpec {
  public:
    /// Letters, digits, '_', '-' and '.', at most 64 bytes.
    explicit ToolSpec(std::string name) : name_(std::move(name)) {}
    /// For the agents and people that choose tools.
    ToolSpec& description(std::string text) { return description_ = std::move(text), *this; }
    /// JSON Schema of the arguments, which are checked against it.
    ToolSpec& input_schema(std::string json) { return input_ = std::move(json), *this; }
    /// JSON Schema of the result, which is checked against it.
    ToolSpec& output_schema(std::string json) { return output_ = std::move(json), *this; }
    /// JSON Schema of each chunk, which is checked against it.
    ToolSpec& chunk_schema(std::string json) { return chunk_ = std::move(json), *this; }
    /// It may be called again where nobody knows whether an earlier call was carried out.
    ToolSpec& idempotent(bool is = true) { return idempotent_ = is, *this; }
    /// Calls that are not answered yet; more fail with `Status::resource_exhausted`.
    ToolSpec& max_in_flight(std::uint32_t calls) { return in_flight_ = calls, *this; }
    /// For each call.
    ToolSpec& timeout(Timeout time) { return timeout_ = time, *this; }
    /// Where the function runs; on the library's threads unless given.
    ToolSpec& executor(Executor executor) { return executor_ = std::move(executor), *this; }

    /// Where the function runs.
    const Executor& executor() const noexcept { return executor_; }
    /// For the C ABI; lives as long as this.
    spb_tool_options raw() const noexcept {
        spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
        options.name = detail::view(name_);
        options.description = detail::view(description_);
        options.input_schema_json = detail::view(input_);
        options.output_schema_json = detail::view(output_);
        options.max_in_flight = in_flight_;
        options.timeout_ms = timeout_.ms();
        options.chunk_schema_json = detail::view(chunk_);
        options.flags = idempotent_ ? SPB_TOOL_IDEMPOTENT : 0;
        return options;
    }

  private:
    std::string name_, description_, input_, output_, chunk_;
    std::uint32_t in_flight_ = 0;
    bool idempotent_ = false;
    Timeout timeout_;
    Executor executor_;
};

/// A registered tool. Dropping it leaves the tool registered.
template <typename Mode>
class BasicTool {
  public:
    /// Takes over what the C ABI handed out.
    explicit BasicTool(spb_tool raw) : handle_(raw) {}
    /// The same tool in the other mode.
    template <typename Other>
    BasicTool<Other> as() && {
        return BasicTool<Other>(handle_.release());
    }

    /// Takes the tool away: running calls are cancelled, and when the operation has ended none of
    /// its functions runs or will run.
    typename Mode::template Out<BasicOperation<Mode>> unregister(const Target& target = {}) const {
        return detail::start<Mode>([&](spb_operation* out, spb_error** e) {
            return spb_tool_unregister(handle_.raw(), target.raw(), out, e);
        });
    }
    /// For the C ABI.
    spb_tool raw() const noexcept { return handle_.raw(); }

  private:
    detail::Handle<spb_tool, spb_tool_free> handle_;
};

/* ---- Queues ---------------------------------------------------------------------------------- */

/// One event of a queue.
template <typename Mode>
struct BasicEvent {
    /// What happened; ignore kinds that you do not know.
    enum class Kind : std::uint32_t {
        chunk = SPB_EVENT_OP_CHUNK,
        done = SPB_EVENT_OP_DONE,
        tool_call = SPB_EVENT_TOOL_CALL,
        tool_cancel = SPB_EVENT_TOOL_CANCEL,
        log = SPB_EVENT_LOG,
        overflow = SPB_EVENT_OVERFLOW,
        shutdown = SPB_EVENT_SHUTDOWN,
        variable = SPB_EVENT_VARIABLE,
        watch_missed = SPB_EVENT_WATCH_MISSED,
        watch_end = SPB_EVENT_WATCH_END,
        queue_readable = SPB_EVENT_QUEUE_READABLE,
    };

    /// What happened.
    Kind kind;
    /// That of the target which it came through.
    std::uint64_t tag;
    /// Of a chunk its number from 0, of `done` how many there were, of a change its version, of
    /// `overflow` and `watch_missed` how many were not kept.
    std::uint64_t sequence;
    /// The number of the tool call that `tool_cancel` is about: `invocation->raw().id` of it.
    std::uint64_t call;
    /// What it carries: chunk, result, arguments, record or change; otherwise `null`.
    BasicValue<Mode> value;
    /// How an operation or a watch ended, if it failed.
    std::optional<Error> error;
    /// The tool call to answer.
    std::optional<BasicInvocation<Mode>> invocation;

    /// Takes `raw` over.
    explicit BasicEvent(spb_event& raw)
        : kind(static_cast<Kind>(raw.kind)),
          tag(raw.tag),
          sequence(raw.sequence),
          call(raw.invocation.id) {
        if (raw.value != nullptr) value = BasicValue<Mode>(std::exchange(raw.value, nullptr));
        if (raw.status != SPB_OK) error.emplace(raw.status, std::exchange(raw.error, nullptr));
        if (kind == Kind::tool_call) {
            invocation.emplace(std::exchange(raw.invocation, spb_invocation{0}), value);
        }
        spb_event_clear(&raw);
    }
    /// Of `done`: the value or the error.
    typename Mode::template Out<BasicValue<Mode>> result() const {
        if (error) return Mode::out(Result<BasicValue<Mode>>(*error));
        return Mode::out(Result<BasicValue<Mode>>(value));
    }
};

/// A completion queue, for hosts with an event loop of their own: any number of operations, tools
/// and subscriptions send their events to it (`target`), and the loop takes them.
template <typename Mode>
class BasicQueue {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    /// Takes over what the C ABI handed out.
    explicit BasicQueue(spb_queue raw) : handle_(raw) {}
    /// The same queue in the other mode.
    template <typename Other>
    BasicQueue<Other> as() && {
        return BasicQueue<Other>(handle_.release());
    }

    /// Where to send events of yours that come back with `tag`.
    Target target(std::uint64_t tag = 0) const { return Target(handle_.raw(), tag); }
    /// The next events in their order, at most `most`; none if none came in that time.
    /// `Status::closed`: the platform has closed, and its `shutdown` was the last event.
    Out<std::vector<BasicEvent<Mode>>> next(Wait time = std::nullopt, std::size_t most = 64) const {
        return Mode::out([&]() -> Result<std::vector<BasicEvent<Mode>>> {
            std::vector<spb_event> raw(std::max<std::size_t>(1, most));
            std::vector<BasicEvent<Mode>> events;
            events.reserve(raw.size());
            std::size_t count = 0;
            auto taken = detail::run([&](spb_error** e) {
                return spb_queue_next_batch(handle_.raw(), raw.data(), raw.size(),
                                            detail::wait_ms(time), &count, e);
            });
            if (!taken && taken.status() != Status::again) return std::move(taken).error();
            for (std::size_t each = 0; each < count; ++each) events.emplace_back(raw[each]);
            return events;
        }());
    }
    /// A descriptor that is readable while there are events, for epoll and its like: then call
    /// `next` with a time of zero until it gives none. Never read or close it.
    Out<int> descriptor() const {
        return Mode::out(detail::make<int, std::int32_t>(
            [&](std::int32_t* out, spb_error** e) { return spb_queue_fd(handle_.raw(), out, e); }));
    }
    /// Sends one `queue_readable` with `tag` to the queue `to` as soon as this one has events, at
    /// once if it has some or has ended. Ask again when this one has been emptied.
    template <typename Other>
    Out<void> notify(const BasicQueue<Other>& to, std::uint64_t tag) const {
        return Mode::out(detail::run(
            [&](spb_error** e) { return spb_queue_notify(raw(), to.raw(), tag, e); }));
    }
    /// For the C ABI.
    spb_queue raw() const noexcept { return handle_.raw(); }

  private:
    detail::Handle<spb_queue, spb_queue_free> handle_;
};

/* ---- Calls ----------------------------------------------------------------------------------- */

/// What a `Call` and a `ToolCall` have in common.
template <typename Self>
class CommonCall {
  public:
    /// "default" unless given; for a tool the pool whose tool is meant, or wherever one is.
    Self& pool(std::string name) { return pool_ = std::move(name), self(); }
    /// From now to the end, waiting for a worker included.
    Self& timeout(Timeout time) { return timeout_ = time, self(); }
    /// Send chunks as they come.
    Self& stream(bool wanted = true) { return stream_ = wanted, self(); }
    /// Chunks that Python may send ahead of you.
    Self& stream_window(std::uint32_t chunks) { return window_ = chunks, self(); }
    /// The tool call that this is made for, which bounds its time and depth.
    template <typename Mode>
    Self& parent(const BasicInvocation<Mode>& invocation) {
        return parent_ = invocation.raw(), self();
    }
    /// W3C trace context.
    Self& traceparent(std::string text) { return trace_ = std::move(text), self(); }

  protected:
    Self& content(std::string json) { return json_ = std::move(json), value_.reset(), self(); }
    Self& content(const Value& value) { return value_.emplace(value), self(); }

    /// Calls `f(content)` with the document, or null. Fails as the text's parser does; the sink is
    /// ended then as the C ABI would.
    template <typename F>
    Result<spb_operation> with_content(const spb_sink* sink, F&& f) const {
        std::optional<Value> made = value_;
        if (!made && !json_.empty()) {
            auto parsed = Value::json(json_);
            if (!parsed) {
                if (sink != nullptr && sink->destroy != nullptr) sink->destroy(sink->user_data);
                return std::move(parsed).error();
            }
            made.emplace(std::move(*parsed));
        }
        spb_operation out{0};
        spb_error* error = nullptr;
        const spb_status status = f(made ? made->raw() : nullptr, &out, &error);
        if (status != SPB_OK) return Error(status, error);
        return out;
    }

    std::string pool_, trace_;
    Timeout timeout_;
    bool stream_ = false;
    std::uint32_t window_ = 0;
    spb_invocation parent_{0};

  private:
    Self& self() noexcept { return static_cast<Self&>(*this); }

    std::string json_;
    std::optional<Value> value_;
};

/// An operation of a framework, to execute in a session.
class Call : public CommonCall<Call> {
  public:
    /// Such as ("dspy", "predict"); see `Platform::schema`.
    Call(std::string framework, std::string operation)
        : framework_(std::move(framework)), operation_(std::move(operation)) {}
    /// An object. As text it is checked when the call is submitted.
    Call& parameters(std::string json) { return content(std::move(json)); }
    /// An object.
    template <typename Mode>
    Call& parameters(const BasicValue<Mode>& value) {
        return content(Value(value));
    }
    /// SPB_AFFINITY_*.
    Call& affinity(std::uint32_t affinity) { return affinity_ = affinity, *this; }

    /// Submits it in `session` with `sink` (or null), by the C ABI.
    Result<spb_operation> submit(spb_session session, const spb_sink* sink) const {
        spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
        options.framework = detail::view(framework_);
        options.operation = detail::view(operation_);
        options.pool = detail::view(pool_);
        options.timeout_ms = timeout_.ms();
        options.flags = stream_ ? SPB_EXECUTE_STREAM : 0;
        options.stream_window = window_;
        options.parent = parent_;
        options.traceparent = detail::view(trace_);
        options.affinity = affinity_;
        return with_content(sink, [&](const spb_value* content, spb_operation* out, spb_error** e) {
            options.parameters = content;
            return spb_execute(session, &options, sink, out, e);
        });
    }

  private:
    std::string framework_, operation_;
    std::uint32_t affinity_ = SPB_AFFINITY_DEFAULT;
};

/// A tool, the host's or Python's, to call by its name in a session.
class ToolCall : public CommonCall<ToolCall> {
  public:
    /// See `Platform::tools`.
    explicit ToolCall(std::string name) : name_(std::move(name)) {}
    /// An object. As text it is checked when the call is submitted.
    ToolCall& arguments(std::string json) { return content(std::move(json)); }
    /// An object.
    template <typename Mode>
    ToolCall& arguments(const BasicValue<Mode>& value) {
        return content(Value(value));
    }

    /// Submits it in `session` with `sink` (or null), by the C ABI.
    Result<spb_operation> submit(spb_session session, const spb_sink* sink) const {
        spb_tool_call_options options = SPB_TOOL_CALL_OPTIONS_INIT;
        options.name = detail::view(name_);
        options.pool = detail::view(pool_);
        options.timeout_ms = timeout_.ms();
        options.flags = stream_ ? SPB_TOOL_CALL_STREAM : 0;
        options.stream_window = window_;
        options.parent = parent_;
        options.traceparent = detail::view(trace_);
        return with_content(sink, [&](const spb_value* content, spb_operation* out, spb_error** e) {
            options.arguments = content;
            return spb_tool_call(session, &options, sink, out, e);
        });
    }

  private:
    std::string name_;
};

#if defined(SPB_CPP_COROUTINES)
/// `co_await`s the end of an operation, which begins then. The coroutine goes on where `executor`
/// puts it, or on a thread of the library, where it must not wait. A stop of `token` cancels it.
template <typename Mode>
class BasicAwaitable {
  public:
    /// Awaits what `submit` starts.
    BasicAwaitable(detail::Submit submit, Executor executor, std::stop_token token)
        : submit_(std::move(submit)),
          state_(std::make_shared<State>(std::move(executor))),
          token_(std::move(token)) {}

    /// Never: nothing has begun.
    bool await_ready() const noexcept { return false; }
    /// Begins.
    bool await_suspend(std::coroutine_handle<> waiting) {
        // Once submitted, the coroutine may go on elsewhere and take this object along: only what
        // is copied here is touched afterwards.
        const std::shared_ptr<State> state = state_;
        const std::stop_token token = token_;
        const detail::Submit submit = std::move(submit_);
        state->waiting = waiting;
        const spb_sink sink = detail::sink([state](spb_event& event) {
            if (event.kind != SPB_EVENT_OP_DONE) return;
            state->outcome.emplace(detail::take_outcome(event));
            detail::dispatch(state->executor, [state] { state->waiting.resume(); });
        });
        auto submitted = submit(&sink);
        if (!submitted) {
            state->outcome.emplace(std::move(submitted).error());
            return false;
        }
        auto operation = std::make_shared<Operation>(*submitted);
        if (token.stop_possible()) state->stop.emplace(token, Cancel{std::move(operation)});
        return true;
    }
    /// The operation's value or error, as the mode gives it.
    typename Mode::template Out<BasicValue<Mode>> await_resume() {
        Result<Value> outcome = std::move(*state_->outcome);
        if (!outcome) return Mode::out(Result<BasicValue<Mode>>(std::move(outcome).error()));
        return Mode::out(Result<BasicValue<Mode>>(BasicValue<Mode>(*outcome)));
    }

  private:
    using Operation = detail::Handle<spb_operation, spb_operation_free>;
    struct Cancel {
        std::shared_ptr<Operation> operation;
        void operator()() const noexcept { spb_operation_cancel(operation->raw(), nullptr); }
    };
    struct State {
        explicit State(Executor given) : executor(std::move(given)) {}
        Executor executor;
        std::coroutine_handle<> waiting;
        std::optional<Result<Value>> outcome;
        std::optional<std::stop_callback<Cancel>> stop;
    };

    detail::Submit submit_;
    std::shared_ptr<State> state_;
    std::stop_token token_;
};
#endif

/* ---- Sessions -------------------------------------------------------------------------------- */

/// How a session is to be.
class SessionSpec {
  public:
    /// A name of your own, at most 128 bytes; a random one unless given.
    SessionSpec& id(std::string id) { return id_ = std::move(id), *this; }
    /// A JSON object that is kept and shown.
    SessionSpec& metadata(std::string json) { return metadata_ = std::move(json), *this; }
    /// Closed when unused for so long.
    SessionSpec& ttl(Timeout time) { return ttl_ = time, *this; }
    /// SPB_AFFINITY_*.
    SessionSpec& affinity(std::uint32_t affinity) { return affinity_ = affinity, *this; }

    /// For the C ABI; lives as long as this.
    spb_session_options raw() const noexcept {
        spb_session_options options = SPB_SESSION_OPTIONS_INIT;
        options.id = detail::view(id_);
        options.metadata_json = detail::view(metadata_);
        options.ttl_ms = ttl_.ms();
        options.affinity = affinity_;
        return options;
    }

  private:
    std::string id_, metadata_;
    Timeout ttl_;
    std::uint32_t affinity_ = SPB_AFFINITY_DEFAULT;
};

/// On what condition a variable is written.
struct Write {
    /// Only over exactly this version; 0: whatever is there.
    std::uint64_t expected_version = 0;
    /// Who writes: the owner of a lock gets past it.
    std::string owner = {};

    /// For the C ABI; lives as long as this.
    spb_write_options raw() const noexcept {
        spb_write_options options = SPB_WRITE_OPTIONS_INIT;
        options.expected_version = expected_version;
        options.owner = detail::view(owner);
        return options;
    }
};

/// One of several writes that are made together.
struct NamedWrite {
    /// The variable.
    std::string name;
    /// What to write.
    Value value;
    /// Only over exactly this version; 0: whatever is there.
    std::uint64_t expected_version = 0;
};

/// A variable's value as `T`, and the version that it is.
template <typename T>
struct Versioned {
    /// The value.
    T value;
    /// Which of the variable's values it is, counting from 1.
    std::uint64_t version;
};

/// What a watch tells.
struct Change {
    /// `change`: a variable changed. `missed`: changes were not kept. `end`: the last one.
    enum class Kind { change, missed, end };
    /// Which of them.
    Kind kind;
    /// Of a change the variable's version; of `missed` how many, 0 if nobody knows.
    std::uint64_t number;
    /// {"kind", "name", "id", "version", "revision"}, with "value" or "owner" where there is one.
    Value document;
    /// Why it ended; `Status::cancelled` if you did it.
    std::optional<Error> reason;
};

/// What to watch, and how.
struct WatchSpec {
    /// Names, with '*' for any text and '?' for one character, separated by commas; empty: all.
    std::string patterns = {};
    /// First every variable there is.
    bool initial = false;
    /// Of several changes of one variable that wait, only the newest comes.
    bool coalesce = false;
    /// Changes that may wait; 0: 1024.
    std::uint64_t queue_max = 0;
    /// Where the handler runs. It keeps the order of changes if the executor does.
    Executor executor = {};

    /// For the C ABI.
    spb_watch_options raw() const noexcept {
        spb_watch_options options = SPB_WATCH_OPTIONS_INIT;
        options.flags = (initial ? SPB_WATCH_INITIAL : 0u) | (coalesce ? SPB_WATCH_COALESCE : 0u);
        options.queue_max = queue_max;
        return options;
    }
};

/// A subscription to changes or logs; dropping it ends it.
template <typename Mode>
class BasicWatch {
  public:
    /// None.
    BasicWatch() = default;
    /// Takes over what the C ABI handed out.
    explicit BasicWatch(spb_watch raw) : handle_(raw) {}
    /// The same subscription in the other mode.
    template <typename Other>
    BasicWatch<Other> as() && {
        return BasicWatch<Other>(handle_.release());
    }
    /// Ends it; what waits still comes, and of a watch of variables the end behind it.
    typename Mode::template Out<void> stop() const {
        return Mode::out(
            detail::run([&](spb_error** e) { return spb_watch_stop(handle_.raw(), e); }));
    }

  private:
    detail::Handle<spb_watch, spb_watch_free> handle_;
};

/// A variable that nobody but its owner can write: given back at the end of this object.
template <typename Mode>
class BasicVariableLock {
  public:
    BasicVariableLock(BasicVariableLock&& other) noexcept
        : session_(std::exchange(other.session_, spb_session{0})),
          name_(std::move(other.name_)),
          owner_(std::move(other.owner_)) {}
    BasicVariableLock& operator=(BasicVariableLock&&) = delete;
    ~BasicVariableLock() {
        spb_variable_unlock(session_, detail::view(name_), detail::view(owner_), nullptr);
    }
    /// For writes that get past it.
    Write write() const { return Write{0, owner_}; }

  private:
    template <typename>
    friend class BasicSession;
    BasicVariableLock(spb_session session, std::string name, std::string owner)
        : session_(session), name_(std::move(name)), owner_(std::move(owner)) {}

    spb_session session_;
    std::string name_, owner_;
};

/// Variables, tools and affinity that calls share. Dropping it does not close the session.
template <typename Mode>
class BasicSession {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    /// Takes over what the C ABI handed out.
    explicit BasicSession(spb_session raw) : handle_(raw) {}
    /// The same session in the other mode.
    template <typename Other>
    BasicSession<Other> as() && {
        return BasicSession<Other>(handle_.release());
    }

    /// Submits a call. Everything wrong with it is an error here. With a target its chunks and its
    /// end are events of a queue.
    Out<BasicOperation<Mode>> execute(const Call& call, const Target& target = {}) const {
        return started(call, target);
    }
    /// Submits a call whose end becomes a `std::future`, also what is wrong with it.
    BasicPending<Mode> execute_future(const Call& call) const {
        return detail::pending<Mode>(submission(call));
    }
    /// Calls a tool by its name: as `execute`, and the result is the tool's.
    Out<BasicOperation<Mode>> call_tool(const ToolCall& call, const Target& target = {}) const {
        return started(call, target);
    }
    /// As `execute_future`, of a tool.
    BasicPending<Mode> call_tool_future(const ToolCall& call) const {
        return detail::pending<Mode>(submission(call));
    }
#if defined(SPB_CPP_COROUTINES)
    /// `co_await`s a call.
    BasicAwaitable<Mode> co_execute(Call call, Executor executor = {},
                                    std::stop_token token = {}) const {
        return {submission(std::move(call)), std::move(executor), std::move(token)};
    }
    /// `co_await`s a call of a tool.
    BasicAwaitable<Mode> co_call_tool(ToolCall call, Executor executor = {},
                                      std::stop_token token = {}) const {
        return {submission(std::move(call)), std::move(executor), std::move(token)};
    }
#endif

    /// {"id", "metadata", "affinity", "age_ms", "idle_ms", "ttl_ms", ...}.
    Out<BasicValue<Mode>> info() const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_session_info(handle_.raw(), out, e);
        });
    }
    /// Counts as a use: its time to live starts again.
    Out<void> touch() const {
        return run([&](spb_error** e) { return spb_session_touch(handle_.raw(), e); });
    }
    /// Closes it for every host: its operations are cancelled, its tools and variables go.
    Out<BasicOperation<Mode>> close(const Target& target = {}) const {
        return detail::start<Mode>([&](spb_operation* out, spb_error** e) {
            return spb_session_close(handle_.raw(), target.raw(), out, e);
        });
    }
    /// A session with the same variables, at one moment.
    Out<BasicSession> clone(const SessionSpec& spec = {}) const {
        return Mode::out(
            detail::make<BasicSession, spb_session>([&](spb_session* out, spb_error** e) {
                const spb_session_options options = spec.raw();
                return spb_session_clone(handle_.raw(), &options, out, e);
            }));
    }
    /// Writes it to a file. Waits for the disk.
    Out<void> export_to(std::string_view path) const {
        return run([&](spb_error** e) {
            return spb_session_export(handle_.raw(), detail::view(path), e);
        });
    }
    /// It as a value, for `Platform::import_session`.
    Out<BasicValue<Mode>> export_value() const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_session_export_value(handle_.raw(), out, e);
        });
    }

    /// Registers a variable of `type` ("string", "integer", ...; docs/state.md) as version 1.
    template <typename T>
    Out<std::uint64_t> register_variable(std::string_view name, std::string_view type,
                                         const T& initial, std::string_view constraints_json = {},
                                         std::string_view metadata_json = {}) const {
        return Mode::out(
            written(initial, [&](const Value& value, std::uint64_t* out, spb_error** e) {
                spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
                options.name = detail::view(name);
                options.type = detail::view(type);
                options.constraints_json = detail::view(constraints_json);
                options.metadata_json = detail::view(metadata_json);
                return spb_variable_register(handle_.raw(), &options, value.raw(), out, e);
            }));
    }
    /// Reads a variable as bool, an integer, a float, std::string, `Value`, or what `Codec` knows.
    template <typename T = Value>
    Out<Versioned<T>> get(std::string_view name) const {
        return Mode::out([&]() -> Result<Versioned<T>> {
            std::uint64_t version = 0;
            auto found = detail::make<Value, spb_value*>([&](spb_value** out, spb_error** e) {
                return spb_variable_get(handle_.raw(), detail::view(name), out, &version, e);
            });
            if (!found) return std::move(found).error();
            auto read = Codec<T>::read(*found);
            if (!read) return std::move(read).error();
            return Versioned<T>{std::move(*read), version};
        }());
    }
    /// Writes a variable and gives its new version.
    template <typename T>
    Out<std::uint64_t> set(std::string_view name, const T& content, const Write& write = {}) const {
        return Mode::out(
            written(content, [&](const Value& value, std::uint64_t* out, spb_error** e) {
                const spb_write_options options = write.raw();
                return spb_variable_set_with(handle_.raw(), detail::view(name), value.raw(),
                                             &options, out, e);
            }));
    }
    /// Reads, reckons and writes in one step; `update` is a document such as {"add": 1}.
    Out<Versioned<BasicValue<Mode>>> update(std::string_view name, const Value& update,
                                            const Write& write = {}) const {
        return Mode::out([&]() -> Result<Versioned<BasicValue<Mode>>> {
            std::uint64_t version = 0;
            auto now =
                detail::make<BasicValue<Mode>, spb_value*>([&](spb_value** out, spb_error** e) {
                    const spb_write_options options = write.raw();
                    return spb_variable_update(handle_.raw(), detail::view(name), update.raw(),
                                               &options, out, &version, e);
                });
            if (!now) return std::move(now).error();
            return Versioned<BasicValue<Mode>>{std::move(*now), version};
        }());
    }
    /// Writes the value that an earlier version had, as a new version, and gives that.
    Out<std::uint64_t> rollback(std::string_view name, std::uint64_t version,
                                const Write& write = {}) const {
        return Mode::out(
            detail::make<std::uint64_t, std::uint64_t>([&](std::uint64_t* out, spb_error** e) {
                const spb_write_options options = write.raw();
                return spb_variable_rollback(handle_.raw(), detail::view(name), version, &options,
                                             out, e);
            }));
    }
    /// The values that are kept, oldest first: [{"version", "value"}].
    Out<BasicValue<Mode>> history(std::string_view name) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_variable_history(handle_.raw(), detail::view(name), out, e);
        });
    }
    /// The variables whose names match `pattern`, an array of {"name", "type", "id", "version",
    /// "value", "constraints", "metadata"}: at most `limit` (0: all that a page may have) behind
    /// the name `after`.
    Out<BasicValue<Mode>> variables(std::string_view pattern = {}, std::string_view after = {},
                                    std::size_t limit = 0) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_variable_list_page(handle_.raw(), detail::view(pattern), detail::view(after),
                                          limit, out, e);
        });
    }
    /// {"found": [...], "missing": [...]} at one moment.
    Out<BasicValue<Mode>> get_many(const std::vector<std::string>& names) const {
        std::vector<spb_str> views;
        for (const std::string& each : names) views.push_back(detail::view(each));
        return value([&](spb_value** out, spb_error** e) {
            return spb_variable_get_many(handle_.raw(), views.data(), views.size(), out, e);
        });
    }
    /// Writes all or none, and gives [{"name", "id", "version"}]. `owner` gets past its own locks.
    Out<BasicValue<Mode>> set_many(const std::vector<NamedWrite>& writes,
                                   std::string_view owner = {}) const {
        std::vector<spb_variable_write> raw;
        for (const NamedWrite& each : writes) {
            spb_variable_write write{};
            write.name = detail::view(each.name);
            write.value = each.value.raw();
            write.expected_version = each.expected_version;
            raw.push_back(write);
        }
        return value([&](spb_value** out, spb_error** e) {
            return spb_variable_set_many(handle_.raw(), raw.data(), raw.size(), detail::view(owner),
                                         out, e);
        });
    }
    /// Deletes a variable.
    Out<void> remove(std::string_view name, const Write& write = {}) const {
        return run([&](spb_error** e) {
            const spb_write_options options = write.raw();
            return spb_variable_delete_with(handle_.raw(), detail::view(name), &options, e);
        });
    }
    /// Keeps everybody but `owner` from writing it for that time.
    Out<void> lock(std::string_view name, std::string_view owner,
                   std::chrono::milliseconds ttl) const {
        return run([&](spb_error** e) {
            return spb_variable_lock(handle_.raw(), detail::view(name), detail::view(owner),
                                     static_cast<std::uint64_t>(std::max<std::int64_t>(
                                         0, static_cast<std::int64_t>(ttl.count()))),
                                     e);
        });
    }
    /// As `lock`, until the object that it gives ends, and for `ttl` at most. The session has to
    /// outlive it.
    Out<BasicVariableLock<Mode>> hold(std::string_view name, std::string_view owner,
                                      std::chrono::milliseconds ttl) const {
        return Mode::out([&]() -> Result<BasicVariableLock<Mode>> {
            const auto raw_ttl = static_cast<std::uint64_t>(std::max<std::int64_t>(0, ttl.count()));
            auto locked = detail::run([&](spb_error** e) {
                return spb_variable_lock(handle_.raw(), detail::view(name), detail::view(owner),
                                         raw_ttl, e);
            });
            if (!locked) return std::move(locked).error();
            return BasicVariableLock<Mode>(handle_.raw(), std::string(name), std::string(owner));
        }());
    }
    /// Gives a locked variable back.
    Out<void> unlock(std::string_view name, std::string_view owner) const {
        return run([&](spb_error** e) {
            return spb_variable_unlock(handle_.raw(), detail::view(name), detail::view(owner), e);
        });
    }
    /// Tells `handler(const Change&)` of changes, in order; dropping the watch ends it.
    template <typename F, typename = std::enable_if_t<std::is_invocable_v<F&, const Change&>>>
    Out<BasicWatch<Mode>> watch(const WatchSpec& spec, F handler) const {
        auto shared = std::make_shared<F>(std::move(handler));
        const spb_sink sink = detail::sink([shared, executor = spec.executor](spb_event& event) {
            auto change = std::make_shared<const Change>(change_of(event));
            detail::dispatch(executor, [shared, change] { (*shared)(*change); });
        });
        return watch(spec, &sink);
    }
    /// As above, as events of a queue.
    Out<BasicWatch<Mode>> watch(const WatchSpec& spec, const Target& target) const {
        return watch(spec, target.raw());
    }
    /// For the C ABI.
    spb_session raw() const noexcept {
        return handle_.raw();
    }

  private:
    template <typename F>
    static Out<BasicValue<Mode>> value(F&& f) {
        return Mode::out(detail::make<BasicValue<Mode>, spb_value*>(std::forward<F>(f)));
    }
    template <typename F>
    static Out<void> run(F&& f) {
        return Mode::out(detail::run(std::forward<F>(f)));
    }
    template <typename C>
    Out<BasicOperation<Mode>> started(const C& call, const Target& target) const {
        return Mode::out(call.submit(handle_.raw(), target.raw()).and_then([](spb_operation raw) {
            return Result<BasicOperation<Mode>>(BasicOperation<Mode>(raw));
        }));
    }
    template <typename C>
    detail::Submit submission(C call) const {
        return [session = handle_.raw(), call = std::move(call)](const spb_sink* sink) {
            return call.submit(session, sink);
        };
    }
    template <typename T, typename F>
    static Result<std::uint64_t> written(const T& content, F&& f) {
        auto value = Codec<T>::write(content);
        if (!value) return std::move(value).error();
        return detail::make<std::uint64_t, std::uint64_t>(
            [&](std::uint64_t* out, spb_error** e) { return f(*value, out, e); });
    }
    Out<BasicWatch<Mode>> watch(const WatchSpec& spec, const spb_sink* sink) const {
        const spb_watch_options options = spec.raw();
        return Mode::out(
            detail::make<BasicWatch<Mode>, spb_watch>([&](spb_watch* out, spb_error** e) {
                return spb_watch_start(handle_.raw(), detail::view(spec.patterns), &options, sink,
                                       out, e);
            }));
    }
    static Change change_of(spb_event& event) {
        Change change{Change::Kind::change, event.sequence, Value(), std::nullopt};
        if (event.kind == SPB_EVENT_WATCH_MISSED) change.kind = Change::Kind::missed;
        if (event.kind == SPB_EVENT_WATCH_END) {
            change.kind = Change::Kind::end;
            change.reason.emplace(event.status, std::exchange(event.error, nullptr));
        }
        if (event.value != nullptr) change.document = detail::take_value(event);
        return change;
    }

    detail::Handle<spb_session, spb_session_free> handle_;
};

/* ---- Pools and the platform ------------------------------------------------------------------ */

/// A named pool of Python workers.
template <typename Mode>
class BasicPool {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    /// Takes over what the C ABI handed out.
    explicit BasicPool(spb_pool raw) : handle_(raw) {}
    /// The same pool in the other mode.
    template <typename Other>
    BasicPool<Other> as() && {
        return BasicPool<Other>(handle_.release());
    }

    /// An operation that ends when `workers` of them (0: all) are ready, or fails with the story of
    /// why they are not.
    Out<BasicOperation<Mode>> await_ready(std::uint32_t workers = 0, Timeout time = {},
                                          const Target& target = {}) const {
        return detail::start<Mode>([&](spb_operation* out, spb_error** e) {
            return spb_pool_await_ready(handle_.raw(), workers, time.ms(), target.raw(), out, e);
        });
    }
    /// Empties it: an operation that ends when no worker is left. Calls that run may end within
    /// `grace`; those that wait are refused, and new ones until a `resize`.
    Out<BasicOperation<Mode>> drain(Timeout grace = {}, const Target& target = {}) const {
        return detail::start<Mode>([&](spb_operation* out, spb_error** e) {
            return spb_pool_drain(handle_.raw(), grace.ms(), target.raw(), out, e);
        });
    }
    /// `workers_min` whatever the load, and up to `workers_max` (0: the same) under load.
    Out<void> resize(std::uint32_t workers_min, std::uint32_t workers_max = 0) const {
        return Mode::out(detail::run([&](spb_error** e) {
            return spb_pool_resize(handle_.raw(), workers_min, workers_max, e);
        }));
    }
    /// What its frameworks can do, as JSON Schema; all of them for an empty name. Known once its
    /// first worker is ready.
    Out<BasicValue<Mode>> schema(std::string_view framework = {}) const {
        return Mode::out(
            detail::make<BasicValue<Mode>, spb_value*>([&](spb_value** out, spb_error** e) {
                return spb_pool_schema(handle_.raw(), detail::view(framework), out, e);
            }));
    }
    /// Its counts, and a row for each worker.
    Out<BasicValue<Mode>> stats() const {
        return Mode::out(detail::make<BasicValue<Mode>, spb_value*>(
            [&](spb_value** out, spb_error** e) { return spb_pool_stats(handle_.raw(), out, e); }));
    }

  private:
    detail::Handle<spb_pool, spb_pool_free> handle_;
};

/// A log record, or how many were not taken in time.
struct LogRecord {
    /// {"level", "target", "message", ...} (docs/telemetry.md).
    Value document;
    /// How many records were dropped here; 0 of a record.
    std::uint64_t dropped;
};

/// The version of the loaded library, such as "0.1.0".
inline std::string_view version() noexcept {
    return spb_version();
}

/// The JSON Schema of the document that `Platform::open` takes.
inline std::string_view config_schema() noexcept {
    return detail::view(spb_config_schema());
}

/// One embedded platform: its pools, sessions, tools and threads. Dropping it closes it in the
/// background; `close` waits.
template <typename Mode>
class BasicPlatform {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    /// Takes over what the C ABI handed out.
    explicit BasicPlatform(spb_platform raw) : handle_(raw) {}
    /// The same platform in the other mode.
    template <typename Other>
    BasicPlatform<Other> as() && {
        return BasicPlatform<Other>(handle_.release());
    }

    /// Opens a platform as the document says (docs/configuration.md). Fails with
    /// `Status::abi_mismatch` when header and library do not fit each other.
    static Out<BasicPlatform> open(std::string_view config_json = "{}") {
        return Mode::out([&]() -> Result<BasicPlatform> {
            if (!spb_abi_check()) {
                return Error::failure(
                    "the loaded library is older than the header, or of another "
                    "major version",
                    Status::abi_mismatch);
            }
            return detail::make<BasicPlatform, spb_platform>([&](spb_platform* out, spb_error** e) {
                return spb_platform_open(detail::view(config_json), out, e);
            });
        }());
    }
    /// Closes it and waits: calls under way may end within `grace`, then every worker is gone.
    Out<void> close(Timeout grace = {}) const {
        return Mode::out(detail::run(
            [&](spb_error** e) { return spb_platform_close(handle_.raw(), grace.ms(), e); }));
    }
    /// As `close`, as an operation.
    Out<BasicOperation<Mode>> shutdown(Timeout grace = {}, const Target& target = {}) const {
        return detail::start<Mode>([&](spb_operation* out, spb_error** e) {
            return spb_platform_shutdown(handle_.raw(), grace.ms(), target.raw(), out, e);
        });
    }
    /// Whether it is live and ready, and why not, pool by pool.
    Out<BasicValue<Mode>> health() const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_platform_health(handle_.raw(), out, e);
        });
    }
    /// Everything that a client can be generated from: frameworks by pool, tools, statuses, types
    /// of variables and limits.
    Out<BasicValue<Mode>> describe() const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_platform_describe(handle_.raw(), out, e);
        });
    }
    /// What frameworks can do, as JSON Schema; all of them for an empty name.
    Out<BasicValue<Mode>> schema(std::string_view framework = {}) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_platform_schema(handle_.raw(), detail::view(framework), out, e);
        });
    }
    /// All metrics in Prometheus's text format.
    Out<std::string> metrics() const {
        return Mode::out(detail::text([&](spb_text** out, spb_error** e) {
            return spb_platform_metrics(handle_.raw(), out, e);
        }));
    }
    /// A completion queue, for an event loop of yours.
    Out<BasicQueue<Mode>> queue() const {
        return Mode::out(detail::make<BasicQueue<Mode>, spb_queue>(
            [&](spb_queue* out, spb_error** e) { return spb_queue_new(handle_.raw(), out, e); }));
    }
    /// The pool of that name; "default" for an empty one.
    Out<BasicPool<Mode>> pool(std::string_view name = {}) const {
        return Mode::out(detail::make<BasicPool<Mode>, spb_pool>([&](spb_pool* out, spb_error** e) {
            return spb_pool_get(handle_.raw(), detail::view(name), out, e);
        }));
    }

    /// Opens a session.
    Out<BasicSession<Mode>> open_session(const SessionSpec& spec = {}) const {
        return session([&](spb_session* out, spb_error** e) {
            const spb_session_options options = spec.raw();
            return spb_session_open(handle_.raw(), &options, out, e);
        });
    }
    /// The session of that id, open on this host or in the store.
    Out<BasicSession<Mode>> join_session(std::string_view id) const {
        return session([&](spb_session* out, spb_error** e) {
            return spb_session_join(handle_.raw(), detail::view(id), out, e);
        });
    }
    /// Opens what a file of `Session::export_to` holds. Waits for the disk.
    Out<BasicSession<Mode>> import_session(std::string_view path,
                                           const SessionSpec& spec = {}) const {
        return session([&](spb_session* out, spb_error** e) {
            const spb_session_options options = spec.raw();
            return spb_session_import(handle_.raw(), detail::view(path), &options, out, e);
        });
    }
    /// Opens what `Session::export_value` gave.
    Out<BasicSession<Mode>> import_session(const BasicValue<Mode>& archive,
                                           const SessionSpec& spec = {}) const {
        return session([&](spb_session* out, spb_error** e) {
            const spb_session_options options = spec.raw();
            return spb_session_import_value(handle_.raw(), archive.raw(), &options, out, e);
        });
    }
    /// The sessions of the store by their ids, an array of documents: at most `limit` (0: all that
    /// a page may have) behind `after_id`.
    Out<BasicValue<Mode>> sessions(std::string_view after_id = {}, std::size_t limit = 0) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_session_list(handle_.raw(), detail::view(after_id), limit, out, e);
        });
    }

    /// Registers a tool for the calls of all sessions. `function` takes `(const Value&)` and gives
    /// a value, a `Result<Value>`, or anything that stands for a value; or it takes the
    /// `Invocation` and answers it when it likes. What it throws becomes the tool's failure.
    template <typename F, typename = std::enable_if_t<!std::is_same_v<F, Target>>>
    Out<BasicTool<Mode>> register_tool(const ToolSpec& spec, F function) const {
        return tool(spb_session{0}, spec, std::move(function));
    }
    /// As above, for the calls of one session.
    template <typename F, typename = std::enable_if_t<!std::is_same_v<F, Target>>>
    Out<BasicTool<Mode>> register_tool(const BasicSession<Mode>& session, const ToolSpec& spec,
                                       F function) const {
        return tool(session.raw(), spec, std::move(function));
    }
    /// Registers a tool whose calls are events of a queue, for the calls of all sessions.
    Out<BasicTool<Mode>> register_tool(const ToolSpec& spec, const Target& target) const {
        return tool(spb_session{0}, spec, target.raw());
    }
    /// As above, for the calls of one session.
    Out<BasicTool<Mode>> register_tool(const BasicSession<Mode>& session, const ToolSpec& spec,
                                       const Target& target) const {
        return tool(session.raw(), spec, target.raw());
    }
    /// The tools of all sessions, an array of documents.
    Out<BasicValue<Mode>> tools() const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_tool_list(handle_.raw(), spb_session{0}, out, e);
        });
    }
    /// The tools that calls of `session` can use.
    Out<BasicValue<Mode>> tools(const BasicSession<Mode>& session) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_tool_list(handle_.raw(), session.raw(), out, e);
        });
    }
    /// Tells `handler(const LogRecord&)` of records of at least `level` (10 debug, 20 info, 30
    /// warning, 40 error; 0 as configured). Dropping the watch ends it.
    template <typename F, typename = std::enable_if_t<std::is_invocable_v<F&, const LogRecord&>>>
    Out<BasicWatch<Mode>> subscribe_logs(std::int32_t level, F handler,
                                         std::string_view target_prefix = {}) const {
        const spb_sink sink =
            detail::sink([handler = std::move(handler)](spb_event& event) mutable {
                if (event.kind == SPB_EVENT_OVERFLOW) handler(LogRecord{Value(), event.sequence});
                if (event.kind == SPB_EVENT_LOG) handler(LogRecord{detail::take_value(event), 0});
            });
        return logs(level, target_prefix, &sink);
    }
    /// As above, as events of a queue.
    Out<BasicWatch<Mode>> subscribe_logs(std::int32_t level, const Target& target,
                                         std::string_view target_prefix = {}) const {
        return logs(level, target_prefix, target.raw());
    }
    /// For the C ABI.
    spb_platform raw() const noexcept { return handle_.raw(); }

  private:
    template <typename F>
    static Out<BasicValue<Mode>> value(F&& f) {
        return Mode::out(detail::make<BasicValue<Mode>, spb_value*>(std::forward<F>(f)));
    }
    template <typename F>
    static Out<BasicSession<Mode>> session(F&& f) {
        return Mode::out(detail::make<BasicSession<Mode>, spb_session>(std::forward<F>(f)));
    }
    template <typename F>
    Out<BasicTool<Mode>> tool(spb_session scope, const ToolSpec& spec, F function) const {
        auto shared = std::make_shared<F>(std::move(function));
        auto calls = std::make_shared<detail::CallsInHand>();
        const spb_sink sink =
            detail::sink([shared, calls, executor = spec.executor()](spb_event& event) {
                if (event.kind == SPB_EVENT_TOOL_CANCEL) calls->cancel(event.invocation.id);
                if (event.kind != SPB_EVENT_TOOL_CALL) return;
                auto call = std::make_shared<BasicInvocation<Mode>>(
                    std::exchange(event.invocation, spb_invocation{0}), detail::take_value(event),
                    calls);
                detail::dispatch(executor,
                                 [shared, call] { detail::answer(*shared, std::move(*call)); });
            });
        return tool(scope, spec, &sink);
    }
    Out<BasicTool<Mode>> tool(spb_session scope, const ToolSpec& spec, const spb_sink* sink) const {
        const spb_tool_options options = spec.raw();
        return Mode::out(detail::make<BasicTool<Mode>, spb_tool>([&](spb_tool* out, spb_error** e) {
            return spb_tool_register(handle_.raw(), scope, &options, sink, out, e);
        }));
    }
    Out<BasicWatch<Mode>> logs(std::int32_t level, std::string_view target_prefix,
                               const spb_sink* sink) const {
        spb_log_options options = SPB_LOG_OPTIONS_INIT;
        options.level = level;
        options.target_prefix = detail::view(target_prefix);
        return Mode::out(
            detail::make<BasicWatch<Mode>, spb_watch>([&](spb_watch* out, spb_error** e) {
                return spb_log_subscribe(handle_.raw(), &options, sink, out, e);
            }));
    }

    detail::Handle<spb_platform, spb_platform_free> handle_;
};

/* ---- Names ----------------------------------------------------------------------------------- */

using Operation = BasicOperation<Returning>;
using Chunks = BasicChunks<Returning>;
using Pending = BasicPending<Returning>;
using Event = BasicEvent<Returning>;
using Queue = BasicQueue<Returning>;
using Invocation = BasicInvocation<Returning>;
using Tool = BasicTool<Returning>;
using Watch = BasicWatch<Returning>;
using VariableLock = BasicVariableLock<Returning>;
using Session = BasicSession<Returning>;
using Pool = BasicPool<Returning>;
using Platform = BasicPlatform<Returning>;
#if defined(SPB_CPP_COROUTINES)
using Awaitable = BasicAwaitable<Returning>;
#endif

#if defined(SPB_CPP_EXCEPTIONS)
/// The same, with exceptions in place of `Result`.
namespace throwing {
using Value = BasicValue<Throwing>;
using Operation = BasicOperation<Throwing>;
using Chunks = BasicChunks<Throwing>;
using Pending = BasicPending<Throwing>;
using Event = BasicEvent<Throwing>;
using Queue = BasicQueue<Throwing>;
using Invocation = BasicInvocation<Throwing>;
using Tool = BasicTool<Throwing>;
using Watch = BasicWatch<Throwing>;
using VariableLock = BasicVariableLock<Throwing>;
using Session = BasicSession<Throwing>;
using Pool = BasicPool<Throwing>;
using Platform = BasicPlatform<Throwing>;
#if defined(SPB_CPP_COROUTINES)
using Awaitable = BasicAwaitable<Throwing>;
#endif

using snakepit_bridge::BFloat16;
using snakepit_bridge::Call;
using snakepit_bridge::Change;
using snakepit_bridge::Codec;
using snakepit_bridge::config_schema;
using snakepit_bridge::dtype_of;
using snakepit_bridge::Error;
using snakepit_bridge::Exception;
using snakepit_bridge::Executor;
using snakepit_bridge::Float16;
using snakepit_bridge::LogRecord;
using snakepit_bridge::name;
using snakepit_bridge::NamedWrite;
using snakepit_bridge::Progress;
using snakepit_bridge::Result;
using snakepit_bridge::Returning;
using snakepit_bridge::SessionSpec;
using snakepit_bridge::Shape;
using snakepit_bridge::Span;
using snakepit_bridge::Status;
using snakepit_bridge::Target;
using snakepit_bridge::Tensor;
using snakepit_bridge::Throwing;
using snakepit_bridge::Timeout;
using snakepit_bridge::ToolCall;
using snakepit_bridge::ToolSpec;
using snakepit_bridge::unhandled_exception_handler;
using snakepit_bridge::version;
using snakepit_bridge::Versioned;
using snakepit_bridge::Wait;
using snakepit_bridge::WatchSpec;
using snakepit_bridge::Write;
}  // namespace throwing
#endif

}  // namespace snakepit_bridge

#undef SPB_CPP_TRY
#undef SPB_CPP_CATCH

#endif /* SNAKEPIT_BRIDGE_HPP */
