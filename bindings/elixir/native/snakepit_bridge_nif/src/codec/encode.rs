//! Terms to values: one walk that writes the document and collects attachments where they lie.
//!
//! Every kind of term is sent as what it is or refused by place. On a normal scheduler the walk has
//! a budget and gives up beyond it. Must not know what the value is for.

use rustler::types::atom::Atom;
use rustler::types::map::MapIterator;
use rustler::{Binary, Term, TermType};

use crate::ffi::{Attachment, AttachmentKind, Outcome, Value};

use super::place::{Fault, Step};
use super::{atoms, dtype};

/// How much one walk may do.
#[derive(Clone, Copy, PartialEq)]
pub enum Limit {
    /// What a normal scheduler has time for.
    Small,
    /// Anything.
    None,
}

/// A value and the work that it was, in nodes and pieces of 16 bytes; none if that was over the
/// limit.
pub fn encode(term: Term, limit: Limit) -> Outcome<Option<(Value, usize)>> {
    let budget = if limit == Limit::Small { WORK_MAX } else { usize::MAX };
    let mut walk = Walk { json: Vec::new(), parts: Vec::new(), depth: 0, work: 0, budget };
    match walk.term(term) {
        Ok(()) => {}
        Err(Stop::Budget) => return Ok(None),
        Err(Stop::Fault(fault)) => return Err((*fault).into()),
    }
    let attachments: Vec<Attachment> = walk.parts.iter().map(Part::attachment).collect();
    let value = if attachments.is_empty() {
        Value::from_json(&walk.json)?
    } else {
        Value::from_parts(&walk.json, &attachments)?
    };
    Ok(Some((value, walk.work)))
}

struct Walk<'a> {
    json: Vec<u8>,
    parts: Vec<Part<'a>>,
    depth: usize,
    work: usize,
    budget: usize,
}

struct Part<'a> {
    /// Element type and sides of a tensor.
    tensor: Option<(u32, Vec<i64>)>,
    data: Binary<'a>,
}

enum Stop {
    Budget,
    Fault(Box<Fault>),
}

type Step1 = Result<(), Stop>;

impl<'a> Walk<'a> {
    fn term(&mut self, term: Term<'a>) -> Step1 {
        self.spend(1)?;
        match term.get_type() {
            TermType::Atom => self.atom(term),
            TermType::Binary => self.text(term),
            TermType::Integer => self.integer(term),
            TermType::Float => self.float(term),
            TermType::List => self.nested(|walk| walk.list(term)),
            TermType::Map => match term.map_get(atoms::__struct__()) {
                Ok(name) => self.structure(term, name),
                Err(_) => self.nested(|walk| walk.map(term)),
            },
            TermType::Tuple => {
                refuse("a tuple, which a document has no form for: use a list or a map")
            }
            TermType::Pid => refuse("a pid, which means nothing outside this system"),
            TermType::Port => refuse("a port, which means nothing outside this system"),
            TermType::Ref => refuse("a reference, which means nothing outside this system"),
            TermType::Fun => refuse("a function: offer it as a tool"),
            TermType::Unknown => refuse("a term of an unknown kind"),
        }
    }

    fn spend(&mut self, work: usize) -> Step1 {
        self.work = self.work.saturating_add(work);
        if self.work > self.budget { Err(Stop::Budget) } else { Ok(()) }
    }

