//! The constraints of tensors and embeddings: compiled once, held against each value.
//!
//! An embedding is a tensor with more rules: floats only, one vector or a batch with one to a row,
//! finite unless said otherwise. Elements are looked at in `elements`.

use serde_json::{Map, Value as Json, json};

use crate::core::limits::{TENSOR_DIMS_MAX, VALUE_BYTES_MAX};
use crate::core::nearest::suggestion;
use crate::core::tag::NonFinite;
use crate::core::{DType, Result, Tensor};

use super::constraints::flag;
use super::elements::{first_non_finite, norm};
use super::fault::{bad_constraint, kind_of, mismatch, shown, violation};
use super::variable_type::VariableType;

/// What a tensor must be like.
#[derive(Debug)]
pub(super) struct TensorLimits {
    is_embedding: bool,
    dtypes: Option<Vec<DType>>,
    /// A size for each dimension, or none for any.
    shape: Option<Vec<Option<i64>>>,
    /// The components of one vector.
    dimensions: Option<i64>,
    finite: bool,
    normalized: bool,
}

impl TensorLimits {
    /// Of a `tensor`: `dtype`, `shape`, `finite`.
    pub fn tensor(constraints: &Map<String, Json>) -> Result<Self> {
        let get = |name: &str| constraints.get(name);
        let limits = TensorLimits {
            is_embedding: false,
            dtypes: get("dtype").map(|given| dtypes(given, &DType::ALL)).transpose()?,
            shape: get("shape").map(shape).transpose()?,
            dimensions: None,
            finite: flag("finite", get("finite"), false)?,
            normalized: false,
        };
        limits.check_possible()?;
        Ok(limits)
    }

    /// Of an `embedding`: `dimensions`, `dtype`, `shape`, `finite`, `normalized`.
    pub fn embedding(constraints: &Map<String, Json>) -> Result<Self> {
        let get = |name: &str| constraints.get(name);
        let limits = TensorLimits {
            is_embedding: true,
            dtypes: get("dtype").map(|given| dtypes(given, &FLOATS)).transpose()?,
            shape: get("shape").map(shape).transpose()?,
            dimensions: get("dimensions").map(dimensions).transpose()?,
            finite: flag("finite", get("finite"), true)?,
            normalized: flag("normalized", get("normalized"), false)?,
        };
        limits.check_embedding()?;
        limits.check_possible()?;
        Ok(limits)
    }

    /// Accepts a tensor for the variable `name`. What is dear to look at comes last.
    pub fn check(&self, name: &str, tensor: &Tensor) -> Result<()> {
        if self.is_embedding {
            check_is_embedding(name, tensor)?;
        }
        self.check_dtype(name, tensor)?;
        self.check_shape(name, tensor)?;
        self.check_dimensions(name, tensor)?;
        self.check_finite(name, tensor)?;
        self.check_normalized(name, tensor)
    }

    fn check_dtype(&self, name: &str, tensor: &Tensor) -> Result<()> {
        let dtype = tensor.dtype();
        let Some(allowed) = self.dtypes.as_ref().filter(|allowed| !allowed.contains(&dtype)) else {
            return Ok(());
        };
        let (given, names) = (dtype.name(), names(allowed));
        let what = format!("was given a tensor of {given}, expected {}", names.join(" or "));
        Err(violation(name, "dtype", json!(given), json!(names), &what))
    }

    fn check_shape(&self, name: &str, tensor: &Tensor) -> Result<()> {
        let given = tensor.shape();
        let Some(allowed) = self.shape.as_ref().filter(|allowed| !fits(given, allowed)) else {
            return Ok(());
        };
        let allowed = json!(allowed);
        let what = format!("was given a tensor of shape {given:?}, expected {allowed}");
        Err(violation(name, "shape", json!(given), allowed, &what))
    }

    fn check_dimensions(&self, name: &str, tensor: &Tensor) -> Result<()> {
        let given = components(tensor);
        let Some(allowed) = self.dimensions.filter(|allowed| given != *allowed) else {
            return Ok(());
        };
        let what = format!("was given vectors of {given} dimensions, expected {allowed}");
        Err(violation(name, "dimensions", json!(given), json!(allowed), &what))
    }

