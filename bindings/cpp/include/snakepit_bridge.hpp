/*
 * snakepit_bridge.hpp: the C ABI of snakepit_bridge.h as C++17, in one header.
 *
 *     namespace spb = snakepit_bridge::throwing;
 *
 *     auto platform = spb::Platform::open(R"({"pools": {"default": {"frameworks": {"dspy":
 * {}}}}})"); auto session = platform.open_session(); auto answer = session.execute(
 *         spb::Call("dspy", "predict").parameters(R"({"signature": "question -> answer", ...})"));
 *     std::cout << answer.result().json();
 *
 * Two modes, one set of classes. In `snakepit_bridge` every function that can fail gives a
 * `Result<T>` and nothing throws; in `snakepit_bridge::throwing` the same functions give a `T` and
 * throw `Exception`. `-fno-exceptions` leaves the first. Objects of one mode become those of the
 * other with `std::move(x).as<Mode>()`.
 *
 * Ownership: every handle is an object that can be moved, not copied, and frees its handle at its
 * end. As in C, that cancels and closes nothing: `Operation::cancel`, `Session::close` and
 * `Platform::close` do. `Value`, `Error` are cheap to copy and immutable.
 * Threads: every function may be called from any thread; one object is used by one thread at a
 * time. Functions of yours that the library calls (tools, watches, logs, the resumption of a
 * coroutine) run on its callback threads, where what waits is refused with
 * `Status::would_deadlock`: give an `Executor` to run them on threads of your own. Times: a
 * `Timeout` of an option is `configured()` unless given; waits without one last for ever.
 */

#ifndef SNAKEPIT_BRIDGE_HPP
#define SNAKEPIT_BRIDGE_HPP

#include <snakepit_bridge.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
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

/// How a call ended. The numbers are those of the C ABI; a library that is newer than this header
/// may have more.
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
        return own_ ? std::string_view(own_->details)
                    : detail::view(spb_error_details_json(error_.get()));
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
    explicit Exception(Error error) : error_(std::move(error)), what_(error_.to_string()) {}
    const char* what() const noexcept override { return what_.c_str(); }
    const Error& error() const noexcept { return error_; }
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

    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const noexcept { return content_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }
    Status status() const noexcept {
        return ok() ? Status::ok : std::get_if<1>(&content_)->status();
    }

    T& value() & noexcept { return *check(std::get_if<0>(&content_)); }
    const T& value() const& noexcept { return *check(std::get_if<0>(&content_)); }
    T&& value() && noexcept { return std::move(*check(std::get_if<0>(&content_))); }
    const Error& error() const& noexcept { return *check(std::get_if<1>(&content_)); }
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

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool ok() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    Status status() const noexcept { return ok() ? Status::ok : error_->status(); }
    void value() const noexcept {
        if (!ok()) std::terminate();
    }
    const Error& error() const& noexcept {
        if (ok()) std::terminate();
        return *error_;
    }
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
    template <typename T>
    using Out = Result<T>;
    template <typename T>
    static Result<T> out(Result<T> result) {
        return result;
    }
};

#if defined(SPB_CPP_EXCEPTIONS)
/// Functions give `T` and throw.
struct Throwing {
    template <typename T>
    using Out = T;
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
    constexpr Timeout() noexcept = default;
    template <typename Rep, typename Period>
    constexpr Timeout(std::chrono::duration<Rep, Period> time) noexcept
        : ms_(std::max<std::int64_t>(
              1, std::chrono::duration_cast<std::chrono::milliseconds>(time).count())) {}
    static constexpr Timeout configured() noexcept { return Timeout(); }
    static constexpr Timeout none() noexcept {
        Timeout made;
        made.ms_ = SPB_NO_TIMEOUT;
        return made;
    }
    constexpr std::int64_t ms() const noexcept { return ms_; }

  private:
    std::int64_t ms_ = 0;
};

/// How long to wait: for ever unless given; zero looks once.
using Wait = std::optional<std::chrono::milliseconds>;

/// Runs a function soon, on a thread where waiting is allowed. Empty: at once, on the library's.
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

/// `size` elements in memory that somebody else owns. Becomes a `std::span` where there is one.
template <typename T>
class Span {
  public:
    using value_type = std::remove_cv_t<T>;

