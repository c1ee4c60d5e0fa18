//! Keeping secrets out of everything that people read.
//!
//! Two nets, because each has holes: a field whose name says that it is secret is masked whatever
//! it holds, and a text that is known to be secret is masked wherever it turns up, a worker's own
//! output included. Masking happens once, where a record enters the hub.

use std::borrow::Cow;

use parking_lot::RwLock;
use serde_json::Value as Json;

/// Whether a field of this name is masked whatever it holds: one of its words is `token`,
/// `password`, `secret` and the like, or two of them are `api key`. Words end at `_`, `-`, `.`, a
/// space or a capital letter, so `max_tokens` and `monkey` stay readable.
pub fn is_secret_name(name: &str) -> bool {
    let mut before = "";
    words(name).any(|word| {
        let is_secret = SECRET_WORDS.iter().any(|known| is(word, known));
        let ends_pair = SECRET_PAIRS.iter().any(|(a, b)| is(before, a) && is(word, b));
        before = word;
        is_secret || ends_pair
    })
}

/// The secrets of one platform and how texts are freed of them.
#[derive(Default)]
pub struct Redactor {
    /// The longest first: one that contains another is masked before its remains would show.
    known: RwLock<Vec<String>>,
}

impl Redactor {
    /// Masks `secret` in every later text. Texts under six bytes are not taken: masking them would
    /// make ordinary output unreadable and tell their length.
    pub fn hide(&self, secret: &str) {
        let mut known = self.known.write();
        if secret.len() < KNOWN_BYTES_MIN || known.iter().any(|text| text == secret) {
            return;
        }
        known.push(secret.to_owned());
        known.sort_by_key(|text| std::cmp::Reverse(text.len()));
    }

    /// Masks the values of those `variables` whose names say that they are secret.
    pub fn hide_named<'a>(&self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (_, value) in variables.into_iter().filter(|(name, _)| is_secret_name(name)) {
            self.hide(value);
        }
    }

    /// `text` without the known secrets.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut cleaned = Cow::Borrowed(text);
        for secret in self.known.read().iter() {
            if cleaned.contains(secret.as_str()) {
                cleaned = Cow::Owned(cleaned.replace(secret.as_str(), MASK));
            }
        }
        cleaned
    }

    /// Masks fields by name and known secrets by text, at every depth.
    pub fn clean_fields(&self, fields: &mut serde_json::Map<String, Json>) {
        for (name, value) in fields.iter_mut() {
            if is_secret_name(name) {
                *value = Json::from(MASK);
            } else {
                self.clean_value(value);
            }
        }
    }

    fn clean_value(&self, value: &mut Json) {
        match value {
            Json::String(text) => {
                if let Cow::Owned(cleaned) = self.clean(text) {
                    *text = cleaned;
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.clean_value(item)),
            Json::Object(fields) => self.clean_fields(fields),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|letter: char| !letter.is_alphanumeric()).flat_map(humps)
}

/// The parts of `camelCase`.
fn humps(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let pairs = rest.chars().zip(rest.char_indices().skip(1));
        let mut breaks =
            pairs.filter(|(before, (_, letter))| before.is_lowercase() && letter.is_uppercase());
        let end = breaks.next().map_or(rest.len(), |(_, (at, _))| at);
        let (word, others) = rest.split_at_checked(end)?;
        rest = others;
        (!word.is_empty()).then_some(word)
    })
}

/// Whether `word` is `known`, which is in small letters.
fn is(word: &str, known: &str) -> bool {
    word.chars().flat_map(char::to_lowercase).eq(known.chars())
}

/// What stands where a secret was.
pub const MASK: &str = "***";
const KNOWN_BYTES_MIN: usize = 6;
const SECRET_WORDS: [&str; 13] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "cookie",
    "bearer",
    "accesskey",
];
const SECRET_PAIRS: [(&str, &str); 3] = [("api", "key"), ("access", "key"), ("private", "key")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_secret_are_found_and_others_are_not() {
        let secret = [
            "token",
            "api_key",
            "OPENAI_API_KEY",
            "apiKey",
            "X-Api-Key",
            "authorization",
            "db.password",
            "clientSecret",
            "AWS_SECRET_ACCESS_KEY",
            "access_key_id",
        ];
        for name in secret {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["max_tokens", "monkey", "key", "keyboard", "tokenizer", "operation", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn variables_are_hidden_by_their_names() {
        let redactor = Redactor::default();
        redactor.hide_named([("OPENAI_API_KEY", "canary-7391"), ("LANG", "C.UTF-8")]);
        assert_eq!(redactor.clean("canary-7391 C.UTF-8"), "*** C.UTF-8");
    }

    #[test]
    fn known_secrets_are_masked_in_texts_and_at_every_depth_of_fields() {
        let redactor = Redactor::default();
        redactor.hide("canary");
        redactor.hide("canary-7391");
        redactor.hide("short");
        assert_eq!(redactor.clean("a canary-7391, a canary, short"), "a ***, a ***, short");
        let mut fields = serde_json::json!({
            "list": [{"url": "http://canary-7391@host"}],
            "headers": {"Authorization": "Bearer x", "accept": "y"},
            "count": 3,
        });
        redactor.clean_fields(fields.as_object_mut().unwrap());
        let expected = serde_json::json!({
            "list": [{"url": "http://***@host"}],
            "headers": {"Authorization": "***", "accept": "y"},
            "count": 3,
        });
        assert_eq!(fields, expected);
    }
}
