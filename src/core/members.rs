//! Where the members of a document begin, noted while it is checked.
//!
//! Whoever wants only the names of an object's members, as the parameters of a call are compared
//! with those of its operation, need not read the document again. Knows nothing of what they hold.

/// The places of the members of a document that is an object with few of them, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Members {
    places: [u32; PLACES_MAX],
    count: u8,
}

impl Members {
    /// It is no object, or nobody has looked.
    pub const UNKNOWN: Members = Members { places: [0; PLACES_MAX], count: UNKNOWN };

    /// An object without members.
    pub const NONE: Members = Members { places: [0; PLACES_MAX], count: 0 };

    /// The next one's key, without escapes, has its opening quote at this byte.
    pub fn add(&mut self, at: usize) {
        match (self.places.get_mut(usize::from(self.count)), u32::try_from(at)) {
            (Some(place), Ok(at)) => {
                *place = at;
                self.count += 1;
            }
            _ => self.count = UNKNOWN,
        }
    }

    /// The names in `document`, if they are known.
    pub fn names<'a>(&self, document: &'a [u8]) -> Option<impl Iterator<Item = &'a str>> {
        let places = self.places;
        let count = (self.count != UNKNOWN).then_some(usize::from(self.count))?;
        Some(places.into_iter().take(count).filter_map(|at| name_at(document, at)))
    }
}

fn name_at(document: &[u8], at: u32) -> Option<&str> {
    let begins = usize::try_from(at).ok()?.checked_add(1)?;
    let rest = document.get(begins..)?;
    let length = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

/// Most operations have no more parameters.
const PLACES_MAX: usize = 5;
const UNKNOWN: u8 = u8::MAX;