    constexpr Span() noexcept = default;
    constexpr Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <typename C, typename = decltype(std::declval<C&>().data())>
    constexpr Span(C& container) noexcept : data_(container.data()), size_(container.size()) {}
    constexpr T* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T* begin() const noexcept { return data_; }
    constexpr T* end() const noexcept { return data_ + size_; }
    constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// The SPB_DTYPE_* of a C++ type, 0 for one that tensors do not have.
template <typename T>
constexpr std::uint32_t dtype_of() noexcept {
    if constexpr (std::is_same_v<T, bool>) return SPB_DTYPE_BOOL;
    if constexpr (std::is_same_v<T, float>) return SPB_DTYPE_FLOAT32;
    if constexpr (std::is_same_v<T, double>) return SPB_DTYPE_FLOAT64;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        constexpr bool is_signed = std::is_signed_v<T>;
        if constexpr (sizeof(T) == 1) return is_signed ? SPB_DTYPE_INT8 : SPB_DTYPE_UINT8;
        if constexpr (sizeof(T) == 2) return is_signed ? SPB_DTYPE_INT16 : SPB_DTYPE_UINT16;
        if constexpr (sizeof(T) == 4) return is_signed ? SPB_DTYPE_INT32 : SPB_DTYPE_UINT32;
        if constexpr (sizeof(T) == 8) return is_signed ? SPB_DTYPE_INT64 : SPB_DTYPE_UINT64;
    }
    return 0;
}

/// A tensor inside a value: row-major, little-endian. Lives as long as the value.
template <typename T>
struct Tensor {
    Span<const T> data;
    Span<const std::int64_t> shape;
};

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
    static BasicValue boolean(bool truth) {
        spb_value* out = nullptr;
        spb_value_from_bool(truth ? 1 : 0, &out, nullptr);
        return BasicValue(out);
    }
    /// One tensor; `data` is copied. `shape` multiplies to its size.
    template <typename T>
    static Out<BasicValue> tensor(Span<const T> data, Span<const std::int64_t> shape) {
        static_assert(dtype_of<T>() != 0, "tensors have no elements of this type");
        spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
        view.dtype = dtype_of<T>();
        view.data = data.data();
        view.len = data.size() * sizeof(T);
        view.shape = shape.data();
        view.ndim = shape.size();
        return Mode::out(detail::make<BasicValue, spb_value*>(
            [&](spb_value** out, spb_error** e) { return spb_value_from_tensor(&view, out, e); }));
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

    Out<std::string> as_text() const {
        return Mode::out([&]() -> Result<std::string> {
            spb_text* out = nullptr;
            spb_error* error = nullptr;
            const spb_status status = spb_value_as_text(raw_.get(), &out, &error);
            if (status != SPB_OK) return Error(status, error);
            const std::unique_ptr<spb_text, void (*)(spb_text*)> text(out, spb_text_free);
            return std::string(detail::view(spb_text_view(text.get())));
        }());
    }
    Out<std::int64_t> as_integer() const {
        return Mode::out(
            detail::make<std::int64_t, std::int64_t>([&](std::int64_t* out, spb_error** e) {
                return spb_value_as_i64(raw_.get(), out, e);
            }));
    }
    Out<double> as_number() const {
        return Mode::out(detail::make<double, double>(
            [&](double* out, spb_error** e) { return spb_value_as_f64(raw_.get(), out, e); }));
    }
    Out<bool> as_boolean() const {
        return Mode::out(detail::make<bool, std::uint8_t>([&](std::uint8_t* out, spb_error** e) {
            return spb_value_as_bool(raw_.get(), out, e);
        }));
    }

    std::size_t attachments() const noexcept { return spb_value_attachment_count(raw_.get()); }
    /// Attachment `index` as bytes.
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
            spb_tensor_view found{};
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
            return Tensor<T>{
                Span<const T>(static_cast<const T*>(found.data), found.len / sizeof(T)),
                Span<const std::int64_t>(found.shape, found.ndim)};
        }());
    }

    const spb_value* raw() const noexcept { return raw_.get(); }
    const std::shared_ptr<spb_value>& shared() const noexcept { return raw_; }

  private:
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

/// How a C++ type stands for a value: `read(Value)` and `write(T)`.
template <typename T>
struct Codec {
    static Result<T> read(const Value& value) {
        if constexpr (std::is_same_v<T, bool>) {
            return value.as_boolean();
        } else if constexpr (std::is_integral_v<T>) {
            auto number = value.as_integer();
            if (!number) return number.error();
            if (static_cast<std::int64_t>(static_cast<T>(*number)) != *number) {
                return Error::failure("the integer does not fit the type asked for",
                                      Status::type_mismatch);
            }
            return static_cast<T>(*number);
        } else if constexpr (std::is_floating_point_v<T>) {
            return value.as_number().and_then(
                [](double number) -> Result<T> { return static_cast<T>(number); });
        } else if constexpr (std::is_same_v<T, std::string>) {
            return value.as_text();
        } else {
            return T(value);
        }
    }
    static Result<Value> write(const T& content) {
        if constexpr (std::is_same_v<T, bool>) {
            return Value::boolean(content);
        } else if constexpr (std::is_integral_v<T>) {
            return Value::integer(static_cast<std::int64_t>(content));
        } else if constexpr (std::is_floating_point_v<T>) {
            return Value::number(static_cast<double>(content));
        } else if constexpr (std::is_convertible_v<T, std::string_view>) {
            return Value::text(content);
        } else {
            return Value(content);
        }
    }
};

}  // namespace detail

