//! What a script answered, taken apart piece by piece: a word, then texts, numbers and bytes. And
//! heads, which scripts keep and answer as one line. What the words mean is not known here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::Value as Raw;

use crate::core::Result;
use crate::state::variable::Lock;

use super::failure::not_understood;

/// An answer that is being read.
pub struct Answer {
    script: &'static str,
    word: String,
    rest: std::vec::IntoIter<Raw>,
}

/// What Redis keeps of a variable besides its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    pub id: u64,
    pub version: u64,
    /// In the server's time; 0 when nobody has it.
    locked_until_ms: u64,
    owner: String,
}

impl Answer {
    /// Every answer is a list that begins with a word.
    pub fn new(script: &'static str, raw: Raw) -> Result<Self> {
        let Raw::Array(items) = raw else { return Err(not_understood(script)) };
        let mut answer = Answer { script, word: String::new(), rest: items.into_iter() };
        answer.word = answer.text()?;
        Ok(answer)
    }

    pub fn word(&self) -> &str {
        &self.word
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.len() == 0
    }

    /// Something that the script may leave out.
    pub fn maybe(&mut self) -> Result<Option<Bytes>> {
        match self.rest.next() {
            Some(Raw::BulkString(bytes)) => Ok(Some(Bytes::from(bytes))),
            Some(Raw::SimpleString(text)) => Ok(Some(Bytes::from(text))),
            Some(Raw::Okay) => Ok(Some(Bytes::from_static(b"OK"))),
            Some(Raw::Nil) => Ok(None),
            _ => Err(not_understood(self.script)),
        }
    }

    pub fn bytes(&mut self) -> Result<Bytes> {
        self.maybe()?.ok_or_else(|| not_understood(self.script))
    }

    pub fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.into()).map_err(|_| not_understood(self.script))
    }

    pub fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        self.text()?.parse().map_err(|_| not_understood(self.script))
    }

    pub fn head(&mut self) -> Result<Head> {
        let text = self.text()?;
        Head::read(&text).ok_or_else(|| not_understood(self.script))
    }

    pub fn maybe_head(&mut self) -> Result<Option<Head>> {
        let Some(bytes) = self.maybe()? else { return Ok(None) };
        let head = std::str::from_utf8(&bytes).ok().and_then(Head::read);
        head.map(Some).ok_or_else(|| not_understood(self.script))
    }

    /// A list inside the answer, read like one of its own.
    pub fn list(&mut self) -> Result<Answer> {
        match self.rest.next() {
            Some(Raw::Array(items)) => {
                Ok(Answer { script: self.script, word: String::new(), rest: items.into_iter() })
            }
            _ => Err(not_understood(self.script)),
        }
    }

    pub fn not_understood<T>(&self) -> Result<T> {
        Err(not_understood(self.script))
    }
}

impl Head {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(7, ' ');
        let id = parts.next()?.parse().ok()?;
        let version = parts.next()?.parse().ok()?;
        let mut parts = parts.skip(2);
        let locked_until_ms = parts.next()?.parse().ok()?;
        let owner = parts.nth(1)?.to_owned();
        Some(Head { id, version, locked_until_ms, owner })
    }

    /// Who has it at a moment of the server's time.
    pub fn lock(&self, now_ms: u64) -> Option<Lock> {
        let left_ms = self.locked_until_ms.saturating_sub(now_ms);
        let owner = Arc::from(self.owner.as_str());
        (left_ms > 0).then(|| Lock { owner, expires_in: Duration::from_millis(left_ms) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_an_owner_of_any_letters() {
        let head = Head::read("7 3 10 20 1500 1:4,2:9 an owner\nof two lines").unwrap();
        assert_eq!((head.id, head.version), (7, 3));
        let lock = head.lock(1000).unwrap();
        assert_eq!(&*lock.owner, "an owner\nof two lines");
        assert_eq!(lock.expires_in, Duration::from_millis(500));
        assert_eq!(head.lock(1500), None);
        assert_eq!(Head::read("7 3 10 20 0 - ").unwrap().lock(0), None);
        assert_eq!(Head::read("7 3 10 20 0 -"), None);
    }

    #[test]
    fn an_answer_of_another_shape_is_refused() {
        assert!(Answer::new("get", Raw::Nil).is_err());
        assert!(Answer::new("get", Raw::Array(vec![Raw::Nil])).is_err());
        let items = vec![Raw::BulkString(b"OK".to_vec()), Raw::BulkString(b"x".to_vec()), Raw::Nil];
        let mut answer = Answer::new("get", Raw::Array(items)).unwrap();
        assert!(answer.number::<u64>().is_err());
        assert_eq!(answer.maybe().unwrap(), None);
        assert!(answer.is_at_end() && answer.bytes().is_err());
    }
}
