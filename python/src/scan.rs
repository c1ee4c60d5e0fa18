//! `scan`: one pass over a Python value that tells whether the JSON encoder may have it as it is.
//!
//! The encoder converts and drops silently what this module refuses or leaves to Python's own
//! encoding: NaN becomes null, subclasses lose their type. Exact types only, so that no user code
//! runs during the scan.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::errors::value_refused;
use crate::limits::JSON_DEPTH_MAX;

/// 0: a plain JSON tree. 1: something else is in it; the scan stops there. Raises `ValueRefused`
/// for a plain value that has no exact JSON form.
#[pyfunction]
pub fn scan(obj: &Bound<'_, PyAny>) -> PyResult<u8> {
    match value(obj, 0) {
        Ok(()) => Ok(PLAIN),
        Err(Stop::Other) => Ok(OTHER),
        Err(Stop::Refused(refused)) => {
            Err(value_refused(obj.py(), &refused.path(), &refused.message))
        }
    }
}

/// Whether it is a plain JSON tree that has an exact form.
pub fn is_plain(obj: &Bound<'_, PyAny>) -> bool {
    value(obj, 0).is_ok()
}

/// Why the scan ended early.
enum Stop {
    /// Not a plain JSON tree.
    Other,
    Refused(Box<Refused>),
}

struct Refused {
    message: String,
    /// The way to the value, innermost first.
    steps: Vec<Step>,
}

enum Step {
    Key(String),
    Index(usize),
}

type Scan = Result<(), Stop>;

fn value(obj: &Bound<'_, PyAny>, depth: usize) -> Scan {
    if let Ok(text) = obj.cast_exact::<PyString>() {
        return string(text).map(drop);
    }
    if let Ok(number) = obj.cast_exact::<PyInt>() {
        return integer(number);
    }
    if let Ok(number) = obj.cast_exact::<PyFloat>() {
        return float(number.value());
    }
    if let Ok(dict) = obj.cast_exact::<PyDict>() {
        return object(dict, depth);
    }
    if let Ok(list) = obj.cast_exact::<PyList>() {
        return array(list, depth);
    }
    match obj.is_none() || obj.is_exact_instance_of::<PyBool>() {
        true => Ok(()),
        false => Err(Stop::Other),
    }
}

fn array(list: &Bound<'_, PyList>, depth: usize) -> Scan {
    enter(depth)?;
    for (index, item) in list.iter().enumerate() {
        value(&item, depth + 1).map_err(|stop| stop.behind(|| Step::Index(index)))?;
    }
    Ok(())
}

fn object(dict: &Bound<'_, PyDict>, depth: usize) -> Scan {
    enter(depth)?;
    for (key, item) in dict.iter() {
        let Ok(key) = key.cast_exact::<PyString>() else { return Err(Stop::Other) };
        let text = string(key)?;
        if is_tag_like(text) {
            return Err(Stop::Other);
        }
        value(&item, depth + 1).map_err(|stop| {
            stop.behind(|| Step::Key(text.chars().take(PATH_KEY_CHARS_MAX).collect()))
        })?;
    }
    Ok(())
}

fn enter(depth: usize) -> Scan {
    match depth < JSON_DEPTH_MAX {
        true => Ok(()),
        false => Err(refuse(format!("value is nested deeper than {JSON_DEPTH_MAX}"))),
    }
}

fn string<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Stop> {
    text.to_str().map_err(|_| refuse("str has a lone surrogate, which has no UTF-8 form"))
}

fn integer(number: &Bound<'_, PyInt>) -> Scan {
    if number.extract::<i64>().is_ok() || number.extract::<u64>().is_ok() {
        return Ok(());
    }
    Err(refuse("int does not fit 64 bits"))
}

fn float(number: f64) -> Scan {
    match number.is_finite() {
        true => Ok(()),
        false => Err(refuse(format!("float {number} is not finite: it has no JSON form"))),
    }
}

/// `$spb` behind zero or more extra `$`: such a key needs escaping.
fn is_tag_like(key: &str) -> bool {
    key.starts_with('$') && key.trim_start_matches('$') == "spb"
}

fn refuse(message: impl Into<String>) -> Stop {
    Stop::Refused(Box::new(Refused { message: message.into(), steps: Vec::new() }))
}

impl Stop {
    fn behind(self, step: impl FnOnce() -> Step) -> Self {
        match self {
            Stop::Other => Stop::Other,
            Stop::Refused(mut refused) => {
                refused.steps.push(step());
                Stop::Refused(refused)
            }
        }
    }
}

impl Refused {
    fn path(&self) -> String {
        let mut path = String::from("$");
        for step in self.steps.iter().rev() {
            match step {
                Step::Key(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

const PLAIN: u8 = 0;
const OTHER: u8 = 1;
/// A key in a path is cut here, as the platform does.
const PATH_KEY_CHARS_MAX: usize = 64;