/* ---- Operations ------------------------------------------------------------------------------ */

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

    BasicOperation() = default;
    explicit BasicOperation(spb_operation raw) : handle_(raw) {}

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
    /// The next chunk of a call that streams; none after the last one.
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
    BasicChunks<Mode> chunks() const { return BasicChunks<Mode>(*this); }
    /// Asks it to end with `Status::cancelled`; its end comes as always.
    Out<void> cancel() const {
        return Mode::out(
            detail::run([&](spb_error** e) { return spb_operation_cancel(handle_.raw(), e); }));
    }
    spb_operation raw() const noexcept { return handle_.raw(); }

  private:
    detail::Handle<spb_operation, spb_operation_free> handle_;
};

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

    explicit BasicChunks(const BasicOperation<Mode>& operation) : operation_(&operation) {}
    iterator begin() const { return iterator(operation_); }
    iterator end() const { return iterator(); }

  private:
    const BasicOperation<Mode>* operation_;
};

/// The end of an operation as a `std::future`, and the operation to cancel it by.
template <typename Mode>
struct BasicPending {
    std::future<typename Mode::template Out<BasicValue<Mode>>> future;
    BasicOperation<Mode> operation;
};

/* ---- Tool calls ------------------------------------------------------------------------------ */

/// One call of a tool by Python. Answer it once, from any thread; dropped without an answer, it
/// fails on Python's side.
template <typename Mode>
class BasicInvocation {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    BasicInvocation(spb_invocation raw, Value arguments)
        : handle_(std::make_shared<Handle>(raw)), arguments_(std::move(arguments)) {}
    BasicInvocation(BasicInvocation&&) noexcept = default;
    BasicInvocation& operator=(BasicInvocation&&) noexcept = default;

    const BasicValue<Mode>& arguments() const noexcept { return arguments_; }
    /// {"tool", "session", "operation", "traceparent", "deadline_remaining_ms", "stream", "depth"}.
    Out<BasicValue<Mode>> info() const {
        return Mode::out(
            detail::make<BasicValue<Mode>, spb_value*>([&](spb_value** out, spb_error** e) {
                return spb_invocation_info(handle_->raw(), out, e);
            }));
    }
    /// Whether nobody waits for the answer any more.
    bool is_cancelled() const noexcept {
        std::uint8_t out = 0;
        const spb_status status = spb_invocation_is_cancelled(handle_->raw(), &out, nullptr);
        return status != SPB_OK || out != 0;
    }
    /// Sends a chunk ahead of the answer. `Status::again`: Python is a window behind.
    Out<void> emit(const Value& chunk) const {
        return Mode::out(detail::run(
            [&](spb_error** e) { return spb_invocation_emit(handle_->raw(), chunk.raw(), e); }));
    }
    Out<void> complete(const Value& result) {
        return Mode::out(detail::run([&](spb_error** e) {
            return spb_invocation_complete(handle_->raw(), result.raw(), e);
        }));
    }
    /// Answers with a failure, which Python gets as an exception.
    Out<void> fail(const Error& error) {
        spb_failure_options options = SPB_FAILURE_OPTIONS_INIT;
        options.status = static_cast<spb_status>(error.status());
        options.flags = error.retryable() ? SPB_FAILURE_RETRYABLE : 0;
        options.message = detail::view(error.message());
        options.details_json = detail::view(error.details_json());
        return Mode::out(detail::run(
            [&](spb_error** e) { return spb_invocation_fail(handle_->raw(), &options, e); }));
    }
    spb_invocation raw() const noexcept { return handle_->raw(); }
    /// The same call, for the library to answer when your function throws.
    BasicInvocation<Returning> again() const {
        return BasicInvocation<Returning>(handle_, arguments_);
    }

  private:
    template <typename>
    friend class BasicInvocation;
    using Handle = detail::Handle<spb_invocation, spb_invocation_free>;
    BasicInvocation(std::shared_ptr<Handle> handle, Value arguments)
        : handle_(std::move(handle)), arguments_(std::move(arguments)) {}

