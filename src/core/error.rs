//! The one error type of the platform: a stable status, a sentence, and the circumstances as data.
//!
//! Layers with errors of their own (the pool, the wire) turn them into this one where they are
//! called. An error is boxed, so that a `Result` on a hot path stays one pointer wide on its
//! failing side.

use super::status::Status;

/// What the platform's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: status, message, details for programs, and the Python exception behind it where there
/// is one.
#[derive(Clone, PartialEq)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone, PartialEq)]
struct Inner {
    status: Status,
    message: String,
    retryable: bool,
    details: serde_json::Map<String, serde_json::Value>,
    python: Option<PythonError>,
}

/// An exception as Python told it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PythonError {
    /// Qualified type name, for example `builtins.ValueError`.
    pub type_name: String,
    /// The formatted traceback, ending with the exception line.
    pub traceback: String,
    /// `(type, message)` of each `__cause__` or `__context__`, nearest first.
    pub causes: Vec<(String, String)>,
}

impl Error {
    /// A failure of `status`. The message is a lower-case fragment that names the thing, its kind
    /// and what was expected.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        let inner = Inner {
            status,
            message: message.into(),
            retryable: status.is_retryable(),
            details: serde_json::Map::new(),
            python: None,
        };
        Error { inner: Box::new(inner) }
    }

    /// Shorthand for the commonest kind.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(Status::InvalidArgument, message)
    }

    /// Adds one circumstance for programs to read.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.inner.details.insert(key.to_owned(), value.into());
        self
    }

    /// Adds all circumstances of `details`.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Map<String, serde_json::Value>) -> Self {
        self.inner.details.extend(details);
        self
    }

    /// Says that the same call may succeed later, or that it will not, against the status's own
    /// rule.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.inner.retryable = retryable;
        self
    }

    /// Adds the exception that caused this.
    #[must_use]
    pub fn with_python(mut self, python: PythonError) -> Self {
        self.inner.python = Some(python);
        self
    }

    pub fn status(&self) -> Status {
        self.inner.status
    }

    pub fn message(&self) -> &str {
        &self.inner.message
    }

    pub fn is_retryable(&self) -> bool {
        self.inner.retryable
    }

    pub fn details(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.inner.details
    }

    pub fn python(&self) -> Option<&PythonError> {
        self.inner.python.as_ref()
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status(), self.message())
    }
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")?;
        if !self.inner.details.is_empty() {
            write!(f, " {}", serde_json::Value::Object(self.inner.details.clone()))?;
        }
        match &self.inner.python {
            Some(python) => write!(f, " ({})", python.type_name),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
