//! Calls of variables. Must not know which store they are in.

use super::failure::{Outcome, call};
use super::handles::Session;
use super::sys::{self, spb_str, spb_variable_options, spb_variable_write, spb_write_options};
use super::text::{optional, view};
use super::value::{Value, made};

/// See spb_variable_options.
pub struct VariableOptions<'a> {
    pub name: &'a str,
    pub kind: &'a str,
    pub constraints_json: Option<&'a str>,
    pub metadata_json: Option<&'a str>,
}

/// See spb_write_options.
pub struct WriteOptions<'a> {
    pub expected_version: u64,
    pub owner: Option<&'a str>,
}

/// One write of several.
pub struct Write<'a> {
    pub name: &'a str,
    pub value: &'a Value,
    pub expected_version: u64,
}

impl Session {
    pub fn register(&self, options: &VariableOptions, initial: &Value) -> Outcome<u64> {
        let mut raw = spb_variable_options::init();
        raw.name = view(options.name);
        raw.r#type = view(options.kind);
        raw.constraints_json = optional(options.constraints_json);
        raw.metadata_json = optional(options.metadata_json);
        let (initial, mut version) = (initial.as_ptr(), 0);
        // SAFETY: inputs live until the call has returned, outputs are ours; here and below.
        call(|err| unsafe {
            sys::spb_variable_register(self.0, &raw const raw, initial, &raw mut version, err)
        })?;
        Ok(version)
    }

    pub fn get(&self, name: &str) -> Outcome<(Value, u64)> {
        let mut version = 0;
        // SAFETY: as above.
        let value = made(|out, err| unsafe {
            sys::spb_variable_get(self.0, view(name), out, &raw mut version, err)
        })?;
        Ok((value, version))
    }

    pub fn set(&self, name: &str, value: &Value, options: &WriteOptions) -> Outcome<u64> {
        let (raw, value, mut version) = (options.raw(), value.as_ptr(), 0);
        // SAFETY: as above.
        call(|err| unsafe {
            let (options, version) = (&raw const raw, &raw mut version);
            sys::spb_variable_set_with(self.0, view(name), value, options, version, err)
        })?;
        Ok(version)
    }

    pub fn update(
        &self,
        name: &str,
        update: &Value,
        options: &WriteOptions,
    ) -> Outcome<(Value, u64)> {
        let (raw, update, mut version) = (options.raw(), update.as_ptr(), 0);
        // SAFETY: as above.
        let value = made(|out, err| unsafe {
            let (options, version) = (&raw const raw, &raw mut version);
            sys::spb_variable_update(self.0, view(name), update, options, out, version, err)
        })?;
        Ok((value, version))
    }

    pub fn rollback(&self, name: &str, version: u64, options: &WriteOptions) -> Outcome<u64> {
        let (raw, mut written) = (options.raw(), 0);
        // SAFETY: as above.
        call(|err| unsafe {
            let (options, written) = (&raw const raw, &raw mut written);
            sys::spb_variable_rollback(self.0, view(name), version, options, written, err)
        })?;
        Ok(written)
    }

    pub fn history(&self, name: &str) -> Outcome<Value> {
        // SAFETY: as above.
        made(|out, err| unsafe { sys::spb_variable_history(self.0, view(name), out, err) })
    }

    pub fn lock(&self, name: &str, owner: &str, ttl_ms: u64) -> Outcome<()> {
        // SAFETY: as above.
        call(|err| unsafe { sys::spb_variable_lock(self.0, view(name), view(owner), ttl_ms, err) })
    }

    pub fn unlock(&self, name: &str, owner: &str) -> Outcome<()> {
        // SAFETY: as above.
        call(|err| unsafe { sys::spb_variable_unlock(self.0, view(name), view(owner), err) })
    }

    pub fn delete(&self, name: &str, options: &WriteOptions) -> Outcome<()> {
        let raw = options.raw();
        // SAFETY: as above.
        call(|err| unsafe {
            sys::spb_variable_delete_with(self.0, view(name), &raw const raw, err)
        })
    }

    pub fn list_page(&self, pattern: &str, after: &str, limit: usize) -> Outcome<Value> {
        // SAFETY: as above.
        made(|out, err| unsafe {
            sys::spb_variable_list_page(self.0, view(pattern), view(after), limit, out, err)
        })
    }

    pub fn get_many(&self, names: &[&str]) -> Outcome<Value> {
        let names: Vec<spb_str> = names.iter().map(|name| view(name)).collect();
        // SAFETY: as above.
        made(|out, err| unsafe {
            sys::spb_variable_get_many(self.0, names.as_ptr(), names.len(), out, err)
        })
    }

    pub fn set_many(&self, writes: &[Write], owner: &str) -> Outcome<Value> {
        let writes: Vec<spb_variable_write> = writes.iter().map(Write::raw).collect();
        let (ptr, len) = (writes.as_ptr(), writes.len());
        // SAFETY: as above.
        made(|out, err| unsafe {
            sys::spb_variable_set_many(self.0, ptr, len, view(owner), out, err)
        })
    }
}

impl WriteOptions<'_> {
    fn raw(&self) -> spb_write_options {
        let mut raw = spb_write_options::init();
        raw.expected_version = self.expected_version;
        raw.owner = optional(self.owner);
        raw
    }
}

impl Write<'_> {
    fn raw(&self) -> spb_variable_write {
        spb_variable_write {
            name: view(self.name),
            value: self.value.as_ptr(),
            expected_version: self.expected_version,
            reserved: 0,
        }
    }
}