    std::shared_ptr<Handle> handle_;
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

/// Runs a tool's function on a call and answers it. The function takes the arguments and gives a
/// value, a `Result`, or anything that stands for a value; or it takes the call by value, answers
/// when it likes, and gives nothing. What it throws is the call's failure.
template <typename Mode, typename F>
void answer(F& function, BasicInvocation<Mode> call) {
    auto own = call.again();
    Result<Value> outcome = Error::failure("the tool gave no answer");
    SPB_CPP_TRY {
        if constexpr (std::is_invocable_v<F&, BasicInvocation<Mode>>) {
            function(std::move(call));
            return;
        } else {
            static_assert(std::is_invocable_v<F&, const BasicValue<Mode>&>,
                          "a tool takes (const Value&) or (Invocation)");
            using Given = std::invoke_result_t<F&, const BasicValue<Mode>&>;
            if constexpr (std::is_void_v<Given>) {
                function(call.arguments());
                outcome = Value();
            } else if constexpr (std::is_same_v<Given, Result<Value>>) {
                outcome = function(call.arguments());
            } else {
                outcome = Codec<Given>::write(function(call.arguments()));
            }
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
    /// Calls that are not answered yet; more fail with `Status::resource_exhausted`.
    ToolSpec& max_in_flight(std::uint32_t calls) { return in_flight_ = calls, *this; }
    /// For each call.
    ToolSpec& timeout(Timeout time) { return timeout_ = time, *this; }
    /// Where the function runs; on the library's threads unless given.
    ToolSpec& executor(Executor executor) { return executor_ = std::move(executor), *this; }

    const Executor& executor() const noexcept { return executor_; }
    spb_tool_options raw() const noexcept {
        spb_tool_options options = SPB_TOOL_OPTIONS_INIT;
        options.name = detail::view(name_);
        options.description = detail::view(description_);
        options.input_schema_json = detail::view(input_);
        options.output_schema_json = detail::view(output_);
        options.max_in_flight = in_flight_;
        options.timeout_ms = timeout_.ms();
        return options;
    }

  private:
    std::string name_, description_, input_, output_;
    std::uint32_t in_flight_ = 0;
    Timeout timeout_;
    Executor executor_;
};

/// A registered tool. Dropping it leaves the tool registered.
template <typename Mode>
class BasicTool {
  public:
    explicit BasicTool(spb_tool raw) : handle_(raw) {}

    /// Takes the tool away: running calls are cancelled, and when the operation has ended none of
    /// its functions runs or will run.
    typename Mode::template Out<BasicOperation<Mode>> unregister() const {
        return Mode::out(detail::make<BasicOperation<Mode>, spb_operation>(
            [&](spb_operation* out, spb_error** e) {
                return spb_tool_unregister(handle_.raw(), nullptr, out, e);
            }));
    }
    spb_tool raw() const noexcept { return handle_.raw(); }

  private:
    detail::Handle<spb_tool, spb_tool_free> handle_;
};

/// A subscription to changes or logs; dropping it ends it.
class Watch {
  public:
    Watch() = default;
    explicit Watch(spb_watch raw) : handle_(raw) {}
    /// Ends it; what waits still comes.
    Result<void> stop() const {
        return detail::run([&](spb_error** e) { return spb_watch_stop(handle_.raw(), e); });
    }

  private:
    detail::Handle<spb_watch, spb_watch_free> handle_;
};

/* ---- Calls ----------------------------------------------------------------------------------- */

/// What to execute in a session.
class Call {
  public:
    /// Such as ("dspy", "predict"); see `Platform::schema`.
    Call(std::string framework, std::string operation)
        : framework_(std::move(framework)), operation_(std::move(operation)) {}
    /// An object. As text it is checked when the call is submitted.
    Call& parameters(std::string json) { return json_ = std::move(json), value_.reset(), *this; }
    template <typename Mode>
    Call& parameters(const BasicValue<Mode>& value) {
        return value_.emplace(value), *this;
    }
    /// "default" unless given.
    Call& pool(std::string name) { return pool_ = std::move(name), *this; }
    /// From now to the end, waiting for a worker included.
    Call& timeout(Timeout time) { return timeout_ = time, *this; }
    /// Send chunks as they come.
    Call& stream(bool wanted = true) { return stream_ = wanted, *this; }
    /// Chunks that Python may send ahead of you.
    Call& stream_window(std::uint32_t chunks) { return window_ = chunks, *this; }
    /// The tool call that this is made for.
    template <typename Mode>
    Call& parent(const BasicInvocation<Mode>& invocation) {
        return parent_ = invocation.raw(), *this;
    }
    /// W3C trace context.
    Call& traceparent(std::string text) { return trace_ = std::move(text), *this; }
    /// SPB_AFFINITY_*.
    Call& affinity(std::uint32_t affinity) { return affinity_ = affinity, *this; }

    /// Submits it in `session` with `sink` (or null).
    Result<spb_operation> submit(spb_session session, const spb_sink* sink) const {
        std::optional<Value> made = value_;
        if (!made && !json_.empty()) {
            auto parsed = Value::json(json_);
            if (!parsed) {
                if (sink != nullptr && sink->destroy != nullptr) sink->destroy(sink->user_data);
                return std::move(parsed).error();
            }
            made.emplace(std::move(*parsed));
        }
        spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
        options.framework = detail::view(framework_);
        options.operation = detail::view(operation_);
        options.parameters = made ? made->raw() : nullptr;
        options.pool = detail::view(pool_);
        options.timeout_ms = timeout_.ms();
        options.flags = stream_ ? SPB_EXECUTE_STREAM : 0;
        options.stream_window = window_;
        options.parent = parent_;
        options.traceparent = detail::view(trace_);
        options.affinity = affinity_;
        spb_operation out{0};
        spb_error* error = nullptr;
        const spb_status status = spb_execute(session, &options, sink, &out, &error);
        if (status != SPB_OK) return Error(status, error);
        return out;
    }

  private:
    std::string framework_, operation_, json_, pool_, trace_;
    std::optional<Value> value_;
    Timeout timeout_;
    bool stream_ = false;
    std::uint32_t window_ = 0, affinity_ = SPB_AFFINITY_DEFAULT;
    spb_invocation parent_{0};
};

#if defined(SPB_CPP_COROUTINES)
/// `co_await`s the end of a call. The coroutine goes on where `executor` puts it, or on a thread of
/// the library, where it must not wait. A stop of `token` cancels the call.
template <typename Mode>
class BasicAwaitable {
  public:
    BasicAwaitable(spb_session session, Call call, Executor executor, std::stop_token token)
        : session_(session),
          call_(std::move(call)),
          state_(std::make_shared<State>(std::move(executor))),
          token_(std::move(token)) {}

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) {
        // Once submitted, the coroutine may go on elsewhere and take this object along: only what
        // is copied here is touched afterwards.
        const std::shared_ptr<State> state = state_;
        const std::stop_token token = token_;
        state->waiting = waiting;
        const spb_sink sink = detail::sink([state](spb_event& event) {
            if (event.kind != SPB_EVENT_OP_DONE) return;
            state->outcome.emplace(detail::take_outcome(event));
            detail::dispatch(state->executor, [state] { state->waiting.resume(); });
        });
        auto submitted = call_.submit(session_, &sink);
        if (!submitted) {
            state->outcome.emplace(std::move(submitted).error());
            return false;
        }
        auto operation = std::make_shared<Operation>(*submitted);
        if (token.stop_possible()) state->stop.emplace(token, Cancel{std::move(operation)});
        return true;
    }
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
        explicit State(Executor executor) : executor(std::move(executor)) {}
        Executor executor;
        std::coroutine_handle<> waiting;
        std::optional<Result<Value>> outcome;
        std::optional<std::stop_callback<Cancel>> stop;
    };

    spb_session session_;
    Call call_;
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

/// On what condition a variable is written: only over `expected_version` (0: any), in the name of
/// `owner`, who gets past a lock of their own.
struct Write {
    std::uint64_t expected_version = 0;
    std::string owner = {};

    spb_write_options raw() const noexcept {
        spb_write_options options = SPB_WRITE_OPTIONS_INIT;
        options.expected_version = expected_version;
        options.owner = detail::view(owner);
        return options;
    }
};

/// A variable's value as `T`, and the version that it is.
template <typename T>
struct Versioned {
    T value;
    std::uint64_t version;
};

/// What a watch tells. `change`: `document` is {"kind", "name", "id", "version", "revision", ...},
/// `number` the version. `missed`: `number` changes were not kept. `end`: the last, with the
/// reason.
struct Change {
    enum class Kind { change, missed, end };
    Kind kind;
    std::uint64_t number;
    Value document;
    std::optional<Error> reason;
};

/// What to watch, and how. `initial`: first every variable there is. `coalesce`: of several changes
/// of one variable that wait, only the newest comes.
struct WatchSpec {
    std::string patterns = {};
    bool initial = false;
    bool coalesce = false;
    std::uint64_t queue_max = 0;
    Executor executor = {};
};

/// Variables, tools and affinity that calls share. Dropping it does not close the session.
template <typename Mode>
class BasicSession {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    explicit BasicSession(spb_session raw) : handle_(raw) {}

    /// Submits a call. Everything wrong with it is an error here.
    Out<BasicOperation<Mode>> execute(const Call& call) const {
        return Mode::out(call.submit(handle_.raw(), nullptr).and_then([](spb_operation raw) {
            return Result<BasicOperation<Mode>>(BasicOperation<Mode>(raw));
        }));
    }
    /// Submits a call whose end becomes a `std::future`.
    BasicPending<Mode> execute_future(const Call& call) const {
        auto promise = std::make_shared<std::promise<Out<BasicValue<Mode>>>>();
        BasicPending<Mode> pending{promise->get_future(), {}};
        const spb_sink sink = detail::sink([promise](spb_event& event) {
            if (event.kind == SPB_EVENT_OP_DONE) keep(*promise, detail::take_outcome(event));
        });
        auto submitted = call.submit(handle_.raw(), &sink);
        if (submitted) {
            pending.operation = BasicOperation<Mode>(*submitted);
        } else {
            keep(*promise, std::move(submitted).error());
        }
        return pending;
    }
#if defined(SPB_CPP_COROUTINES)
    /// `co_await`s a call.
    BasicAwaitable<Mode> co_execute(Call call, Executor executor = {},
                                    std::stop_token token = {}) const {
        return BasicAwaitable<Mode>(handle_.raw(), std::move(call), std::move(executor),
                                    std::move(token));
    }
#endif

    /// {"id", "metadata", "affinity", "age_ms", "idle_ms", "ttl_ms", ...}.
    Out<BasicValue<Mode>> info() const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_session_info(handle_.raw(), out, e);
        });
    }
    Out<void> touch() const {
        return run([&](spb_error** e) { return spb_session_touch(handle_.raw(), e); });
    }
    /// Closes it for every host: its operations are cancelled, its tools and variables go.
    Out<BasicOperation<Mode>> close() const {
        return Mode::out(detail::make<BasicOperation<Mode>, spb_operation>(
            [&](spb_operation* out, spb_error** e) {
                return spb_session_close(handle_.raw(), nullptr, out, e);
            }));
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
    /// Reads a variable as bool, an integer, a float, std::string or `Value`.
    template <typename T = Value>
    Out<Versioned<T>> get(std::string_view name) const {
        return Mode::out([&]() -> Result<Versioned<T>> {
            std::uint64_t version = 0;
            auto found = detail::make<Value, spb_value*>([&](spb_value** out, spb_error** e) {
                return spb_variable_get(handle_.raw(), detail::view(name), out, &version, e);
            });
            if (!found) return std::move(found).error();
            auto read = detail::Codec<T>::read(*found);
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
    Out<std::uint64_t> rollback(std::string_view name, std::uint64_t version,
                                const Write& write = {}) const {
        return Mode::out(
            detail::make<std::uint64_t, std::uint64_t>([&](std::uint64_t* out, spb_error** e) {
                const spb_write_options options = write.raw();
                return spb_variable_rollback(handle_.raw(), detail::view(name), version, &options,
                                             out, e);
            }));
    }
    Out<BasicValue<Mode>> history(std::string_view name) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_variable_history(handle_.raw(), detail::view(name), out, e);
        });
    }
    /// The variables whose names match `pattern`, an array of documents.
    Out<BasicValue<Mode>> variables(std::string_view pattern = {}) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_variable_list(handle_.raw(), detail::view(pattern), out, e);
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
    /// Writes all or none.
    Out<BasicValue<Mode>> set_many(
        const std::vector<std::pair<std::string, BasicValue<Mode>>>& writes,
        std::string_view owner = {}) const {
        std::vector<spb_variable_write> raw;
        for (const auto& [each, content] : writes) {
            spb_variable_write write{};
            write.name = detail::view(each);
            write.value = content.raw();
            raw.push_back(write);
        }
        return value([&](spb_value** out, spb_error** e) {
            return spb_variable_set_many(handle_.raw(), raw.data(), raw.size(), detail::view(owner),
                                         out, e);
        });
    }
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
    Out<void> unlock(std::string_view name, std::string_view owner) const {
        return run([&](spb_error** e) {
            return spb_variable_unlock(handle_.raw(), detail::view(name), detail::view(owner), e);
        });
    }
    /// Tells `handler(const Change&)` of changes, in order; dropping the watch ends it.
    template <typename F>
    Out<Watch> watch(const WatchSpec& spec, F handler) const {
        auto shared = std::make_shared<F>(std::move(handler));
        const spb_sink sink = detail::sink([shared, executor = spec.executor](spb_event& event) {
            auto change = std::make_shared<const Change>(change_of(event));
            detail::dispatch(executor, [shared, change] { (*shared)(*change); });
        });
        spb_watch_options options = SPB_WATCH_OPTIONS_INIT;
        options.flags =
            (spec.initial ? SPB_WATCH_INITIAL : 0u) | (spec.coalesce ? SPB_WATCH_COALESCE : 0u);
        options.queue_max = spec.queue_max;
        return Mode::out(detail::make<Watch, spb_watch>([&](spb_watch* out, spb_error** e) {
            return spb_watch_start(handle_.raw(), detail::view(spec.patterns), &options, &sink, out,
                                   e);
        }));
    }
    spb_session raw() const noexcept { return handle_.raw(); }

  private:
    template <typename F>
    static Out<BasicValue<Mode>> value(F&& f) {
        return Mode::out(detail::make<BasicValue<Mode>, spb_value*>(std::forward<F>(f)));
    }
    template <typename F>
    static Out<void> run(F&& f) {
        return Mode::out(detail::run(std::forward<F>(f)));
    }
    template <typename T, typename F>
    static Result<std::uint64_t> written(const T& content, F&& f) {
        auto value = detail::Codec<T>::write(content);
        if (!value) return std::move(value).error();
        return detail::make<std::uint64_t, std::uint64_t>(
            [&](std::uint64_t* out, spb_error** e) { return f(*value, out, e); });
    }
    static void keep(std::promise<Out<BasicValue<Mode>>>& promise, Result<Value> outcome) {
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

    explicit BasicPool(spb_pool raw) : handle_(raw) {}

    /// An operation that ends when `workers` of them (0: all) are ready.
    Out<BasicOperation<Mode>> await_ready(std::uint32_t workers = 0, Timeout time = {}) const {
        return operation([&](spb_operation* out, spb_error** e) {
            return spb_pool_await_ready(handle_.raw(), workers, time.ms(), nullptr, out, e);
        });
    }
    /// Empties it: an operation that ends when no worker is left.
    Out<BasicOperation<Mode>> drain(Timeout grace = {}) const {
        return operation([&](spb_operation* out, spb_error** e) {
            return spb_pool_drain(handle_.raw(), grace.ms(), nullptr, out, e);
        });
    }
    Out<void> resize(std::uint32_t workers_min, std::uint32_t workers_max = 0) const {
        return Mode::out(detail::run([&](spb_error** e) {
            return spb_pool_resize(handle_.raw(), workers_min, workers_max, e);
        }));
    }
    Out<BasicValue<Mode>> stats() const {
        return Mode::out(detail::make<BasicValue<Mode>, spb_value*>(
            [&](spb_value** out, spb_error** e) { return spb_pool_stats(handle_.raw(), out, e); }));
    }

  private:
    template <typename F>
    static Out<BasicOperation<Mode>> operation(F&& f) {
        return Mode::out(detail::make<BasicOperation<Mode>, spb_operation>(std::forward<F>(f)));
    }

    detail::Handle<spb_pool, spb_pool_free> handle_;
};

/// A log record's document: {"level", "target", "message", ...} (docs/telemetry.md), or how many
/// records were dropped before it.
struct LogRecord {
    Value document;
    std::uint64_t dropped;
};

/// One embedded platform: its pools, sessions, tools and threads. Dropping it closes it in the
/// background; `close` waits.
template <typename Mode>
class BasicPlatform {
  public:
    template <typename T>
    using Out = typename Mode::template Out<T>;

    explicit BasicPlatform(spb_platform raw) : handle_(raw) {}

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
    Out<BasicOperation<Mode>> shutdown(Timeout grace = {}) const {
        return Mode::out(detail::make<BasicOperation<Mode>, spb_operation>(
            [&](spb_operation* out, spb_error** e) {
                return spb_platform_shutdown(handle_.raw(), grace.ms(), nullptr, out, e);
            }));
    }
    Out<BasicValue<Mode>> health() const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_platform_health(handle_.raw(), out, e);
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
        return Mode::out([&]() -> Result<std::string> {
            spb_text* out = nullptr;
            spb_error* error = nullptr;
            const spb_status status = spb_platform_metrics(handle_.raw(), &out, &error);
            if (status != SPB_OK) return Error(status, error);
            const std::unique_ptr<spb_text, void (*)(spb_text*)> text(out, spb_text_free);
            return std::string(detail::view(spb_text_view(text.get())));
        }());
    }
    /// The pool of that name; "default" for an empty one.
    Out<BasicPool<Mode>> pool(std::string_view name = {}) const {
        return Mode::out(detail::make<BasicPool<Mode>, spb_pool>([&](spb_pool* out, spb_error** e) {
            return spb_pool_get(handle_.raw(), detail::view(name), out, e);
        }));
    }

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
    Out<BasicSession<Mode>> import_session(const BasicValue<Mode>& archive,
                                           const SessionSpec& spec = {}) const {
        return session([&](spb_session* out, spb_error** e) {
            const spb_session_options options = spec.raw();
            return spb_session_import_value(handle_.raw(), archive.raw(), &options, out, e);
        });
    }
    Out<BasicValue<Mode>> sessions(std::string_view after_id = {}, std::size_t limit = 0) const {
        return value([&](spb_value** out, spb_error** e) {
            return spb_session_list(handle_.raw(), detail::view(after_id), limit, out, e);
        });
    }

    /// Registers a tool for the calls of all sessions. `function` takes `(const Value&)` and gives
    /// a value, a `Result<Value>`, or anything that stands for a value; or it takes the
    /// `Invocation` and answers it when it likes. What it throws becomes the tool's failure.
    template <typename F>
    Out<BasicTool<Mode>> register_tool(const ToolSpec& spec, F function) const {
        return tool(spb_session{0}, spec, std::move(function));
    }
    /// As above, for the calls of one session.
    template <typename F>
    Out<BasicTool<Mode>> register_tool(const BasicSession<Mode>& session, const ToolSpec& spec,
                                       F function) const {
        return tool(session.raw(), spec, std::move(function));
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
    template <typename F>
    Out<Watch> subscribe_logs(std::int32_t level, F handler,
                              std::string_view target_prefix = {}) const {
        const spb_sink sink =
            detail::sink([handler = std::move(handler)](spb_event& event) mutable {
                if (event.kind == SPB_EVENT_OVERFLOW) handler(LogRecord{Value(), event.sequence});
                if (event.kind == SPB_EVENT_LOG) handler(LogRecord{detail::take_value(event), 0});
            });
        spb_log_options options = SPB_LOG_OPTIONS_INIT;
        options.level = level;
        options.target_prefix = detail::view(target_prefix);
        return Mode::out(detail::make<Watch, spb_watch>([&](spb_watch* out, spb_error** e) {
            return spb_log_subscribe(handle_.raw(), &options, &sink, out, e);
        }));
    }
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
        const spb_sink sink = detail::sink([shared, executor = spec.executor()](spb_event& event) {
            if (event.kind != SPB_EVENT_TOOL_CALL) return;
            auto call = std::make_shared<BasicInvocation<Mode>>(
                std::exchange(event.invocation, spb_invocation{0}), detail::take_value(event));
            detail::dispatch(executor,
                             [shared, call] { detail::answer(*shared, std::move(*call)); });
        });
        const spb_tool_options options = spec.raw();
        return Mode::out(detail::make<BasicTool<Mode>, spb_tool>([&](spb_tool* out, spb_error** e) {
            return spb_tool_register(handle_.raw(), scope, &options, &sink, out, e);
        }));
    }

    detail::Handle<spb_platform, spb_platform_free> handle_;
};