    fn check_finite(&self, name: &str, tensor: &Tensor) -> Result<()> {
        if !self.finite {
            return Ok(());
        }
        let Some((index, element)) = first_non_finite(tensor.dtype(), tensor.data()) else {
            return Ok(());
        };
        let given = NonFinite::of(element).map_or("nan", NonFinite::name);
        let place = place(tensor.shape(), index);
        let what = format!("was given {given} at {place:?}, which is not finite");
        Err(violation(name, "finite", json!(given), json!(true), &what).with("at", place))
    }

    fn check_normalized(&self, name: &str, tensor: &Tensor) -> Result<()> {
        let row_bytes = usize::try_from(components(tensor)).unwrap_or(0) * tensor.dtype().bytes();
        if !self.normalized || row_bytes == 0 {
            return Ok(());
        }
        let tolerance = match tensor.dtype() {
            DType::Float16 | DType::BFloat16 => NORM_TOLERANCE_HALF,
            _ => NORM_TOLERANCE,
        };
        let norms = tensor.data().chunks_exact(row_bytes).map(|row| norm(tensor.dtype(), row));
        let mut wrong = norms.enumerate().filter(|(_, norm)| (norm - 1.0).abs() > tolerance);
        let Some((row, norm)) = wrong.next() else { return Ok(()) };
        let what = format!("was given a vector of length {norm} in row {row}, expected 1");
        // A length beyond the largest double is an infinity, which the details tell as text.
        let given = NonFinite::of(norm).map_or_else(|| json!(norm), |named| json!(named.name()));
        Err(violation(name, "normalized", given, json!(true), &what).with("row", row))
    }

    /// Constraints of an embedding that contradict each other, or what an embedding is.
    fn check_embedding(&self) -> Result<()> {
        if self.normalized && !self.finite {
            let what = "is false, and normalized is true: only finite vectors are normalized";
            return Err(bad_constraint("finite", what));
        }
        let Some(shape) = &self.shape else { return Ok(()) };
        let components = match shape.as_slice() {
            [components] | [_, components] => *components,
            _ => {
                let what = format!("has {} sizes, and embeddings have 1 or 2", shape.len());
                return Err(bad_constraint("shape", &what));
            }
        };
        match (components, self.dimensions) {
            (Some(0), _) => {
                Err(bad_constraint("shape", "has vectors of 0 dimensions, expected at least 1"))
            }
            (Some(given), Some(dimensions)) if given != dimensions => {
                let what = format!("has {given} in the last place, and dimensions is {dimensions}");
                Err(bad_constraint("shape", &what))
            }
            _ => Ok(()),
        }
    }

    /// A shape that no value is large enough for is a slip.
    fn check_possible(&self) -> Result<()> {
        let fixed = self.shape.as_ref().and_then(|shape| {
            shape.iter().copied().collect::<Option<Vec<i64>>>().map(|sizes| ("shape", sizes))
        });
        let Some((constraint, sizes)) = fixed.or(self.dimensions.map(|d| ("dimensions", vec![d])))
        else {
            return Ok(());
        };
        let all = if self.is_embedding { FLOATS.as_slice() } else { DType::ALL.as_slice() };
        let dtypes = self.dtypes.as_deref().unwrap_or(all);
        let element_bytes = dtypes.iter().map(|dtype| dtype.bytes()).min().unwrap_or(1);
        let is_possible = sizes.contains(&0)
            || sizes
                .iter()
                .try_fold(element_bytes, |product, size| {
                    product.checked_mul(usize::try_from(*size).ok()?)
                })
                .is_some_and(|bytes| bytes <= VALUE_BYTES_MAX);
        if is_possible {
            return Ok(());
        }
        let what = format!("is {sizes:?}, and no value has more than {VALUE_BYTES_MAX} bytes");
        Err(bad_constraint(constraint, &what))
    }
}

