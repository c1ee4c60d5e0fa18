//! Platforms and sessions. A session keeps its platform, and a platform that nobody keeps is closed
//! without waiting. Must not know operations.

use std::sync::Arc;

use rustler::{Resource, ResourceArc};

use crate::dispatcher;
use crate::ffi::{Outcome, Platform, Session};
use crate::home::Home;

pub struct PlatformResource {
    pub handle: Platform,
    pub home: Arc<Home>,
}

#[rustler::resource_impl]
impl Resource for PlatformResource {}

impl PlatformResource {
    pub fn open(config_json: &[u8]) -> Outcome<PlatformResource> {
        let handle = Platform::open(config_json)?;
        let home = Arc::new(Home::new(&handle)?);
        dispatcher::start(home.clone())?;
        Ok(PlatformResource { handle, home })
    }
}

impl Drop for PlatformResource {
    fn drop(&mut self) {
        // Nobody can use it any more. The dispatcher goes on to the last event by itself.
        self.handle.abandon();
    }
}

pub struct SessionResource {
    pub handle: Session,
    pub platform: ResourceArc<PlatformResource>,
}

#[rustler::resource_impl]
impl Resource for SessionResource {}