using Operation = BasicOperation<Returning>;
using Chunks = BasicChunks<Returning>;
using Pending = BasicPending<Returning>;
using Invocation = BasicInvocation<Returning>;
using Tool = BasicTool<Returning>;
using Session = BasicSession<Returning>;
using Pool = BasicPool<Returning>;
using Platform = BasicPlatform<Returning>;

#if defined(SPB_CPP_EXCEPTIONS)
/// The same, with exceptions in place of `Result`.
namespace throwing {
using Value = BasicValue<Throwing>;
using Operation = BasicOperation<Throwing>;
using Chunks = BasicChunks<Throwing>;
using Pending = BasicPending<Throwing>;
using Invocation = BasicInvocation<Throwing>;
using Tool = BasicTool<Throwing>;
using Session = BasicSession<Throwing>;
using Pool = BasicPool<Throwing>;
using Platform = BasicPlatform<Throwing>;

using snakepit_bridge::Call;
using snakepit_bridge::Change;
using snakepit_bridge::Error;
using snakepit_bridge::Exception;
using snakepit_bridge::Executor;
using snakepit_bridge::LogRecord;
using snakepit_bridge::SessionSpec;
using snakepit_bridge::Span;
using snakepit_bridge::Status;
using snakepit_bridge::Tensor;
using snakepit_bridge::Timeout;
using snakepit_bridge::ToolSpec;
using snakepit_bridge::Versioned;
using snakepit_bridge::Wait;
using snakepit_bridge::Watch;
using snakepit_bridge::WatchSpec;
using snakepit_bridge::Write;
}  // namespace throwing
#endif

}  // namespace snakepit_bridge

#undef SPB_CPP_TRY
#undef SPB_CPP_CATCH

#endif /* SNAKEPIT_BRIDGE_HPP */