/// One name or a list of names; `possible` are those that the type of the variable has.
fn dtypes(given: &Json, possible: &[DType]) -> Result<Vec<DType>> {
    let listed = match given {
        Json::String(_) => std::slice::from_ref(given),
        Json::Array(listed) if !listed.is_empty() => listed.as_slice(),
        Json::Array(_) => return Err(bad_constraint("dtype", "is empty: nothing is allowed")),
        other => {
            let what = format!("is {}, expected a name or an array of names", kind_of(other));
            return Err(bad_constraint("dtype", &what));
        }
    };
    let mut found = Vec::with_capacity(listed.len());
    for name in listed {
        let dtype = dtype(name, possible)?;
        if found.contains(&dtype) {
            return Err(bad_constraint("dtype", &format!("has {} twice", dtype.name())));
        }
        found.push(dtype);
    }
    Ok(found)
}

fn dtype(given: &Json, possible: &[DType]) -> Result<DType> {
    let Json::String(given) = given else {
        return Err(bad_constraint("dtype", &format!("has {}, expected names", kind_of(given))));
    };
    let known = possible.iter().find(|dtype| dtype.name() == given);
    known.copied().ok_or_else(|| {
        let (given, names) = (shown(given), names(possible));
        let hint = suggestion(&given, names.iter().copied());
        let what = format!("names {given:?}, expected one of {}{hint}", names.join(", "));
        bad_constraint("dtype", &what)
    })
}

fn shape(given: &Json) -> Result<Vec<Option<i64>>> {
    let Json::Array(sizes) = given else {
        let what = format!("is {}, expected an array of sizes, null for any", kind_of(given));
        return Err(bad_constraint("shape", &what));
    };
    if sizes.len() > TENSOR_DIMS_MAX {
        let what = format!("has {} sizes, the limit is {TENSOR_DIMS_MAX}", sizes.len());
        return Err(bad_constraint("shape", &what));
    }
    let size = |(index, size): (usize, &Json)| match size.as_i64() {
        _ if size.is_null() => Ok(None),
        Some(size) if size >= 0 => Ok(Some(size)),
        _ => {
            let size = shown(&size.to_string());
            let what = format!("has {size} at [{index}], expected a size, or null for any");
            Err(bad_constraint("shape", &what))
        }
    };
    sizes.iter().enumerate().map(size).collect()
}

fn dimensions(given: &Json) -> Result<i64> {
    given.as_i64().filter(|count| *count >= 1).ok_or_else(|| {
        let given = shown(&given.to_string());
        bad_constraint("dimensions", &format!("is {given}, expected a count of at least 1"))
    })
}

fn check_is_embedding(name: &str, tensor: &Tensor) -> Result<()> {
    let is_vector = matches!(tensor.shape(), [components] | [_, components] if *components > 0);
    if is_vector && FLOATS.contains(&tensor.dtype()) {
        return Ok(());
    }
    let (dtype, shape) = (tensor.dtype().name(), tensor.shape());
    let given = format!("a tensor of {dtype} and shape {shape:?}");
    Err(mismatch(name, &given, VariableType::Embedding.expects()))
}

fn fits(given: &[i64], allowed: &[Option<i64>]) -> bool {
    given.len() == allowed.len()
        && given.iter().zip(allowed).all(|(size, allowed)| allowed.is_none_or(|a| a == *size))
}

/// Of one vector: the last side.
fn components(tensor: &Tensor) -> i64 {
    tensor.shape().last().copied().unwrap_or(0)
}

/// Where the element of an index stands, a number for each dimension.
fn place(shape: &[i64], index: usize) -> Vec<i64> {
    let mut rest = i64::try_from(index).unwrap_or(i64::MAX);
    let mut place: Vec<i64> = shape
        .iter()
        .rev()
        .map(|size| {
            let here = rest.checked_rem(*size).unwrap_or(0);
            rest = rest.checked_div(*size).unwrap_or(0);
            here
        })
        .collect();
    place.reverse();
    place
}

fn names(dtypes: &[DType]) -> Vec<&'static str> {
    dtypes.iter().map(|dtype| dtype.name()).collect()
}

/// What an embedding may be made of.
const FLOATS: [DType; 4] = [DType::Float16, DType::BFloat16, DType::Float32, DType::Float64];
/// How far from 1 the length of a normalized vector may be: rounding each component costs at most
/// half a unit of its last place, and summing up in single precision some more.
const NORM_TOLERANCE: f64 = 1e-3;
const NORM_TOLERANCE_HALF: f64 = 1e-2;
