//! The values and the types that steps use: few enough that random ones meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::core::{Error, Status, Value};
use crate::state::rule::Rule;
use crate::state::update::Update;

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Datum {
    Int(i64),
    /// So many letters.
    Text(usize),
    Bool(bool),
    Doc(BTreeMap<String, i64>),
}

/// An update.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Patch {
    Add(i64),
    /// Merged as RFC 7396 has it: none takes the key away.
    Keys(BTreeMap<String, Option<i64>>),
}

/// A type with its constraints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Any,
    UpTo12,
    AtLeastMinus1,
    Letters,
    Flag,
    OneOrXx,
}

impl Datum {
    pub fn json(&self) -> Json {
        match self {
            Datum::Int(number) => json!(number),
            Datum::Text(letters) => json!("x".repeat(*letters)),
            Datum::Bool(flag) => json!(flag),
            Datum::Doc(keys) => json!(keys),
        }
    }

    pub fn value(&self) -> Value {
        Value::from_document(&self.json())
    }

    /// As a document, without spaces.
    pub fn bytes(&self) -> usize {
        self.json().to_string().len()
    }

    /// The value after an update, if it has a meaning for this one.
    pub fn patched(&self, patch: &Patch) -> Result<Datum, Status> {
        let changes = match (patch, self) {
            (Patch::Add(operand), Datum::Int(number)) => return Ok(Datum::Int(number + operand)),
            (Patch::Add(_), _) => return Err(Status::TypeMismatch),
            (Patch::Keys(changes), _) => changes,
        };
        let mut keys = match self {
            Datum::Doc(keys) => keys.clone(),
            _ => BTreeMap::new(),
        };
        for (key, change) in changes {
            match change {
                Some(number) => keys.insert(key.clone(), *number),
                None => keys.remove(key),
            };
        }
        Ok(Datum::Doc(keys))
    }
}

impl Patch {
    pub fn update(&self) -> Result<Update, Error> {
        let document = match self {
            Patch::Add(operand) => json!({ "add": operand }),
            Patch::Keys(changes) => json!({ "merge": changes }),
        };
        Update::parse(&Value::from_document(&document))
    }
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Any, Kind::UpTo12, Kind::AtLeastMinus1, Kind::Letters, Kind::Flag, Kind::OneOrXx];

    pub const fn constraints(self) -> &'static str {
        match self {
            Kind::Any | Kind::Flag => "{}",
            Kind::UpTo12 => r#"{"max":12}"#,
            Kind::AtLeastMinus1 => r#"{"min":-1.5}"#,
            Kind::Letters => r#"{"max_length":8}"#,
            Kind::OneOrXx => r#"{"choices":[1,"xx"]}"#,
        }
    }

    pub fn rule(self) -> Result<Arc<Rule>, Error> {
        let name = match self {
            Kind::Any => "json",
            Kind::UpTo12 => "integer",
            Kind::AtLeastMinus1 => "float",
            Kind::Letters => "string",
            Kind::Flag => "boolean",
            Kind::OneOrXx => "choice",
        };
        Rule::new(name, &Bytes::from_static(self.constraints().as_bytes()))
    }

    pub fn accepts(self, datum: &Datum) -> Result<(), Status> {
        match (self, datum) {
            (Kind::Any, _)
            | (Kind::Flag, Datum::Bool(_))
            | (Kind::OneOrXx, Datum::Int(1) | Datum::Text(2)) => Ok(()),
            (Kind::UpTo12, Datum::Int(number)) => within(*number <= 12),
            (Kind::AtLeastMinus1, Datum::Int(number)) => within(*number >= -1),
            (Kind::Letters, Datum::Text(letters)) => within(*letters <= 8),
            (Kind::OneOrXx, _) => Err(Status::Constraint),
            _ => Err(Status::TypeMismatch),
        }
    }

    /// What suits the type.
    pub fn initial(self) -> Datum {
        match self {
            Kind::Any => Datum::Doc(BTreeMap::new()),
            Kind::UpTo12 | Kind::AtLeastMinus1 | Kind::OneOrXx => Datum::Int(1),
            Kind::Letters => Datum::Text(1),
            Kind::Flag => Datum::Bool(false),
        }
    }
}

fn within(is_within: bool) -> Result<(), Status> {
    if is_within { Ok(()) } else { Err(Status::Constraint) }
}