    fn nested(&mut self, walk: impl FnOnce(&mut Self) -> Step1) -> Step1 {
        if self.depth == DEPTH_MAX {
            return refuse(format!("nested deeper than {DEPTH_MAX} containers"));
        }
        self.depth += 1;
        walk(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn atom(&mut self, term: Term<'a>) -> Step1 {
        let atom = Atom::from_term(term).map_err(|_| fault("an atom that cannot be read"))?;
        let written: &[u8] = match atom {
            _ if atom == atoms::nil() => b"null",
            _ if atom == atoms::r#true() => b"true",
            _ if atom == atoms::r#false() => b"false",
            _ if atom == atoms::nan() => br#"{"$spb":{"float":"nan"}}"#,
            _ if atom == atoms::infinity() => br#"{"$spb":{"float":"inf"}}"#,
            _ if atom == atoms::neg_infinity() => br#"{"$spb":{"float":"-inf"}}"#,
            _ => {
                let name = atom_name(term)?;
                return self.string(&name);
            }
        };
        self.json.extend_from_slice(written);
        Ok(())
    }

    fn text(&mut self, term: Term<'a>) -> Step1 {
        let Ok(binary) = Binary::from_term(term) else {
            return refuse("a bitstring that is no number of whole bytes");
        };
        self.spend(binary.len() / WORK_BYTES)?;
        match std::str::from_utf8(binary.as_slice()) {
            Ok(text) => self.string(text),
            Err(_) => refuse(
                "a binary that is not UTF-8: wrap bytes in %SnakepitBridge.Blob{data: bytes}",
            ),
        }
    }

    fn string(&mut self, text: &str) -> Step1 {
        serde_json::to_writer(&mut self.json, text).map_err(|error| fault(error.to_string()))
    }

    fn integer(&mut self, term: Term<'a>) -> Step1 {
        if let Ok(number) = term.decode::<i64>() {
            return self.number(number);
        }
        match term.decode::<u64>() {
            Ok(number) => self.number(number),
            Err(_) => refuse("an integer beyond 64 bits: send it as text"),
        }
    }

    fn float(&mut self, term: Term<'a>) -> Step1 {
        let number = term.decode::<f64>().map_err(|_| fault("a float that cannot be read"))?;
        self.number(number)
    }

    fn number(&mut self, number: impl serde::Serialize) -> Step1 {
        serde_json::to_writer(&mut self.json, &number).map_err(|error| fault(error.to_string()))
    }

    fn list(&mut self, list: Term<'a>) -> Step1 {
        let (mut rest, mut index) = (list, 0);
        self.json.push(b'[');
        while let Ok((head, tail)) = rest.list_get_cell() {
            if index > 0 {
                self.json.push(b',');
            }
            self.term(head).map_err(|stop| stop.within(|| Step::Index(index)))?;
            (rest, index) = (tail, index + 1);
        }
        self.json.push(b']');
        if rest.is_empty_list() { Ok(()) } else { refuse("an improper list") }
    }

    fn map(&mut self, map: Term<'a>) -> Step1 {
        let iterator = MapIterator::new(map).ok_or_else(|| fault("a map that cannot be read"))?;
        let (mut atoms_seen, mut texts_seen, mut is_first) = (false, false, true);
        self.json.push(b'{');
        for (key, value) in iterator {
            if !std::mem::take(&mut is_first) {
                self.json.push(b',');
            }
            let is_atom = key.is_atom();
            atoms_seen |= is_atom;
            texts_seen |= !is_atom;
            self.key(key)?;
            self.json.push(b':');
            self.term(value).map_err(|stop| stop.within(|| Step::Key(shown(key))))?;
        }
        self.json.push(b'}');
        if atoms_seen && texts_seen { no_key_twice(map) } else { Ok(()) }
    }

    fn key(&mut self, key: Term<'a>) -> Step1 {
        self.spend(1)?;
        if key.is_atom() {
            let name = atom_name(key)?;
            return self.key_text(&name);
        }
        let Ok(binary) = Binary::from_term(key) else {
            return refuse(format!("the key {key:?}: keys are strings or atoms"));
        };
        self.spend(binary.len() / WORK_BYTES)?;
        match std::str::from_utf8(binary.as_slice()) {
            Ok(text) => self.key_text(text),
            Err(_) => refuse("a key that is not UTF-8"),
        }
    }

    /// A key that looks like the tag of attachments is written with one more `$`.
    fn key_text(&mut self, text: &str) -> Step1 {
        if text.starts_with('$') && text.trim_start_matches('$') == "spb" {
            return self.string(&format!("${text}"));
        }
        self.string(text)
    }

    fn structure(&mut self, term: Term<'a>, name: Term<'a>) -> Step1 {
        let is = |atom: Atom| Atom::from_term(name).is_ok_and(|name| name == atom);
        let tensor = if is(atoms::blob()) {
            None
        } else if is(atoms::tensor()) {
            Some((element_type(term)?, sides(term)?))
        } else {
            return refuse(format!(
                "a struct {name:?}: send a map (Map.from_struct/1), %SnakepitBridge.Blob{{}} or \
                 %SnakepitBridge.Tensor{{}}"
            ));
        };
        let data = term.map_get(atoms::data()).and_then(Binary::from_term);
        let data = data.map_err(|_| fault("data is no binary").step("data"))?;
        self.spend(data.len() / WORK_BYTES)?;
        let index = self.parts.len();
        self.json.extend_from_slice(format!(r#"{{"$spb":{{"attachment":{index}}}}}"#).as_bytes());
        self.parts.push(Part { tensor, data });
        Ok(())
    }
}

impl Part<'_> {
    fn attachment(&self) -> Attachment<'_> {
        let kind = match &self.tensor {
            None => AttachmentKind::Blob,
            Some((dtype, shape)) => AttachmentKind::Tensor { dtype: *dtype, shape },
        };
        Attachment { kind, data: self.data.as_slice() }
    }
}

impl Stop {
    fn within(self, step: impl FnOnce() -> Step) -> Self {
        match self {
            Stop::Fault(fault) => Stop::Fault(Box::new(fault.within(step()))),
            Stop::Budget => Stop::Budget,
        }
    }

    fn step(self, key: &str) -> Self {
        self.within(|| Step::Key(key.to_owned()))
    }
}

fn fault(message: impl Into<String>) -> Stop {
    Stop::Fault(Box::new(Fault::new(message)))
}

fn refuse(message: impl Into<String>) -> Step1 {
    Err(fault(message))
}

/// The name of an atom. Before OTP 26 the NIF interface reads Latin-1 only; the external format has
/// the others.
fn atom_name(term: Term) -> Result<String, Stop> {
    if let Ok(name) = term.atom_to_string() {
        return Ok(name);
    }
    let external = term.to_binary();
    let name = match external.as_slice() {
        [_version, _tag @ 119, _len, name @ ..] => name,
        [_version, _tag @ 118, _high, _low, name @ ..] => name,
        _ => return Err(fault("an atom that cannot be read")),
    };
    String::from_utf8(name.to_vec()).map_err(|_| fault("an atom that is not UTF-8"))
}

/// An atom and a string of the same text would be one key.
fn no_key_twice(map: Term) -> Step1 {
    let iterator = MapIterator::new(map).ok_or_else(|| fault("a map that cannot be read"))?;
    for (key, _) in iterator.filter(|(key, _)| key.is_atom()) {
        let name = atom_name(key)?;
        if map.map_get(name.as_str()).is_ok() {
            return refuse(format!("the key {name:?} twice, as an atom and as a string"));
        }
    }
    Ok(())
}

fn shown(key: Term) -> String {
    let text = Binary::from_term(key).map(|key| String::from_utf8_lossy(&key).into_owned());
    text.unwrap_or_else(|_| atom_name(key).unwrap_or_default())
}

fn element_type(tensor: Term) -> Result<u32, Stop> {
    let given = tensor.map_get(atoms::dtype()).map_err(|_| fault("no dtype").step("dtype"))?;
    let name = shown(given);
    dtype::number(&name).ok_or_else(|| {
        fault(format!("{given:?} is no element type: one such as :float32 is")).step("dtype")
    })
}

/// The shape, given as a tuple or a list.
fn sides(tensor: Term) -> Result<Vec<i64>, Stop> {
    let given = tensor.map_get(atoms::shape()).map_err(|_| fault("no shape").step("shape"))?;
    let sides = match rustler::types::tuple::get_tuple(given) {
        Ok(sides) => sides.into_iter().map(|side| side.decode()).collect(),
        Err(_) => given.decode::<Vec<i64>>(),
    };
    sides.map_err(|_| fault("a shape is a tuple or list of integers").step("shape"))
}

/// Containers within each other, as docs/values.md has it.
const DEPTH_MAX: usize = 64;
/// Bytes that are as much work as a node.
const WORK_BYTES: usize = 16;
/// 64 KiB, or as many nodes as take about half as long.
const WORK_MAX: usize = 5_000;
